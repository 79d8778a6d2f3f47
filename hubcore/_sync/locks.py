"""Semaphores and the re-entrant lock.

They belong to no hub: greenlets of any threads, and threads without a hub, may share one. Waiters are served first
come, first served: a release hands the lock over to the first waiter, so no later caller can overtake it. Releasing
never switches; a finalizer may do it.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._base.hints import Any, Callable, Literal
from hubcore._sync.waitable import Waitable

if not cython.compiled:
    from hubcore._capi.fallback import atomic, getcurrent, import_greenlet, process_ends, publish
    from hubcore._sync.steps import count_try_if_patched
    from hubcore._sync.waitable import park

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

    from hubcore._core.waiter import WaitEntry, Waiter

import_greenlet()

_ONLY_LOOKS = object()  # of a waiter that waits until a permit is free, but does not take it


class Semaphore(Waitable):
    """A counter of permits, initially `value`. `acquire` takes a permit or waits for one; `release` adds one.

    A semaphore of value 1 is a lock. It records its owner, the greenlet that acquired it last, for reports.
    """

    __slots__ = ("_counter", "_exclusive", "_owner")

    def __init__(self, value: int = 1, hub: object = None) -> None:
        self._set_up()
        self._counter = 1 if value is None else _checked(value)
        self._exclusive = self._counter == 1
        self._owner: greenlet | None = None

    @property
    def counter(self) -> int:
        """The number of permits. Raising it serves waiters. To change it from any thread, use `grow`."""
        return self._counter

    @counter.setter
    def counter(self, value: int) -> None:
        self._counter = value
        self._serve_waiters()
        if self._counter > 0:
            self._notify_links()

    @property
    def owner(self) -> greenlet | None:
        """The greenlet that acquired a semaphore that is a lock; for a thread without a hub, its main greenlet."""
        return self._owner

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit, wait for it at most `timeout` seconds, and return whether it was taken.

        Switches if there is no permit, unless `blocking` is false.
        """
        if self._take():
            return True
        if not blocking:
            count_try_if_patched()
            return False
        waiter = self._queue_up(None)
        return waiter is None or park(waiter, timeout)

    def grow(self, more: int) -> None:
        """Add `more` permits. A negative number removes permits; the counter may become negative.

        Never switches; any thread.
        """
        self._change(more)
        if self._counter > 0:
            self._notify_links()

    def _change(self, more: int) -> None:
        self._counter += more
        self._serve_waiters()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until a permit is free, at most `timeout` seconds, without taking it. Return the number of permits.

        Switches unless a permit is free.
        """
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
        """Add a permit, or hand it over to the first waiter. Return the number of permits.

        Never switches; any thread, also a finalizer.
        """
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
            # Take the permit before handing it over: waking may run other code, which must not hand over the same one.
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
            Semaphore.release(self)  # not a subclass's `release`, which may do more for its callers

    def ready(self) -> bool:
        """Return whether there is a permit."""
        return self._counter > 0

    def locked(self) -> bool:
        """Return whether there is no permit, so that `acquire` would wait."""
        return self._counter <= 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        """Become a new lock, in a forked child, as the standard library's locks do."""
        self._set_up()
        self._counter = 1
        self._owner = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} counter={self._counter}, {self._waiters.count} waiting>"


class BoundedSemaphore(Semaphore):
    """A Semaphore that cannot be released more often than it was acquired (ValueError)."""

    __slots__ = ("_initial_value",)

    def __init__(self, value: int = 1, hub: object = None) -> None:
        Semaphore.__init__(self, value)
        self._initial_value = self._counter

    def release(self) -> int:
        """As Semaphore.release; ValueError if all permits are back already."""
        if self._counter >= self._initial_value:
            raise ValueError(
                f"{self!r} was released more often than acquired; it already has all {self._initial_value} permits"
            )
        return Semaphore.release(self)


class DummySemaphore:
    """A semaphore with an unlimited number of permits, for code that takes a lock but needs none."""

    def __init__(self, value: int | None = None) -> None:
        pass

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> Literal[True]:
        """Return True at once."""
        return True

    def release(self) -> None:
        """Do nothing."""

    def locked(self) -> bool:
        """Return False."""
        return False

    def ready(self) -> bool:
        """Return True."""
        return True

    def wait(self, timeout: float | None = None) -> int:
        """Return 1 at once."""
        return 1

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Do nothing: no caller ever has to wait for it."""

    def unlink(self, callback: object) -> None:
        """Do nothing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *failure: object) -> None:
        pass


class RLock(Waitable):
    """A lock that its owner may acquire again, and must release as often. The owner is a greenlet, or a thread that
    has no hub.
    """

    __slots__ = ("_count", "_owner")

    def __init__(self, hub: object = None) -> None:
        self._set_up()
        self._owner: greenlet | None = None
        self._count = 0

    @property
    def owner(self) -> greenlet | None:
        """The greenlet that owns the lock; for a thread without a hub, its main greenlet."""
        return self._owner

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take the lock, also again, wait for it at most `timeout` seconds, and return whether it was taken.

        Switches if another greenlet or thread owns it, unless `blocking` is false.
        """
        if self._take():
            return True
        if not blocking:
            count_try_if_patched()
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
        """Undo one `acquire`. The last release hands the lock over to the first waiter. Never switches.

        RuntimeError if the caller does not own it.
        """
        current = getcurrent()
        if self._owner is not current:
            raise RuntimeError(f"cannot release {self!r}: {current!r} does not own it")
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
        """Return whether it has no owner."""
        return self._owner is None

    def locked(self) -> bool:
        """Return whether it has an owner."""
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    # Hooks for Condition, under the names that the standard library's Condition calls.

    def _is_owned(self) -> bool:
        """Return whether the caller owns it."""
        # In finalizers at the end of the process greenlet no longer works, and no other code runs: the caller owns it.
        return process_ends() or self._owner is getcurrent()

    def _recursion_count(self) -> int:
        """Return how often the caller has acquired it."""
        return self._count if not process_ends() and self._owner is getcurrent() else 0

    def _release_save(self) -> tuple[int, object]:
        """Release it completely; return the state that `_acquire_restore` takes."""
        if process_ends():
            return (1, None)
        current = getcurrent()
        if self._owner is not current:
            raise RuntimeError(f"cannot release {self!r}: {current!r} does not own it")
        state = (self._count, current)
        self._let_go()
        return state

    def _acquire_restore(self, state: tuple[int, object]) -> None:
        """Acquire it again, as often as before. Switches if it has another owner."""
        waiter = None if process_ends() else self._queue_up(state[0])
        if waiter is not None:
            park(waiter, None)

    def _at_fork_reinit(self) -> None:
        """Become a new lock, in a forked child, as the standard library's locks do."""
        self._set_up()
        self._owner = None
        self._count = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} count={self._count}, {self._waiters.count} waiting>"


def room_for(number: int) -> Semaphore:
    """Return a Semaphore of `number` permits that is never a lock and has no owner, even if `number` is 1.

    For room that one greenlet takes and another gives back: a report must not name the taker as an owner.
    """
    new = Semaphore(number)
    new._exclusive = False
    return new


def _checked(permits: int) -> int:
    if not hasattr(permits, "__index__"):
        raise TypeError(f"a semaphore's value must be an integer, not {permits!r}")
    if permits < 0:
        raise ValueError(f"a semaphore's value must be >= 0, not {permits!r}")
    return permits


publish("hubcore.lock", Semaphore)
publish("hubcore.lock", BoundedSemaphore)
publish("hubcore.lock", DummySemaphore)
publish("hubcore.lock", RLock)

if not cython.compiled:
    # `owner` is atomic, because a lock gets its next owner a moment before that owner's wait ends: see _deadlocks.
    atomic(Semaphore, "_take", "_join", "_change", "_give", "_serve_waiters", "owner")
    atomic(RLock, "_take", "_join", "_serve_waiters", "owner")
