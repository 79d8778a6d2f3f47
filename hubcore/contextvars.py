"""The standard library's context variables, under the name by which programs for gevent import them.

Every greenlet has its own context: a `Greenlet` begins with a copy of the context of the greenlet that made it.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, Token, copy_context

__all__ = ["Context", "ContextVar", "Token", "copy_context"]
