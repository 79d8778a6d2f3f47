"""Trace and profile functions of tasks in worker threads.

Facts: `threading.settrace` and `threading.setprofile` set functions for the threads that start later; a worker thread
lives on, and serves tasks of several owners. Consequence: the worker looks for these functions at each task, and a task
leaves none behind. A debugger, coverage.py or an audit hook may make a step fail: then the task fails with that error.

Fact: coverage.py's function for new threads replaces itself by a tracer, which coverage.py keeps. Consequence: a worker
remembers the replacement, so that it makes one and not one for each task.
"""

from __future__ import annotations

import sys

from hubcore._base.hints import Any, Callable, P, R
from hubcore._base.originals import _local

_own = _local()


def traced(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Return `function(*args, **kwargs)`, called with the functions that threads get now. In a worker thread only."""
    threading: Any = sys.modules.get("threading")
    if threading is not None:
        profile, trace = threading.getprofile(), threading.gettrace()
        if profile is not None or trace is not None:
            _set(profile, trace)
    try:
        return function(*args, **kwargs)
    finally:
        forget()


def _set(profile: Any, trace: Any) -> None:
    if profile is not None:
        sys.setprofile(profile)
    if trace is None:
        return
    given, replacement = getattr(_own, "tracer", (None, None))
    if given is trace:
        sys.settrace(replacement)
        return
    sys.settrace(trace)
    _first_step()
    if sys.gettrace() is not None:
        _own.tracer = (trace, sys.gettrace())


def _first_step() -> None:
    """Do nothing: a trace function that replaces itself does so at the first call."""


def forget() -> bool:
    """Remove the calling thread's trace and profile functions; return whether it has none."""
    try:
        if sys.gettrace() is not None:
            sys.settrace(None)
        if sys.getprofile() is not None:
            sys.setprofile(None)
    except BaseException:
        return False  # an audit hook refuses that: the worker ends, and the functions with it
    return True
