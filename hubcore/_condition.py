"""Condition: wait, without a lock, for what is true only under it. The standard library's names and meanings."""

from __future__ import annotations

import cython

from hubcore._locks import RLock
from hubcore._park import Source, WaitQueue
from hubcore.exceptions import BlockingSwitchOutError, Cancelled, HubDestroyed, LoopExit
from hubcore.hub import get_hub_if_any

if not cython.compiled:
    from hubcore._awaitable import now, park, waiter_at
    from hubcore._park import new_entry
    from hubcore._uncompiled import atomic, getcurrent, import_greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._park import WaitEntry


import_greenlet()

# Who gets one of these cannot wait for a lock, however often it tries.
_FUTILE = (BlockingSwitchOutError, HubDestroyed, LoopExit)


class Condition(Source):
    """A condition variable on `lock`, an RLock of its own if none is given.

    `lock` is anything with acquire and release, such as a Semaphore(1), or one with the hooks of RLock as well.
    """

    __slots__ = ("__weakref__", "_lock", "_waiters", "acquire", "release")

    def __init__(self, lock: Any = None) -> None:
        if lock is None:
            lock = RLock()
        self._lock = lock
        self.acquire = lock.acquire
        self.release = lock.release
        self._waiters = WaitQueue()

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *failure: Any) -> Any:
        if failure and getattr(failure[1], "came_without", None) is self:
            return None  # from a wait that could not take the lock back: it may be another's now
        return self._lock.__exit__(*failure)

    def wait(self, timeout: float | None = None) -> bool:
        """Let go of the lock, wait for a `notify`, `timeout` seconds at most, and take the lock again. Switches.

        Whether the notice came. However the wait ends, also by a kill, the caller has the lock afterwards, unless it
        can wait no more (HubDestroyed, LoopExit). RuntimeError if it did not have it before.
        """
        if not self._is_owned():
            raise RuntimeError(f"cannot wait on {self!r} without having its lock")
        entry = new_entry(self, None, "")
        waiter = waiter_at(entry)
        self._waiters.add(entry, waiter)
        try:
            state = self._release_save()
        except BaseException:
            waiter.abandon()
            raise
        came, failure = False, None
        try:
            came = park(waiter, timeout)
        except BaseException as error:
            failure = error
        failure = self._take_back(state, failure)
        if failure is not None:
            if came:
                self._wake(1)  # who fails does not look at what it was told of; the next one may
            raise failure
        return came

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until `predicate()`, called with the lock, is true, `timeout` seconds at most; what it returned last."""
        result = predicate()
        if result or (timeout is not None and timeout <= 0):
            return result
        end = None if timeout is None else now() + timeout
        while not result:
            left = None if end is None else end - now()
            if left is not None and left <= 0:
                break
            self.wait(left)
            result = predicate()
        return result

    def notify(self, n: int = 1) -> None:
        """Wake the first `n` who wait. Never switches. RuntimeError unless the caller has the lock."""
        if not self._is_owned():
            raise RuntimeError(f"cannot notify {self!r} without having its lock")
        self._wake(n)

    def notify_all(self) -> None:
        """Wake all who wait, as `notify`."""
        if not self._is_owned():
            raise RuntimeError(f"cannot notify {self!r} without having its lock")
        self._wake_all()

    def _wake_all(self) -> None:
        self._wake(self._waiters.count)

    def _wake(self, n: int) -> None:
        while n > 0 and self._waiters.wake_first(True):
            n -= 1

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """As Source._hand_back: the notice goes to the next who waits."""
        self._waiters.wake_first(True)

    @property
    def owner(self) -> object:
        """Who has the lock, as far as the lock knows."""
        return getattr(self._lock, "owner", None)

    def _is_owned(self) -> bool:
        if hasattr(self._lock, "_is_owned"):
            return bool(self._lock._is_owned())
        if self._lock.acquire(False):
            self._lock.release()
            return False
        return True

    def _release_save(self) -> Any:
        if hasattr(self._lock, "_release_save"):
            return self._lock._release_save()
        self._lock.release()
        return None

    def _acquire_restore(self, state: Any) -> None:
        if hasattr(self._lock, "_acquire_restore"):
            self._lock._acquire_restore(state)
        else:
            self._lock.acquire()

    def _take_back(self, state: Any, failure: BaseException | None) -> BaseException | None:
        """Take the lock, whatever is raised meanwhile. Returns `failure`, or else the first of that.

        What else is raised is so where the greenlet waits next: neither a kill nor a Timeout may be lost.
        """
        later = []
        shielded = False
        while True:
            try:
                if shielded:
                    self._acquire_shielded(state)
                else:
                    self._acquire_restore(state)
                break
            except _FUTILE as error:
                error.came_without = self  # type: ignore[union-attr]
                raise
            except BaseException as error:
                if failure is None:
                    failure = error
                elif not isinstance(error, Cancelled):  # which every wait raises anew
                    later.append(error)
                shielded = True
        hub = get_hub_if_any()
        if hub is not None:
            for other in later:
                hub.interrupt(getcurrent(), other)
        return failure

    def _acquire_shielded(self, state: Any) -> None:
        if get_hub_if_any() is None:
            self._acquire_restore(state)
            return
        from hubcore.scopes import CancelScope

        # A cancellation would be raised again at each attempt.
        with CancelScope(shield=True):
            self._acquire_restore(state)

    def _at_fork_reinit(self) -> None:
        """For the standard library's threads: in a forked child, be as new."""
        self._lock._at_fork_reinit()
        self._waiters = WaitQueue()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._lock!r}, {self._waiters.count} waiting>"


if not cython.compiled:
    atomic(Condition, "_wake", "_hand_back")
