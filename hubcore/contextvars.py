"""The standard library's context variables, under the name that gevent's programs import them by.

Every greenlet has a context of its own anyway: `Greenlet` begins with a copy of its maker's, as of when it was made.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, Token, copy_context

__all__ = ["Context", "ContextVar", "Token", "copy_context"]
