"""`wait` of the standard library's Condition, for threads that are greenlets.

Facts: the standard library's `wait` takes its lock again in a `finally` block. In a native thread nothing interrupts
that but a signal handler of the main thread. Consequence: a kill, a Timeout or a cancellation that came meanwhile would
leave the block without the lock, and a waiter that is interrupted after its notification would take the notification
along.
"""

from __future__ import annotations

import sys
import threading as _stdlib

from hubcore._base.hints import Any
from hubcore._sync.retake import retake

_private: Any = _stdlib  # for its private names; see hubcore._patching.cpython_internals
_REFUSES_NAN = sys.version_info >= (3, 15)


def wait(self: Any, timeout: float | None = None) -> bool:
    """As threading.Condition.wait. Switches. However it ends, the caller then owns the lock, unless the lock fails.

    RuntimeError if the caller does not own the lock.
    """
    if not self._is_owned():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = _private._allocate_lock()
    waiter.acquire()
    self._waiters.append(waiter)
    try:
        state = self._release_save()
    except BaseException:
        _leave(self, waiter)
        raise
    notified, failure = False, None
    try:
        if timeout is None:
            notified = waiter.acquire()
        elif timeout > 0 or (timeout != timeout and _REFUSES_NAN):
            notified = waiter.acquire(True, timeout)
        else:
            notified = waiter.acquire(False)
    except BaseException as error:
        failure = error
    try:
        failure = retake(self, self._lock, self._acquire_restore, state, failure)
    except BaseException:
        _leave(self, waiter)
        raise
    try:
        if not notified:
            notified = not _leave(self, waiter) and failure is not None
        if failure is not None:
            if notified:
                self.notify()  # this waiter fails and ignores its notification, so the next waiter gets it
            raise failure
    finally:
        del failure  # its traceback refers to this frame
    return notified


def _leave(condition: Any, waiter: Any) -> bool:
    """Remove `waiter` from the queue of `condition`; return whether it was there, so that no notification had come."""
    try:
        condition._waiters.remove(waiter)
    except ValueError:
        return False
    return True
