"""Condition: release a lock, wait for a notification, take the lock again. As the standard library's."""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._core.waiter import Source, WaitQueue
from hubcore._sync.locks import RLock
from hubcore._sync.retake import retake

if not cython.compiled:
    from hubcore._base.hints import Any, Callable
    from hubcore._capi.fallback import atomic, import_greenlet, publish
    from hubcore._core.waiter import new_entry
    from hubcore._sync.waitable import now, park, waiter_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import WaitEntry


import_greenlet()


class Condition(Source):
    """A condition variable on `lock`; by default on a new RLock.

    `lock` is any object with acquire and release, such as a Semaphore(1); it may also have the hooks of RLock.
    """

    __slots__ = ("__weakref__", "_lock", "_waiters", "acquire", "release")

    def __init__(self, lock: Any = None) -> None:
        if lock is None:
            lock = RLock()
        self._lock = lock
        self.acquire: Any = lock.acquire
        self.release: Any = lock.release
        self._waiters = WaitQueue()

    def __enter__(self) -> Any:
        return self._lock.__enter__()

    def __exit__(self, *failure: Any) -> Any:
        if failure and getattr(failure[1], "came_without", None) is self:
            return None  # raised by a wait that could not take the lock again: another greenlet may own it now
        return self._lock.__exit__(*failure)

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, wait for a notification, at most `timeout` seconds, and take the lock again. Switches.

        Return whether the notification came. However the wait ends, also by a kill, the caller then owns the lock,
        unless it can wait no more (HubDestroyed, LoopExit) or the lock itself fails: then `wait` raises its error.
        RuntimeError if the caller does not own the lock.
        """
        if not self._is_owned():
            raise RuntimeError(f"cannot wait on {self!r}: the caller does not own its lock")
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
        failure = retake(self, self._lock, self._acquire_restore, state, failure)
        if failure is not None:
            if came:
                self._wake(1)  # this waiter fails and ignores its notification, so the next waiter gets it
            raise failure
        return came

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """Wait until `predicate()`, called with the lock, is true, at most `timeout` seconds. Return its last result.

        Switches unless it is true at once.
        """
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
        """Wake the first `n` waiters. Never switches. RuntimeError if the caller does not own the lock."""
        if not self._is_owned():
            raise RuntimeError(f"cannot notify {self!r}: the caller does not own its lock")
        self._wake(n)

    def notify_all(self) -> None:
        """Wake all waiters; else as `notify`."""
        if not self._is_owned():
            raise RuntimeError(f"cannot notify {self!r}: the caller does not own its lock")
        self._wake_all()

    def _wake_all(self) -> None:
        self._wake(self._waiters.count)

    def _wake(self, n: int) -> None:
        while n > 0 and self._waiters.wake_first(True):
            n -= 1

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """As Source._hand_back: the notification goes to the next waiter."""
        self._waiters.wake_first(True)

    @property
    def owner(self) -> object:
        """The owner of the lock, if the lock records one."""
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

    def _at_fork_reinit(self) -> None:
        """Become a new condition, in a forked child, for the standard library's threads."""
        self._lock._at_fork_reinit()
        self._waiters = WaitQueue()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} on {self._lock!r}, {self._waiters.count} waiting>"


publish("hubcore.lock", Condition)

if not cython.compiled:
    atomic(Condition, "_wake", "_hand_back")
