"""Taking the lock of a condition again at the end of a wait, through any interrupts.

An interrupt may come while the waiter waits for the lock: a kill, a Timeout, a cancellation, Ctrl-C. The waiter then
goes on until it owns the lock, and raises the interrupt afterwards, because the code above it releases the lock. An
error of the lock itself, such as a lost connection to a lock server, ends the attempt: to try again could go on for
ever.
"""

from __future__ import annotations

from greenlet import GreenletExit, getcurrent

from hubcore._base.hints import Any, Callable
from hubcore._sync.locks import BoundedSemaphore, RLock, Semaphore
from hubcore._sync.thread_lock import Lock as ThreadLock
from hubcore._sync.thread_lock import RLock as ThreadRLock
from hubcore.exceptions import BlockingSwitchOutError, Cancelled, HubDestroyed, LoopExit
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.interrupts import InterruptNotes

# After one of these exceptions a greenlet can no longer wait for a lock.
_FUTILE = (BlockingSwitchOutError, HubDestroyed, LoopExit)
# Exceptions that are interrupts wherever they come from.
_INTERRUPTS = (Cancelled, GreenletExit, KeyboardInterrupt)
# Errors of a `timeout` that is no number of seconds.
_BAD_ARGUMENTS = (OverflowError, TypeError, ValueError)

# Locks of hubcore, which do not fail: each exception of `acquire` is an interrupt. Classes derived from them may fail.
_NEVER_FAIL = frozenset({BoundedSemaphore, RLock, Semaphore, ThreadLock, ThreadRLock})


def retake(
    condition: Any, lock: Any, acquire: Callable[[Any], object], state: Any, failure: BaseException | None
) -> BaseException | None:
    """Take `lock` by `acquire(state)`. Return `failure`, by which the wait ended, or else the first interrupt.

    Switches if the lock is taken. Further interrupts are raised where the greenlet waits next: neither a kill nor a
    Timeout is lost. An error of the lock is raised, with `condition` as its `came_without`: the caller does not own the
    lock then, and `failure` is raised later, too.
    """
    if type(lock) in _NEVER_FAIL:
        if failure is None:
            try:
                acquire(state)
                return None
            except _FUTILE as error:
                _mark(error, condition)
                raise
            except BaseException as error:
                failure = error
        return _persist(condition, acquire, state, failure, None, False)
    hub = get_hub_if_any()
    if hub is None:
        return _persist(condition, acquire, state, failure, None, True)
    current = getcurrent()
    notes = hub.notes_of(current)
    if notes is not None:  # `acquire` of another condition's lock waits on this condition
        return _persist(condition, acquire, state, failure, notes, True)
    notes = hub.take_notes(current)
    try:
        return _persist(condition, acquire, state, failure, notes, True)
    finally:
        hub.end_notes(current)


def _persist(
    condition: Any,
    acquire: Callable[[Any], object],
    state: Any,
    failure: BaseException | None,
    notes: InterruptNotes | None,
    may_fail: bool,
) -> BaseException | None:
    later: list[BaseException] = []
    try:
        while True:
            try:
                if failure is None:
                    acquire(state)
                else:
                    _acquire_shielded(acquire, state)
                return failure
            except _FUTILE as error:
                later.clear()
                _mark(error, condition)
                raise
            except BaseException as error:
                if may_fail and not _is_interrupt(error, notes):
                    if failure is not None and not isinstance(failure, _BAD_ARGUMENTS):
                        later.insert(0, failure)
                    _mark(error, condition)
                    raise
                if failure is None:
                    failure = error
                else:
                    later.append(error)
    finally:
        _raise_later(later)
        del failure, later  # their tracebacks refer to this frame


def _is_interrupt(error: BaseException, notes: InterruptNotes | None) -> bool:
    return isinstance(error, _INTERRUPTS) or (notes is not None and notes.has(error))


def _mark(error: Any, condition: Any) -> None:
    try:
        error.came_without = condition
    except AttributeError:
        pass  # a class without a dict


def _raise_later(interrupts: list[BaseException]) -> None:
    hub = get_hub_if_any()
    if hub is None or hub.destroyed:
        return
    for each in interrupts:
        if not isinstance(each, Cancelled):  # every wait raises it again
            hub.interrupt(getcurrent(), each)


def _acquire_shielded(acquire: Callable[[Any], object], state: Any) -> None:
    if get_hub_if_any() is None:
        acquire(state)
        return
    from hubcore.scopes import CancelScope

    # Without the shield, each attempt would raise the cancellation again.
    with CancelScope(shield=True):
        acquire(state)
