"""coverage.py and greenlets that wait in compiled code.

Fact: with concurrency = greenlet, coverage.py's tracer finds out which greenlet runs only when a Python function is
called or returns; until then it attributes every line to the previous greenlet, and to that greenlet's file.
Consequence: a greenlet that resumes after a wait in a compiled function calls an uncompiled Python function first.
"""

from __future__ import annotations


def is_measured() -> bool:
    """Return whether coverage.py measures this thread. Uncompiled False: every wait is in Python functions anyway."""
    return False


def resumed() -> None:
    """Do nothing: the call itself is the event that the tracer needs. Never compiled."""
