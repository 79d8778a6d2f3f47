"""coverage.py and greenlets that wait in compiled code.

Fact: with concurrency = greenlet its tracer finds out which greenlet runs when a Python function is called or returns,
and takes every line until then for one of the greenlet before, in that greenlet's file. Consequence: who goes on after
a wait in a compiled function calls a function of Python's own first.
"""

from __future__ import annotations


def is_measured() -> bool:
    """Whether somebody has to be told. Uncompiled, every wait is in functions of Python's own, which return."""
    return False


def resumed() -> None:
    """To be called, that is all: by whoever goes on after a wait, where `is_measured`. Never compiled."""
