"""The standard library's select module, made cooperative: `select`, `poll` objects and real epoll (or kqueue) objects.

Arguments, results and errors are the standard library's. Every other name, constants included, is the standard
library's own.
"""

from __future__ import annotations

import select as _stdlib
from operator import index
from select import error

from hubcore._base.hints import Any
from hubcore._base.originals import original
from hubcore._base.package import publish_all
from hubcore._io import kernel_queue as _kernel_queue
from hubcore._io import read_ahead as _read_ahead
from hubcore._io.native_poll import native_poll
from hubcore._io.wait_any_fd import let_others_run, seconds_of, spend, wait_for_any

# The original: after patching, the module's own name is hubcore's.
_native_select: Any = original("select", "select")

if hasattr(_stdlib, "epoll"):
    epoll = _kernel_queue.epoll
if hasattr(_stdlib, "kqueue"):
    kqueue = _kernel_queue.kqueue


def select(rlist: Any, wlist: Any, xlist: Any, timeout: float | None = None) -> tuple[list[Any], list[Any], list[Any]]:
    """Like select.select: return the items that are readable, that are writable, that have an exceptional condition.

    Waits until at least one is ready, for at most `timeout` seconds. Switches, unless one is ready at once. If a
    cooperative socket or file among them is closed meanwhile, the wait ends with OSError (EBADF).
    """
    seconds = seconds_of(timeout, 1.0, _judge_of_select)
    if seconds < 0.0 and timeout is not None:
        _judge_of_select(timeout)
    # Lists are used without a copy, because a fileno() may change one; an iterator yields its items only once.
    lists = (_items(rlist), _items(wlist), _items(xlist))
    spend()
    found = _look(lists)
    if _read_ahead.sockets:
        numbers = [*map(_fd, lists[0])]
        if ahead := _read_ahead.readable(numbers):
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
    """A select.poll object, made cooperative.

    An fd that is registered during a `poll` call counts from the next call. Only one greenlet may poll at a time: a
    second gets RuntimeError.
    """

    __slots__ = ("__weakref__", "_events", "_poll", "_polling")

    def __new__(cls) -> poll:
        # In the standard library `poll` is a function, and the type of the object it returns cannot be called.
        return super().__new__(_PollObject if cls is poll else cls)

    def __init__(self) -> None:
        self._poll = native_poll()
        self._events: dict[int, int] = {}
        self._polling = False

    def register(self, fd: Any, eventmask: int = _stdlib.POLLIN | _stdlib.POLLPRI | _stdlib.POLLOUT) -> None:
        """Like poll.register: report these events of `fd`, a number or an object with a fileno() method."""
        fd = _fd(fd)
        self._poll.register(fd, eventmask)
        self._events[fd] = index(eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Like poll.modify; OSError (ENOENT) if `fd` is not registered."""
        fd = _fd(fd)
        self._poll.modify(fd, eventmask)
        self._events[fd] = index(eventmask)

    def unregister(self, fd: Any) -> None:
        """Like poll.unregister; KeyError if `fd` is not registered."""
        fd = _fd(fd)
        self._poll.unregister(fd)
        del self._events[fd]

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """Like poll.poll: return pairs of fd and events; wait at most `timeout` milliseconds for one. May switch."""
        seconds = seconds_of(timeout, 0.001, _judge_of_poll)
        if self._polling:
            raise RuntimeError("concurrent poll() invocation")
        self._polling = True
        try:
            spend()
            found = self._poll.poll(0)
            if found := _read_ahead.added(found, self._events, _stdlib.POLLIN):
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
    """Return the items whose fd is among the ready ones."""
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
        return given  # the C code raises the right error for it


def _fd(item: Any) -> Any:
    """Return the fd of `item`, or `item` itself if it has none: the C code raises the right error for it."""
    if isinstance(item, int):
        return item
    fileno = getattr(item, "fileno", None)
    number = fileno() if callable(fileno) else None
    return number if isinstance(number, int) else item


class _Accepted(Exception):
    """The C code reached the first item, so it accepted the timeout."""


class _Item:
    def fileno(self) -> int:
        raise _Accepted


def _judge_of_select(timeout: Any) -> None:
    """Raise the error that select raises for `timeout`, if it refuses it, without a wait."""
    try:
        _native_select([_Item()], [], [], timeout)
    except _Accepted:
        pass


def _judge_of_poll(timeout: Any) -> None:
    """Raise the error that a poll object raises for `timeout`, if it refuses it, without a wait."""
    ready_at_once = native_poll()
    ready_at_once.register(_NEVER_OPEN)
    ready_at_once.poll(timeout)


_NEVER_OPEN = 0x7FFFFFFF  # poll(2) returns at once for an fd that is not open


def __getattr__(name: str) -> Any:
    # Looked up, not copied: every name of the running Python version is found, also one that is set later.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: The names that `hubcore.monkey` replaces in the standard library's module.
__implements__: list[str] = ["select", "poll", *(name for name in ("epoll", "kqueue") if hasattr(_stdlib, name))]
__all__ = ["error", "poll", "select"]
__all__ += [name for name in dir(_stdlib) if not name.startswith("_") and name not in __all__]


publish_all(globals())
