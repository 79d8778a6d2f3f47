"""Waiting in a thread that has no hub: the thread itself sleeps.

The thread waits with an ordinary Waiter, so a waker need not distinguish threads from greenlets. The waiter's ready
queue belongs to no thread. Hence every wake-up comes by the inbox, and then calls `Bell.wake`, which releases the lock
that the thread sleeps on.

Compiled for the sake of Ctrl-C: in Python code, a signal handler may raise between any two byte codes of the main
thread; in compiled code, only at the acquisition of the lock. So a wake-up always rings the bell, and a waiter whose
wait ends always leaves its queue.
"""

from __future__ import annotations

from _thread import _local, allocate_lock, get_ident
from time import monotonic

from hubcore._base import uncompiled as cython
from hubcore._base.originals import native_sleep
from hubcore._core.deadlines import TimeLimit, as_seconds
from hubcore._core.raising import raise_here
from hubcore._core.ready_queue import ReadyQueue
from hubcore._core.waiter import Waiter

if not cython.compiled:
    from hubcore._base.hints import Any
    from hubcore._capi.fallback import a_thread_begins, getcurrent, import_greenlet, process_ends
    from hubcore._core.waiter import FAILED, TIMED_OUT, WOKEN

import_greenlet()

#: Waiters of threads that are blocked without a hub, by thread ident; for reports.
waiting: dict[int, Waiter] = {}
#: The waiters among them that have a deadline.
limited: set[Waiter] = set()

# Seconds of the longest single wait for a lock (threading.TIMEOUT_MAX is about 292 years on 64 bits, and far less
# elsewhere).
_LONGEST = 2_000_000.0


class Bell:
    """The lock that a thread sleeps on. A spurious ring is harmless: the thread checks its waiter and sleeps again."""

    __slots__ = ("lock", "ready")

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.lock.acquire()
        self.ready = ReadyQueue(self, 0)

    def wake(self) -> None:
        """End the thread's sleep, or its next one. Never switches; any thread."""
        try:
            self.lock.release()
        except RuntimeError:
            pass  # it was rung already


_thread = _local()


def thread_waiter(waiting_on: object) -> Waiter:
    """Return a waiter for the calling thread, to be passed to `park_thread`."""
    bell: Bell | None = getattr(_thread, "bell", None)
    if bell is None:
        bell = _thread.bell = Bell()
    return Waiter(bell.ready, None if process_ends() else getcurrent(), waiting_on, monotonic())


def park_thread(waiter: Waiter, timeout: float | None = None) -> bool:
    """Block the thread until `waiter` is woken (True) or `timeout` seconds, or those of a Timeout, have passed (False).

    An exception of a signal handler (Ctrl-C, in the main thread) ends the wait and propagates. While the interpreter is
    being finalized no other thread runs, so a wait without `timeout` (in a finalizer) raises RuntimeError.
    """
    if timeout is None and not waiter.ended and process_ends():
        waiter.abandon()
        raise RuntimeError(
            f"cannot wait for {waiter.waiting_on!r} without a timeout: the interpreter is being finalized"
        )
    bell: Bell = _thread.bell
    ident = get_ident()
    limit: Any = None
    outer = waiting.get(ident)  # a signal handler's wait may lie within another one
    try:
        if isinstance(timeout, TimeLimit):
            limit = timeout
            timeout = limit._seconds_here()
        if timeout is not None and (not isinstance(timeout, (float, int)) or timeout != timeout):
            timeout = as_seconds(timeout, "a timeout")
        end = None if timeout is None else monotonic() + timeout
        if waiter.fall_asleep():
            if end is not None:
                limited.add(waiter)
            waiting[ident] = waiter
            _sleep(waiter, bell, end)
    except BaseException:
        waiter.abandon()
        raise
    finally:
        limited.discard(waiter)
        if outer is None:
            waiting.pop(ident, None)
        else:
            waiting[ident] = outer
            bell.wake()  # a ring of the meantime may have been meant for the outer wait
        bell.ready.drain_inbox()
        while bell.ready.pop() is not None:
            pass
    if waiter.outcome == FAILED:
        raise_here(waiter.value)
    if limit is not None and waiter.outcome == TIMED_OUT and limit._raised() is not limit:
        raise_here(limit._raised())
    return waiter.outcome == WOKEN


def _sleep(waiter: Waiter, bell: Bell, end: float | None) -> None:
    while not waiter.ended:
        left = _LONGEST if end is None else min(end - monotonic(), _LONGEST)
        if left <= 0:
            waiter._fire(0.0)
        elif process_ends():
            native_sleep(left)  # from CPython 3.15 on no lock can be waited for by then
        elif end is None:
            bell.lock.acquire()
        else:
            bell.lock.acquire(True, left)


def any_beginning() -> bool:
    """Return whether a native thread was started that has not run yet, and so is in no list of Python's.

    Uncompiled always False.
    """
    return a_thread_begins()


def forget_after_fork() -> list[Waiter]:
    """In a forked child, forget and return the waiters of the parent's other threads, which do not exist here."""
    ident = get_ident()
    others = [waiting.pop(other) for other in list(waiting) if other != ident]
    limited.difference_update(others)
    return others
