"""Waiting in a thread that has no hub: the thread itself sleeps.

The waiter is the same as a greenlet's, so whoever wakes it need not know the difference. Its ready queue has no thread
of its own, hence a wake-up always comes by the inbox, and the queue's `wake` releases the lock that the thread sleeps
on.

Compiled for the sake of Ctrl-C: a signal handler of the main thread may raise between any two byte codes, but in
compiled code only where the lock is waited for. So a wake-up always rings, and who ends a wait always leaves its queue.
"""

from __future__ import annotations

from _thread import _local, allocate_lock, get_ident
from time import monotonic

import cython

from hubcore._deadlines import as_seconds
from hubcore._park import Waiter
from hubcore._ready import ReadyQueue

if not cython.compiled:
    from hubcore._park import TIMED_OUT, WOKEN
    from hubcore._uncompiled import a_thread_begins, getcurrent, import_greenlet, process_ends

import_greenlet()

#: Who sleeps so now, by thread ident; for reports.
waiting: dict[int, Waiter] = {}
#: Those of them that time will end.
limited: set[Waiter] = set()

# The longest time that a lock can be waited for at once (threading.TIMEOUT_MAX is about 292 years on 64 bits, and far
# less elsewhere).
_LONGEST = 2_000_000.0


class Bell:
    """What a thread sleeps on. Rung too early or too often it wakes a thread that then looks and sleeps on."""

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
            pass  # it rings already


_thread = _local()


def thread_waiter(waiting_on: object) -> Waiter:
    """A waiter for the calling thread, which `park_thread` then parks."""
    bell: Bell | None = getattr(_thread, "bell", None)
    if bell is None:
        bell = _thread.bell = Bell()
    return Waiter(bell.ready, None if process_ends() else getcurrent(), waiting_on, monotonic())


def park_thread(waiter: Waiter, timeout: float | None = None) -> bool:
    """Put the thread to sleep until `waiter` is woken (True) or `timeout` seconds have passed (False).

    What a signal handler raises (Ctrl-C, in the main thread) ends the wait and comes out. In a finalizer, while the
    interpreter is being finalized, no other thread runs: RuntimeError for a wait without `timeout`.
    """
    if timeout is None and not waiter.ended and process_ends():
        waiter.abandon()
        raise RuntimeError(f"the process ends, and nobody would end the wait for {waiter.waiting_on!r}")
    bell: Bell = _thread.bell
    ident = get_ident()
    outer = waiting.get(ident)  # a signal handler's wait may lie within another one
    try:
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
            bell.wake()  # what rang meanwhile may have been for that one
        bell.ready.drain_inbox()
        while bell.ready.pop() is not None:
            pass
    if waiter.outcome == WOKEN:
        return True
    if waiter.outcome == TIMED_OUT:
        return False
    exception: BaseException = waiter.value  # type: ignore[assignment]
    raise exception


def _sleep(waiter: Waiter, bell: Bell, end: float | None) -> None:
    while not waiter.ended:
        left = _LONGEST if end is None else min(end - monotonic(), _LONGEST)
        if left <= 0:
            waiter.fire(0.0)
        elif end is None:
            bell.lock.acquire()
        else:
            bell.lock.acquire(True, left)


def any_beginning() -> bool:
    """Whether a native thread was started that has not run yet, and so is in no list of Python's. Only compiled."""
    return a_thread_begins()


def forget_after_fork() -> list[Waiter]:
    """In a forked child: who slept in the parent, but for the calling thread. Those threads are not here."""
    ident = get_ident()
    others = [waiting.pop(other) for other in list(waiting) if other != ident]
    limited.difference_update(others)
    return others
