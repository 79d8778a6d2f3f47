"""EndLock: the lock that `threading`, up to CPython 3.12, waits for when it joins a thread."""

from __future__ import annotations

from hubcore._sync.thread_lock import Lock
from hubcore.event import Event

__all__ = ["EndLock"]


class EndLock:
    """A lock that is free as soon as it is released: its waiters wake up and then compete for it.

    threading releases it and then asserts that it is not locked. A lock that is handed over to a waiter would be.
    """

    __slots__ = ("__weakref__", "_free", "_lock")

    def __init__(self) -> None:
        self._lock = Lock()
        self._free = Event()
        self._free.set()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As a lock's. The `timeout` starts anew each time another caller takes the lock first. Switches."""
        while not self._lock.acquire(False):
            if not blocking or not self._free.wait(None if timeout < 0 else timeout):
                return False
        self._free.clear()
        return True

    def release(self) -> None:
        """As a lock's."""
        self._lock.release()
        self._free.set()

    def locked(self) -> bool:
        """As a lock's."""
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._lock._at_fork_reinit()
        self._free._at_fork_reinit()
        self._free.set()
