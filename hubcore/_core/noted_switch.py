"""Switches that do more than switch: the caller's per-greenlet state is saved, and the observer of the hub looks on.

The scheduler calls these functions only while `per_greenlet_state.enabled` is not 0.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._core.running_loop import per_greenlet_state

if not cython.compiled:
    from hubcore._capi.fallback import call_keeping_failure, getcurrent, import_greenlet, switch_fails
    from hubcore._core.running_loop import SAVES, forget_running_loop, switch_saving, switch_sharing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

    from hubcore._core.ready_queue import ReadyQueue

import_greenlet()

_state = per_greenlet_state


def note_leaving(queue: ReadyQueue, waiter: object) -> None:
    """Notify the observer that the current greenlet parks with `waiter`, or gives way."""
    observer = queue.observer
    if observer is not None:
        observer.left(waiter)


def note_return(queue: ReadyQueue, failed: bool) -> None:
    """Notify the observer that the current greenlet goes on; `failed` if by a throw, whose error is then set."""
    observer = queue.observer
    if observer is not None:
        if failed:
            untyped: object = observer  # its method as Python calls it
            call_keeping_failure(untyped.resumed, (getcurrent(),))  # type: ignore[attr-defined]
        else:
            observer.resumed(getcurrent())


def note_turn(queue: ReadyQueue) -> None:
    """The hub greenlet runs: see to the running loop of the greenlet that ran before, and notify the observer."""
    if _state.enabled & SAVES:
        forget_running_loop()
    observer = queue.observer
    if observer is not None:
        observer.hub_runs()


def note_spawn(queue: ReadyQueue, new: greenlet) -> None:
    """Notify the observer of `new`, which runs without having been in the queue."""
    observer = queue.observer
    if observer is not None:
        observer.pushed(new, False)


def note_beginning(queue: ReadyQueue, new: greenlet) -> None:
    """Notify the observer that the hub greenlet is about to start `new`."""
    observer = queue.observer
    if observer is not None:
        observer.begins(new)


def note_unrun(queue: ReadyQueue, new: greenlet) -> None:
    """Notify the observer that `new` was in the queue, and has ended without having run."""
    observer = queue.observer
    if observer is not None:
        observer.never_ran(new)


def switch_noting(queue: ReadyQueue, target: greenlet) -> bool:
    """As `switch_fails`."""
    failed = switch_saving(target) if _state.enabled & SAVES else switch_fails(target)
    note_return(queue, failed)
    return failed


def begin_noting(queue: ReadyQueue, new: greenlet) -> bool:
    """As `switch_fails`, to `new`, which was never started and sees the caller's running loop."""
    observer = queue.observer
    if observer is not None:
        observer.pushed(new, False)
        observer.begins(new)
        observer = None
    failed = switch_sharing(new) if _state.enabled & SAVES else switch_fails(new)
    note_return(queue, failed)
    return failed
