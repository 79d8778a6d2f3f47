"""Lock and RLock as the standard library's `_thread` has them, and the ident that tells greenlets apart.

What they accept, return and raise is the standard library's. They belong to no hub: greenlets of any threads and
threads without a hub may share one, and a thread that only touches one gets no hub.

A hub's own greenlet, in which callbacks run, cannot wait. It is made to, as a whole thread, where the lock is in the
hands of another thread, which will let go of it; where it is in those of a greenlet of the same thread it never would
be let go, and BlockingSwitchOutError says so.
"""

from __future__ import annotations

from _thread import allocate_lock

import cython

from hubcore._locks import RLock as _RLock
from hubcore._locks import Semaphore
from hubcore._rawgreenlet import RawGreenlet

if not cython.compiled:
    from hubcore._awaitable import park
    from hubcore._native import park_thread, thread_waiter
    from hubcore._park import new_entry
    from hubcore._uncompiled import get_ident as native_ident
    from hubcore._uncompiled import getcurrent, import_greenlet, process_ends
    from hubcore.hub import hub_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

    from hubcore._awaitable import Waitable

import_greenlet()

_NO_LIMIT = -1  # what the standard library's locks take for no limit of time


class Lock(Semaphore):
    """A lock that whoever likes may release, as `_thread.lock`: it has no owner, though it knows who acquired it.

    It has no subclasses, as that has none.
    """

    __slots__ = ()

    def __init__(self) -> None:
        self._set_up()
        self._counter = 1
        self._exclusive = True
        self._owner = None

    @property
    def owner(self) -> None:
        """None: nothing is said about who can release it, for anybody can."""
        return None

    def acquire(self, blocking: bool = True, timeout: float = _NO_LIMIT) -> bool:  # type: ignore[override]
        """Take the lock; whether that came within `timeout` seconds, of which -1 are no limit.

        Switches if another has it, unless not `blocking`. ValueError for a `timeout` that is negative, or not
        `blocking`; OverflowError for one above TIMEOUT_MAX.
        """
        limit = None if timeout is _NO_LIMIT else _checked(blocking, timeout)
        try:
            if self._take():
                return True
        except RuntimeError:
            return True  # the process ends: greenlet works no more, and nobody else runs
        return bool(blocking) and _wait(self, self._owner, limit)

    def release(self) -> None:  # type: ignore[override]
        """Let go of the lock: it goes to the first who waits. Never switches. RuntimeError if nobody has it."""
        if self._counter > 0:
            raise RuntimeError("release unlocked lock")
        self._give()
        if self._links is not None and self._counter > 0:
            self._notify_links()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    def acquire_lock(self, blocking: bool = True, timeout: float = _NO_LIMIT) -> bool:
        """The same as `acquire`."""
        return self.acquire(blocking, timeout)

    def release_lock(self) -> None:
        """The same as `release`."""
        self.release()

    def locked_lock(self) -> bool:
        """The same as `locked`."""
        return self._counter <= 0

    def __repr__(self) -> str:
        state = "unlocked" if self._counter > 0 else "locked"
        return f"<{state} {type(self).__module__}.{type(self).__qualname__} object at {id(self):#x}>"


class RLock(_RLock):
    """A lock that its owner, a greenlet or a thread without a hub, may acquire again, as `_thread.RLock`."""

    __slots__ = ()

    def __init__(self, *args: object, **kwargs: object) -> None:
        # Arguments are ignored, as by `_thread.RLock`; threading.RLock warns of them.
        self._set_up()
        self._owner = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = _NO_LIMIT) -> bool:  # type: ignore[override]
        """As `Lock.acquire`, also once more."""
        limit = None if timeout is _NO_LIMIT else _checked(blocking, timeout)
        try:
            if self._take():
                return True
        except RuntimeError:
            return True  # the process ends: greenlet works no more, and nobody else runs
        return bool(blocking) and _wait(self, self._owner, limit)

    def release(self) -> None:
        """Undo one `acquire`; the last one hands the lock on. Never switches. RuntimeError if it is not one's own."""
        try:
            current = getcurrent()
        except RuntimeError:
            return  # as in `acquire`
        if self._owner is not current:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if self._count == 0:
            self._let_go()

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


def get_ident(greenlet: greenlet | None = None) -> int:
    """The ident of `greenlet`, by default the current one: a number that no other one has while this one lives.

    The main greenlet of a thread has the thread's.
    """
    try:
        current = getcurrent() if greenlet is None else greenlet
    except RuntimeError:
        return native_ident()  # as in `Lock.acquire`
    if isinstance(current, RawGreenlet):
        return id(current)
    if greenlet is None:
        return id(current) if current.parent is not None else native_ident()
    return ident_of(greenlet)


def ident_of(greenlet: greenlet) -> int:
    """As `get_ident`; also of another thread's main greenlet, if that thread has a hub."""
    if greenlet.parent is not None or greenlet.dead:
        return id(greenlet)
    if greenlet is getcurrent():
        return native_ident()
    from hubcore._registry import hubs

    for hub in tuple(hubs):
        if hub.main is greenlet:
            return hub.thread_ident
    main = _main_of(getcurrent())
    return native_ident() if main is greenlet else id(greenlet)


def _main_of(greenlet: greenlet) -> greenlet:
    """The main greenlet of the thread that `greenlet` belongs to."""
    while greenlet.parent is not None:
        greenlet = greenlet.parent
    return greenlet


def _checked(blocking: object, timeout: object) -> float | None:
    """The limit that `timeout` stands for; or raise what the standard library's lock has to say against it."""
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
