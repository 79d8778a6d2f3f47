"""Trace and profile functions, separate for each greenlet that is a thread.

Fact: sys.settrace and sys.setprofile act on the native thread. Consequence: a greenlet that runs a thread, in which
`threading` has set the function given to threading.settrace, saves and clears it when it gives up the processor, and
restores it when it resumes. So the function traces only that thread. All other greenlets have the trace functions of
the native thread.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython

if not cython.compiled:
    from hubcore._capi.fallback import get_tracing, getcurrent, import_greenlet, set_tracing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from greenlet import greenlet

import_greenlet()

# By greenlet with trace functions of its own: the native thread's, as of its last resumption.
_below: dict[greenlet, tuple[Any, ...]] = {}


def begin() -> None:
    """Make the trace functions that the calling greenlet sets from now on its own, until `end`."""
    _below[getcurrent()] = get_tracing()


def end() -> None:
    """Undo `begin`."""
    below = _below.pop(getcurrent(), None)
    if below is not None:
        set_tracing(below)


def save_tracing() -> tuple[Any, ...] | None:
    """Replace the caller's own trace functions by the thread's; return them for `restore_tracing`, None without any."""
    if not _below:
        return None
    below = _below.get(getcurrent())
    if below is None:
        return None
    own: tuple[Any, ...] = get_tracing()
    set_tracing(below)
    return own


def restore_tracing(own: tuple[Any, ...]) -> None:
    """Set the calling greenlet's own trace functions again, when it resumes."""
    _below[getcurrent()] = get_tracing()
    set_tracing(own)


def forget_after_fork() -> None:
    """In a forked child, forget all greenlets but the calling one: no other goes on there."""
    current = getcurrent()
    for greenlet in [each for each in _below if each is not current]:
        del _below[greenlet]
