"""Semaphores and the re-entrant lock.

All belong to no hub: greenlets of any threads, and threads without a hub, may share one. Who waits is served first
come, first served: a release hands the lock to the first who waits, so nobody who comes later can overtake. Releasing
never switches and may be done in a finalizer.
"""

from __future__ import annotations

import cython

from hubcore._awaitable import Waitable

if not cython.compiled:
    from hubcore._awaitable import park
    from hubcore._uncompiled import atomic, getcurrent, import_greenlet, process_ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from greenlet import greenlet

    from hubcore._park import WaitEntry, Waiter

import_greenlet()

_ONLY_LOOKS = object()  # waits until the semaphore could be acquired, without acquiring it


class Semaphore(Waitable):
    """A counter of permits, `value` at first: `acquire` takes one, and waits where there is none; `release` gives one.

    One of value 1 is a lock, and knows its owner for reports: who acquired it last.
    """

    __slots__ = ("_counter", "_exclusive", "_owner")

    def __init__(self, value: int = 1, hub: object = None) -> None:
        self._set_up()
        self._counter = 1 if value is None else _checked(value)
        self._exclusive = self._counter == 1
        self._owner: greenlet | None = None

    @property
    def counter(self) -> int:
        """How many permits there are. Raised, it serves those who wait. Any thread may `grow` it."""
        return self._counter

    @counter.setter
    def counter(self, value: int) -> None:
        self._counter = value
        self._serve_waiters()
        if self._counter > 0:
            self._notify_links()

    @property
    def owner(self) -> greenlet | None:
        """The greenlet that acquired it, of a semaphore that is a lock; of a thread without a hub, its main one."""
        return self._owner

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit; whether that came within `timeout` seconds.

        Switches if there is none, unless not `blocking`.
        """
        if self._take():
            return True
        if not blocking:
            return False
        waiter = self._queue_up(None)
        return waiter is None or park(waiter, timeout)

    def grow(self, more: int) -> None:
        """Have `more` permits, or fewer where that is negative, also fewer than none. Never switches; any thread."""
        self._change(more)
        if self._counter > 0:
            self._notify_links()

    def _change(self, more: int) -> None:
        self._counter += more
        self._serve_waiters()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until a permit could be taken, without taking it, `timeout` seconds at most; how many there are then."""
        if self._counter <= 0:
            waiter = self._queue_up(_ONLY_LOOKS)
            if waiter is not None:
                park(waiter, timeout)
        return self._counter

    def _take(self) -> bool:
        if self._counter <= 0:
            return False
        self._counter -= 1
        if self._exclusive:
            self._owner = getcurrent()
        return True

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Waiter | None:
        if self._counter > 0 if entry.item is not None else self._take():
            return None
        self._waiters.add(entry, waiter)
        return waiter

    def release(self) -> int:
        """Give a permit: to the first who waits, if anybody does. Returns how many there are now. Never switches."""
        self._give()
        if self._links is not None and self._counter > 0:
            self._notify_links()
        return self._counter

    def _give(self) -> None:
        self._owner = None
        self._counter += 1
        if self._waiters.count:
            self._serve_waiters()

    def _serve_waiters(self) -> None:
        waiters = self._waiters
        while self._counter > 0 and waiters._first is not None:
            entry = waiters._first
            if entry.item is not None:
                waiters.wake(entry, True)
                continue
            # Taken before it is handed over: waking may run other code, which must not hand over the same permit.
            self._counter -= 1
            if self._exclusive:
                waiter: Any = entry.waiter
                self._owner = waiter.greenlet
            if not waiters.wake(entry, True):
                self._owner = None
                self._counter += 1

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """As Source._hand_back."""
        if entry.item is None:
            Semaphore.release(self)  # not what a subclass does there for those who release

    def ready(self) -> bool:
        """Whether there is a permit."""
        return self._counter > 0

    def locked(self) -> bool:
        """Whether there is none, so that `acquire` would wait."""
        return self._counter <= 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        """For the standard library's locks: in a forked child, be as a new lock."""
        self._set_up()
        self._counter = 1
        self._owner = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} counter={self._counter}, {self._waiters.count} waiting>"


class BoundedSemaphore(Semaphore):
    """A Semaphore that cannot be released more often than it was acquired: ValueError."""

    __slots__ = ("_initial_value",)

    def __init__(self, value: int = 1, hub: object = None) -> None:
        Semaphore.__init__(self, value)
        self._initial_value = self._counter

    def release(self) -> int:
        """As Semaphore.release; ValueError if every permit is back already."""
        if self._counter >= self._initial_value:
            raise ValueError(
                f"{self!r} was released once more than it was acquired; it has all of its {self._initial_value} permits"
            )
        return Semaphore.release(self)


class DummySemaphore:
    """Has any number of permits: for code that wants a lock where none is needed."""

    def __init__(self, value: int | None = None) -> None:
        pass

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> Literal[True]:
        """True, at once."""
        return True

    def release(self) -> None:
        """Nothing to do."""

    def locked(self) -> bool:
        """False."""
        return False

    def ready(self) -> bool:
        """True."""
        return True

    def wait(self, timeout: float | None = None) -> int:
        """1, at once."""
        return 1

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Nothing to do: nobody ever has to wait for it."""

    def unlink(self, callback: object) -> None:
        """Nothing to do."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *failure: object) -> None:
        pass


class RLock(Waitable):
    """A lock that its owner, a greenlet or a thread without a hub, may acquire again, to release it as often."""

    __slots__ = ("_count", "_owner")

    def __init__(self, hub: object = None) -> None:
        self._set_up()
        self._owner: greenlet | None = None
        self._count = 0

    @property
    def owner(self) -> greenlet | None:
        """The greenlet that has it; of a thread without a hub, its main one."""
        return self._owner

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take the lock, also once more; whether that came within `timeout` seconds.

        Switches if another has it, unless not `blocking`.
        """
        if self._take():
            return True
        if not blocking:
            return False
        waiter = self._queue_up(1)
        return waiter is None or park(waiter, timeout)

    def _take(self) -> bool:
        current = getcurrent()
        if self._owner is current:
            self._count += 1
            return True
        if self._owner is None:
            self._owner = current
            self._count = 1
            return True
        return False

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Waiter | None:
        if self._owner is None:
            count: Any = entry.item
            self._owner = waiter.greenlet
            self._count = count
            return None
        self._waiters.add(entry, waiter)
        return waiter

    def release(self) -> None:
        """Undo one `acquire`; the last one hands the lock to the first who waits. Never switches.

        RuntimeError unless the caller has it.
        """
        current = getcurrent()
        if self._owner is not current:
            raise RuntimeError(f"cannot release {self!r}: {current!r} does not have it")
        self._count -= 1
        if self._count == 0:
            self._let_go()

    def _let_go(self) -> None:
        self._serve_waiters()
        if self._links is not None and self._owner is None:
            self._notify_links()

    def _serve_waiters(self) -> None:
        waiters = self._waiters
        while waiters._first is not None:
            entry = waiters._first
            waiter: Any = entry.waiter
            count: Any = entry.item
            self._owner = waiter.greenlet
            self._count = count
            if waiters.wake(entry, True):
                return
        self._owner = None
        self._count = 0

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """As Source._hand_back."""
        self._let_go()

    def ready(self) -> bool:
        """Whether nobody has it."""
        return self._owner is None

    def locked(self) -> bool:
        """Whether somebody has it."""
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    # What Condition needs, under the names that the standard library's one calls.

    def _is_owned(self) -> bool:
        """Whether the caller has it."""
        # In the finalizers of a process that ends greenlet works no more, and nobody else runs: it is the caller's.
        return process_ends() or self._owner is getcurrent()

    def _recursion_count(self) -> int:
        """How often the caller has acquired it."""
        return self._count if not process_ends() and self._owner is getcurrent() else 0

    def _release_save(self) -> tuple[int, object]:
        """Let go of it altogether; what `_acquire_restore` then takes."""
        if process_ends():
            return (1, None)
        current = getcurrent()
        if self._owner is not current:
            raise RuntimeError(f"cannot release {self!r}: {current!r} does not have it")
        state = (self._count, current)
        self._let_go()
        return state

    def _acquire_restore(self, state: tuple[int, object]) -> None:
        """Have it again as often as before. Switches if another has it."""
        waiter = None if process_ends() else self._queue_up(state[0])
        if waiter is not None:
            park(waiter, None)

    def _at_fork_reinit(self) -> None:
        """For the standard library's locks: in a forked child, be as new."""
        self._set_up()
        self._owner = None
        self._count = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} count={self._count}, {self._waiters.count} waiting>"


def room_for(number: int) -> Semaphore:
    """A Semaphore of so many permits that is no lock, and has no owner, also where that is 1.

    For room that is taken by one and given back by another, of whom no report may say that it has to.
    """
    new = Semaphore(number)
    new._exclusive = False
    return new


def _checked(permits: int) -> int:
    if not hasattr(permits, "__index__"):
        raise TypeError(f"a semaphore has a whole number of permits, not {permits!r}")
    if permits < 0:
        raise ValueError(f"a semaphore starts with 0 permits or more, not {permits!r}")
    return permits


if not cython.compiled:
    # `owner` is one, because a lock has its next owner a moment before that one's wait ends: see _deadlocks.
    atomic(Semaphore, "_take", "_join", "_change", "_give", "_serve_waiters", "owner")
    atomic(RLock, "_take", "_join", "_serve_waiters", "owner")
