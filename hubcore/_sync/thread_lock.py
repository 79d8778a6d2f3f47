"""Lock and RLock as in the standard library's `_thread`, and the ident that distinguishes greenlets.

Their arguments, results and exceptions are the standard library's. They belong to no hub: greenlets of any threads and
threads without a hub may share one, and a thread gets no hub by using one.

A hub's own greenlet, in which callbacks run, cannot park. If another thread owns the lock, and so will release it, the
hub's whole thread blocks until then. If a greenlet of the same thread owns it, that greenlet could never run to release
it, so BlockingSwitchOutError is raised.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock

from hubcore._base import uncompiled as cython
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._sync.locks import RLock as _RLock
from hubcore._sync.locks import Semaphore

if not cython.compiled:
    from hubcore._capi.fallback import get_ident as native_ident
    from hubcore._capi.fallback import getcurrent, import_greenlet, process_ends, publish
    from hubcore._core.thread_wait import park_thread, thread_waiter
    from hubcore._core.waiter import new_entry
    from hubcore._sync.steps import count_step, count_try
    from hubcore._sync.waitable import park
    from hubcore.hub import hub_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

    from hubcore._sync.waitable import Waitable

import_greenlet()

_NO_ARGUMENTS = sys.version_info >= (3, 15)
_NO_LIMIT = -1  # the standard library's value for no timeout


class Lock(Semaphore):
    """A lock that any greenlet or thread may release, as `_thread.lock`. So it has no owner; it knows its last taker.

    Like `_thread.lock`, it cannot be subclassed.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self._set_up()
        self._counter = 1
        self._exclusive = True
        self._owner = None

    @property
    def owner(self) -> None:
        """None: any greenlet or thread can release it, so reports name no owner."""
        return None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # type: ignore[override]
        """Take the lock, wait for it at most `timeout` seconds (-1: no limit), and return whether it was taken.

        Switches if it is taken, unless `blocking` is false. Lets others run now and then in a loop that never waits,
        see `_sync.steps`. ValueError if `timeout` is another negative number, or is given with a false `blocking`;
        OverflowError if it is above TIMEOUT_MAX.
        """
        limit = None if timeout is _NO_LIMIT else _checked(blocking, timeout)
        wait = bool(blocking)
        if wait:
            count_step()
        else:
            count_try()
        try:
            if self._take():
                return True
        except RuntimeError:
            return True  # at the end of the process greenlet no longer works, and no other code runs
        return wait and _wait(self, self._owner, limit)

    def release(self) -> None:  # type: ignore[override]
        """Release the lock, or hand it over to the first waiter. Never switches. RuntimeError if it is not locked."""
        if self._counter > 0:
            raise RuntimeError("release unlocked lock")
        self._give()
        if self._links is not None and self._counter > 0:
            self._notify_links()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    def acquire_lock(self, blocking: bool = True, timeout: float = -1) -> bool:
        """The same as `acquire`."""
        return self.acquire(blocking, timeout)

    def release_lock(self) -> None:
        """The same as `release`."""
        self.release()

    def locked(self) -> bool:
        """Return whether it is taken."""
        count_step()
        return self._counter <= 0

    def locked_lock(self) -> bool:
        """The same as `locked`."""
        return self.locked()

    def _is_owned(self) -> bool:
        """Return whether it is taken: for a Condition, which would else try to take it."""
        return self._counter <= 0

    def __repr__(self) -> str:
        state = "unlocked" if self._counter > 0 else "locked"
        return f"<{state} {type(self).__module__}.{type(self).__qualname__} object at {id(self):#x}>"


class RLock(_RLock):
    """A lock that its owner, a greenlet or a thread without a hub, may acquire again, as `_thread.RLock`."""

    __slots__ = ()

    def __init__(self, *args: object, **kwargs: object) -> None:
        # `_thread.RLock` ignores arguments until CPython 3.14, and threading.RLock warns of them.
        if (args or kwargs) and _NO_ARGUMENTS:
            raise TypeError(f"RLock() takes no {'positional' if args else 'keyword'} arguments")
        self._set_up()
        self._owner = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # type: ignore[override]
        """As `Lock.acquire`; the owner may acquire it again."""
        limit = None if timeout is _NO_LIMIT else _checked(blocking, timeout)
        wait = bool(blocking)
        if wait:
            count_step()
        else:
            count_try()
        try:
            if self._take():
                return True
        except RuntimeError:
            return True  # at the end of the process greenlet no longer works, and no other code runs
        return wait and _wait(self, self._owner, limit)

    def release(self) -> None:
        """Undo one `acquire`; the last one hands the lock over. Never switches.

        RuntimeError if the caller does not own it.
        """
        try:
            current = getcurrent()
        except RuntimeError:
            return  # as in `acquire`
        if self._owner is not current:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if self._count == 0:
            self._let_go()

    def locked(self) -> bool:
        """Return whether it has an owner."""
        count_step()
        return self._owner is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    def _release_save(self) -> tuple[int, object]:
        if not process_ends() and self._owner is not getcurrent():
            raise RuntimeError("cannot release un-acquired lock")
        return _RLock._release_save(self)

    def __repr__(self) -> str:
        owner = self._owner
        state = "unlocked" if owner is None else "locked"
        ident = 0 if owner is None else ident_of(owner)
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return f"<{state} {name} object owner={ident} count={self._count} at {id(self):#x}>"


def get_ident(gr: greenlet | None = None) -> int:
    """Return the ident of `gr`, by default the current one: a number that is unique while the greenlet lives.

    The main greenlet of a thread has the thread's ident.
    """
    try:
        current = getcurrent() if gr is None else gr
    except RuntimeError:
        return native_ident()  # as in `Lock.acquire`
    if isinstance(current, RawGreenlet):
        return id(current)
    if gr is None:
        return id(current) if current.parent is not None else native_ident()
    return ident_of(gr)


def ident_of(greenlet: greenlet) -> int:
    """As `get_ident`; also for the main greenlet of another thread, if that thread has a hub."""
    if greenlet.parent is not None or greenlet.dead:
        return id(greenlet)
    if greenlet is getcurrent():
        return native_ident()
    from hubcore._core.registry import hubs

    for hub in tuple(hubs):
        if hub.main is greenlet:
            return hub.thread_ident
    main = _main_of(getcurrent())
    return native_ident() if main is greenlet else id(greenlet)


def _main_of(greenlet: greenlet) -> greenlet:
    """Return the main greenlet of the thread that `greenlet` belongs to."""
    while greenlet.parent is not None:
        greenlet = greenlet.parent
    return greenlet


def _checked(blocking: object, timeout: object) -> float | None:
    """Return the limit that `timeout` stands for, or raise the error of the standard library's lock."""
    allocate_lock().acquire(blocking, timeout)  # type: ignore[arg-type]
    return None if timeout == _NO_LIMIT else timeout  # type: ignore[return-value]


def _wait(lock: Waitable, owner: greenlet | None, limit: float | None) -> bool:
    item = 1 if isinstance(lock, _RLock) else None
    entry = new_entry(lock, item, "")
    hub = hub_here()
    if (
        hub is not None
        and not process_ends()
        and hub is getcurrent()
        and owner is not None
        and _main_of(owner) is not _main_of(hub)
    ):
        waiter = lock._join(entry, thread_waiter(entry))
        return waiter is None or park_thread(waiter, limit)
    found = lock._queue_up(item)
    return found is None or park(found, limit)


publish("hubcore.thread", Lock)
publish("hubcore.thread", RLock)
