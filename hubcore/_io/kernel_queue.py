"""epoll and kqueue: the kernel's own objects, with a cooperative wait.

Fact: such an object has an fd, which is readable when the object has events. Consequence: a wait is a wait for that fd,
followed by a poll without a wait. It repeats, because another thread or greenlet may have taken the events first.
Everything else stays the kernel's: edge-triggered events, one-shots, exclusive wake-ups.
"""

from __future__ import annotations

import os
import select as _stdlib
import sys

from hubcore._base.hints import Any, Callable, Iterable, Self
from hubcore._base.originals import close_fd, get_ident, original
from hubcore._io import read_ahead as _read_ahead
from hubcore._io.wait_any_fd import let_others_run, seconds_of, spend
from hubcore.hub import get_hub
from hubcore.watchers import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.watchers import Io

# The originals: after patching, the module's own names are hubcore's.
_native_epoll: Any = original("select", "epoll") if hasattr(_stdlib, "epoll") else None
_native_kqueue: Any = original("select", "kqueue") if hasattr(_stdlib, "kqueue") else None


class KernelQueue:
    """The base of epoll and kqueue. Any number of greenlets, in any threads, may wait at the same time.

    The standard library's class cannot be subclassed, but `isinstance(x, select.epoll)` with that class is true.
    """

    __slots__ = ("__weakref__", "_ios", "_queue")

    def __init__(self, queue: Any) -> None:
        self._queue = queue
        self._ios: set[Io] = set()  # they stay on between waits, so that the next wait need not register one

    def fileno(self) -> int:
        """Return the object's own fd; ValueError if the object is closed."""
        fd: int = self._queue.fileno()
        return fd

    @property
    def closed(self) -> bool:
        """Whether the object was closed."""
        closed: bool = self._queue.closed
        return closed

    def close(self) -> None:
        """Close the object. Greenlets that wait get the ValueError of a closed object. Does nothing if closed."""
        for io in tuple(self._ios):
            self._ios.discard(io)
            loop = io.loop
            if loop.closed:
                continue  # closed with its hub, or it was the parent's before a fork
            if loop.thread_ident == get_ident():
                io.close()
            else:
                loop.run_callback_threadsafe(io.close)
        self._queue.close()

    def __del__(self, process_ends: Callable[[], bool] = sys.is_finalizing) -> None:
        # Dropped without close(): the loop must stop watching the fd, because the kernel will reuse its number.
        # At the end of the process no loop runs any more, and this module may have lost its names.
        if hasattr(self, "_queue") and not process_ends():
            self.close()

    def _take(self, take: Callable[[], list[Any]], seconds: float) -> list[Any]:
        """Return the first non-empty result of `take`, which never waits, or its result after `seconds`. May switch."""
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
        """Wait until the fd is readable or closed, at most `seconds`. Switches."""
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
        """Return a watcher in this hub's loop that has no waiter."""
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
    """select.epoll, made cooperative."""

    __slots__ = ("_wanted",)

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._open(_native_epoll(sizehint, flags))

    def _open(self, queue: Any) -> None:
        KernelQueue.__init__(self, queue)
        self._wanted: dict[int, int] = {}  # the events of each fd registered through this object

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return _native_epoll

    @classmethod
    def fromfd(cls, fd: int, /) -> Self:
        """Like select.epoll.fromfd: return an object for an existing epoll's fd."""
        self = cls.__new__(cls)
        self._open(_native_epoll.fromfd(fd))
        return self

    def register(self, fd: Any, eventmask: int = _stdlib.POLLIN | _stdlib.POLLPRI | _stdlib.POLLOUT) -> None:
        """Like select.epoll.register."""
        self._queue.register(fd, eventmask)
        self._wanted[_number(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int) -> None:
        """Like select.epoll.modify."""
        self._queue.modify(fd, eventmask)
        self._wanted[_number(fd)] = eventmask

    def unregister(self, fd: Any) -> None:
        """Like select.epoll.unregister."""
        self._wanted.pop(_number(fd), None)
        self._queue.unregister(fd)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """Like select.epoll.poll: return at most `maxevents` events; wait at most `timeout` seconds. May switch."""
        queue = self._queue
        seconds = seconds_of(timeout, 1.0, _judge)
        spend()  # before events are taken: a kill that arrives in this call would lose them
        if _read_ahead.sockets and _read_ahead.readable(self._wanted.keys()):
            found = _read_ahead.added(queue.poll(0, maxevents), self._wanted, _stdlib.EPOLLIN)
            if found:
                return found[: maxevents if maxevents > 0 else None]
        return self._take(lambda: queue.poll(0, maxevents), seconds)

    def __enter__(self) -> Self:
        self._queue.__enter__()  # raises the ValueError of a closed object
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()


def _number(fd: Any) -> int:
    return fd if isinstance(fd, int) else fd.fileno()


def _judge(timeout: Any) -> None:
    """Raise the error that epoll's poll raises for `timeout`, if it refuses it, without a wait."""
    into, out = os.pipe()
    try:
        with _native_epoll() as ready_at_once:
            ready_at_once.register(out, _stdlib.EPOLLOUT)
            ready_at_once.poll(timeout)
    finally:
        close_fd(into)
        close_fd(out)


class kqueue(KernelQueue):
    """select.kqueue, made cooperative."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_native_kqueue())

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return _native_kqueue

    @classmethod
    def fromfd(cls, fd: int, /) -> Self:
        """Like select.kqueue.fromfd: return an object for an existing kqueue's fd."""
        self = cls.__new__(cls)
        KernelQueue.__init__(self, _native_kqueue.fromfd(fd))
        return self

    def control(self, changelist: Iterable[Any] | None, maxevents: int, timeout: float | None = None) -> list[Any]:
        """Like select.kqueue.control. May switch, unless `maxevents` is 0."""
        queue = self._queue
        if maxevents == 0:
            done: list[Any] = queue.control(changelist, 0, 0)
            return done
        seconds = seconds_of(timeout, 1.0, self._judge)
        if timeout is not None and seconds < 0.0:
            self._judge(timeout)
        spend()
        if changelist is not None:
            # In a call of its own, so that the changes are applied once, however often events are polled.
            queue.control(changelist, 0, 0)
        return self._take(lambda: queue.control(None, maxevents, 0), seconds)

    def _judge(self, timeout: Any) -> None:
        # With maxevents 0 the call does not wait.
        self._queue.control(None, 0, timeout)
