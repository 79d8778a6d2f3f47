"""epoll and kqueue: the kernel's own objects, whose `poll` waits cooperatively.

Fact: such an object has an fd, which is readable when the object has events. Consequence: to wait is to wait for that
fd and then to take what there is, without waiting, again and again, for another thread or greenlet may have been
quicker. All the rest stays the kernel's: edge-triggered events, one-shots, exclusive wake-ups.
"""

from __future__ import annotations

import os
import select as _stdlib
import sys

from hubcore import _readahead
from hubcore._anyfd import let_others_run, seconds_of, spend
from hubcore._originals import close_fd, get_ident, original
from hubcore.hub import get_hub
from hubcore.watchers import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Self

    from hubcore.hub import Hub
    from hubcore.watchers import Io

# Not by the module alone: there, these may be ours.
_native_epoll: Any = original("select", "epoll") if hasattr(_stdlib, "epoll") else None
_native_kqueue: Any = original("select", "kqueue") if hasattr(_stdlib, "kqueue") else None


class KernelQueue:
    """What epoll and kqueue have in common. Any thread and any number of greenlets may wait at the same time.

    The class of the kernel's object cannot be subclassed; `isinstance(x, select.epoll)` of the standard library is true
    all the same.
    """

    __slots__ = ("__weakref__", "_ios", "_queue")

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._ios: set[Io] = set()  # left on between waits, so that the next one costs nothing

    def fileno(self) -> int:
        """The object's own fd; ValueError if it is closed."""
        fd: int = self._queue.fileno()
        return fd

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        closed: bool = self._queue.closed
        return closed

    def close(self) -> None:
        """Close it. Whoever waits gets the ValueError of a closed object. Closing twice is harmless."""
        for io in tuple(self._ios):
            self._ios.discard(io)
            loop = io.loop
            if loop.closed:
                continue  # with its hub, or it was the parent's before a fork
            if loop.thread_ident == get_ident():
                io.close()
            else:
                loop.run_callback_threadsafe(io.close)
        self._queue.close()

    def __del__(self, process_ends: Callable[[], bool] = sys.is_finalizing) -> None:
        # Dropped without close(): the loop must not go on watching an fd whose number will soon be another's.
        # At the end of the process no loop runs any more, and this module may have lost its names.
        if hasattr(self, "_queue") and not process_ends():
            self.close()

    def _take(self, take: Callable[[], list[Any]], seconds: float) -> list[Any]:
        """What `take()`, which does not wait, gives as soon as it gives anything, or after `seconds`. May switch."""
        if events := take():
            return events
        if seconds == 0.0:
            let_others_run()
            return take()
        hub = get_hub()
        end = hub.loop.update_now() + seconds
        left = None if seconds < 0.0 else seconds
        while True:
            self._wait(hub, left)
            events = take()
            if events:
                return events
            if left is not None:
                left = end - hub.loop.update_now()
                if left <= 0.0:
                    return events

    def _wait(self, hub: Hub, seconds: float | None) -> None:
        """Wait until the fd is readable or it is closed, `seconds` at most."""
        io = self._free_watcher(hub)
        waiter = hub.new_waiter(self)
        io.attach(waiter)
        try:
            hub.park(waiter, seconds)
        except OSError:
            if not self.closed:
                raise
        finally:
            io.detach(waiter)

    def _free_watcher(self, hub: Hub) -> Io:
        """A watcher of this hub's with which nobody waits."""
        for io in tuple(self._ios):
            if io.loop is hub.loop:
                if io.waiter is None:
                    return io
            elif io.loop.closed:
                self._ios.discard(io)
        new = hub.loop.io(self.fileno(), READ)
        self._ios.add(new)
        return new


class epoll(KernelQueue):
    """select.epoll, cooperatively."""

    __slots__ = ("_wanted",)

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._open(_native_epoll(sizehint, flags))

    def _open(self, queue: Any) -> None:
        KernelQueue.__init__(self, queue)
        self._wanted: dict[int, int] = {}  # the events of each fd that was registered here

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return _native_epoll

    @classmethod
    def fromfd(cls, fd: int, /) -> Self:
        """As select.epoll.fromfd: an object for an fd that is an epoll's already."""
        self = cls.__new__(cls)
        self._open(_native_epoll.fromfd(fd))
        return self

    def register(self, fd: Any, eventmask: int = _stdlib.POLLIN | _stdlib.POLLPRI | _stdlib.POLLOUT) -> None:
        """As select.epoll.register."""
        self._queue.register(fd, eventmask)
        self._wanted[_number(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int) -> None:
        """As select.epoll.modify."""
        self._queue.modify(fd, eventmask)
        self._wanted[_number(fd)] = eventmask

    def unregister(self, fd: Any) -> None:
        """As select.epoll.unregister."""
        self._wanted.pop(_number(fd), None)
        self._queue.unregister(fd)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """As select.epoll.poll: the events, `maxevents` at most, that came within `timeout` seconds. May switch."""
        queue = self._queue
        seconds = seconds_of(timeout, 1.0, _judge)
        spend()  # before something is taken, which a kill that comes now would lose
        if _readahead.sockets and _readahead.readable(self._wanted.keys()):
            found = _readahead.added(queue.poll(0, maxevents), self._wanted, _stdlib.EPOLLIN)
            if found:
                return found[: maxevents if maxevents > 0 else None]
        return self._take(lambda: queue.poll(0, maxevents), seconds)

    def __enter__(self) -> Self:
        self._queue.__enter__()  # its ValueError, if it is closed
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _number(fd: Any) -> int:
    return fd if isinstance(fd, int) else fd.fileno()


def _judge(timeout: Any) -> None:
    """Raise what epoll's poll has to say against `timeout`, if anything, without waiting for it."""
    into, out = os.pipe()
    try:
        with _native_epoll() as ready_at_once:
            ready_at_once.register(out, _stdlib.EPOLLOUT)
            ready_at_once.poll(timeout)
    finally:
        close_fd(into)
        close_fd(out)


class kqueue(KernelQueue):
    """select.kqueue, cooperatively."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_native_kqueue())

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return _native_kqueue

    @classmethod
    def fromfd(cls, fd: int, /) -> Self:
        """As select.kqueue.fromfd: an object for an fd that is a kqueue's already."""
        self = cls.__new__(cls)
        KernelQueue.__init__(self, _native_kqueue.fromfd(fd))
        return self

    def control(self, changelist: Iterable[Any] | None, maxevents: int, timeout: float | None = None) -> list[Any]:
        """As select.kqueue.control. May switch, unless `maxevents` is 0."""
        queue = self._queue
        if maxevents == 0:
            done: list[Any] = queue.control(changelist, 0, 0)
            return done
        seconds = seconds_of(timeout, 1.0, self._judge)
        if timeout is not None and seconds < 0.0:
            self._judge(timeout)
        spend()
        if changelist is not None:
            # By itself, so that the changes are made once, however often the events are asked for.
            queue.control(changelist, 0, 0)
        return self._take(lambda: queue.control(None, maxevents, 0), seconds)

    def _judge(self, timeout: Any) -> None:
        # With no room for events it does not wait.
        self._queue.control(None, 0, timeout)
