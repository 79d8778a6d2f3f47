"""The standard library's select module, cooperatively: `select`, `poll` objects and real epoll (or kqueue) objects.

What they accept, return and raise is the standard library's. Everything that is not here, the constants among it, is
the standard library's own.
"""

from __future__ import annotations

import select as _stdlib
from operator import index
from select import error

from hubcore import _kernelqueue, _readahead
from hubcore._anyfd import let_others_run, seconds_of, spend, wait_for_any
from hubcore._nativepoll import native_poll
from hubcore._originals import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Not by the module: there, these may be ours.
_native_select: Any = original("select", "select")

if hasattr(_stdlib, "epoll"):
    epoll = _kernelqueue.epoll
if hasattr(_stdlib, "kqueue"):
    kqueue = _kernelqueue.kqueue


def select(rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None) -> tuple[list[Any], list[Any], list[Any]]:
    """As select.select: those of the three lists that can be read, can be written, have an exceptional condition.

    Waits for the first, `timeout` seconds at most. Switches, unless something is ready at once. That one of them is
    closed meanwhile by a cooperative socket or file ends the wait with OSError (EBADF).
    """
    seconds = seconds_of(timeout, 1.0, _judge_of_select)
    if seconds < 0.0 and timeout is not None:
        _judge_of_select(timeout)
    # The lists themselves: a fileno() may change one, and an iterator gives its items only once.
    lists = (_items(rlist), _items(wlist), _items(xlist))
    spend()
    found = _look(lists)
    if _readahead.sockets:
        numbers = [*map(_fd, lists[0])]
        if ahead := _readahead.readable(numbers):
            ahead.update(map(_fd, found[0]))
            return [item for item, fd in zip(lists[0], numbers, strict=True) if fd in ahead], found[1], found[2]
    if found[0] or found[1] or found[2]:
        return found
    if seconds == 0.0:
        let_others_run()
        return _look(lists)
    fds: list[list[int]] = []
    wanted: dict[int, int] = {}
    for items, events in zip(lists, _EVENTS, strict=True):
        numbers = []
        for item in items:
            fd = _fd(item)
            numbers.append(fd)
            wanted[fd] = wanted.get(fd, 0) | events
        fds.append(numbers)

    def look() -> tuple[list[Any], ...] | None:
        ready = _look(fds)
        if ready[0] or ready[1] or ready[2]:
            return tuple(map(_items_of, lists, fds, ready))
        return None

    r, w, x = wait_for_any(look, wanted, seconds) or ([], [], [])
    return r, w, x


class poll:
    """A select.poll object, cooperatively.

    What is registered while somebody polls counts from the next call. One at a time: a second gets RuntimeError.
    """

    __slots__ = ("__weakref__", "_events", "_poll", "_polling")

    def __new__(cls) -> poll:
        # In the standard library `poll` is a function, and the type of what it returns cannot be called.
        return super().__new__(_PollObject if cls is poll else cls)

    def __init__(self) -> None:
        self._poll = native_poll()
        self._events: dict[int, int] = {}
        self._polling = False

    def register(self, fd: Any, eventmask: int = _stdlib.POLLIN | _stdlib.POLLPRI | _stdlib.POLLOUT) -> None:
        """As poll.register: report these events of `fd`, a number or something with a fileno()."""
        fd = _fd(fd)
        self._poll.register(fd, eventmask)
        self._events[fd] = index(eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """As poll.modify; OSError (ENOENT) if `fd` is not registered."""
        fd = _fd(fd)
        self._poll.modify(fd, eventmask)
        self._events[fd] = index(eventmask)

    def unregister(self, fd: Any) -> None:
        """As poll.unregister; KeyError if `fd` is not registered."""
        fd = _fd(fd)
        self._poll.unregister(fd)
        del self._events[fd]

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """As poll.poll: pairs of fd and events, waiting for the first `timeout` milliseconds at most. May switch."""
        seconds = seconds_of(timeout, 0.001, _judge_of_poll)
        if self._polling:
            raise RuntimeError("concurrent poll() invocation")
        self._polling = True
        try:
            spend()
            found = self._poll.poll(0)
            if found := _readahead.added(found, self._events, _stdlib.POLLIN):
                return found
            if seconds == 0.0:
                let_others_run()
                return self._poll.poll(0)
            return wait_for_any(lambda: self._poll.poll(0), dict(self._events), seconds)
        finally:
            self._polling = False


class _PollObject(poll):
    __slots__ = ()

    def __new__(cls) -> _PollObject:
        raise TypeError(f"cannot create '{cls.__module__}.{cls.__name__}' instances; call select.poll()")


_EVENTS = (_stdlib.POLLIN, _stdlib.POLLOUT, _stdlib.POLLPRI)


def _look(lists: Any) -> tuple[list[Any], list[Any], list[Any]]:
    found: tuple[list[Any], list[Any], list[Any]] = _native_select(lists[0], lists[1], lists[2], 0)
    return found


def _items_of(items: list[Any], fds: list[int], ready: list[int]) -> list[Any]:
    """Those of `items` whose fd is among the ready ones."""
    if len(ready) == len(fds):
        return list(items)
    those = set(ready)
    return [item for item, fd in zip(items, fds, strict=True) if fd in those]


def _items(given: Any) -> Any:
    if isinstance(given, (list, tuple)):
        return given
    try:
        return list(given)
    except TypeError:
        return given  # the C code has the right error for that


def _fd(item: Any) -> Any:
    """The number of `item`, or `item` itself if that cannot be told: the C code has the right error for that."""
    if isinstance(item, int):
        return item
    fileno = getattr(item, "fileno", None)
    number = fileno() if callable(fileno) else None
    return number if isinstance(number, int) else item


class _Accepted(Exception):
    """The C code came as far as the first item, so the timeout was right."""


class _Item:
    def fileno(self) -> int:
        raise _Accepted


def _judge_of_select(timeout: Any) -> None:
    """Raise what select has to say against `timeout`, if anything, without waiting for it."""
    try:
        _native_select([_Item()], [], [], timeout)
    except _Accepted:
        pass


def _judge_of_poll(timeout: Any) -> None:
    """Raise what a poll object has to say against `timeout`, if anything, without waiting for it."""
    ready_at_once = native_poll()
    ready_at_once.register(_NEVER_OPEN)
    ready_at_once.poll(timeout)


_NEVER_OPEN = 0x7FFFFFFF  # poll(2) tells of an fd that is not open at once


def __getattr__(name: str) -> Any:
    # Not copied, so that what the standard library has is there, whatever the version, and stays its own.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: What `hubcore.monkey` replaces in the standard library's module.
__implements__ = ["select", "poll", *(name for name in ("epoll", "kqueue") if hasattr(_stdlib, name))]
__all__ = ["error", "poll", "select"]
__all__ += [name for name in dir(_stdlib) if not name.startswith("_") and name not in __all__]
