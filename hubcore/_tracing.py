"""Trace and profile functions, for each greenlet that is a thread its own.

Fact: what sys.settrace and sys.setprofile set is the native thread's. Consequence: a greenlet in which `threading` sets
what threading.settrace was given takes that off when it gives up the processor, and puts it on when it goes on; so it
traces that thread and nobody else. Other greenlets are traced by what the native thread has.
"""

from __future__ import annotations

import cython

if not cython.compiled:
    from hubcore._uncompiled import get_tracing, getcurrent, import_greenlet, set_tracing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from greenlet import greenlet

import_greenlet()

# By greenlet, of those that have their own: what the native thread had when they went on.
_below: dict[greenlet, tuple[Any, ...]] = {}


def begin() -> None:
    """What the calling greenlet sets from now on is its own, until `end`."""
    _below[getcurrent()] = get_tracing()


def end() -> None:
    """Undo `begin`."""
    below = _below.pop(getcurrent(), None)
    if below is not None:
        set_tracing(below)


def save_tracing() -> tuple[Any, ...] | None:
    """Take the caller's own trace functions off the thread; what `restore_tracing` takes, None if it has none."""
    if not _below:
        return None
    below = _below.get(getcurrent())
    if below is None:
        return None
    own: tuple[Any, ...] = get_tracing()
    set_tracing(below)
    return own


def restore_tracing(own: tuple[Any, ...]) -> None:
    """The calling greenlet goes on."""
    _below[getcurrent()] = get_tracing()
    set_tracing(own)


def forget_after_fork() -> None:
    """In a forked child: only the calling greenlet is alive."""
    current = getcurrent()
    for greenlet in [each for each in _below if each is not current]:
        del _below[greenlet]
