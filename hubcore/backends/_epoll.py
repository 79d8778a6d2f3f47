"""A loop in plain Python on an epoll object of its own, whose fd is readable while there are events.

The base of the asyncio backend. docs/write-a-backend.md explains each step of such a loop.
"""

from __future__ import annotations

import select

from hubcore._base.hints import Any
from hubcore.backends.native import WakePipe, check_fds_left, check_open, original
from hubcore.loop import Loop
from hubcore.watchers import READ, WRITE, FdWatch

if not hasattr(select, "epoll"):
    raise ImportError("this backend needs epoll, which only Linux has")

_READ_EVENTS = select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP
_WRITE_EVENTS = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP
_LONGEST = 86400.0  # epoll counts milliseconds in an int; the caller asks again after a wait that was too short


class EpollFdWatch(FdWatch):
    """One fd in the loop's epoll object, or in its set of files that are always ready."""

    loop: EpollLoop

    def set_mask(self, mask: int) -> None:
        """As FdWatch.set_mask."""
        check_open(self.fd)
        self.release()
        try:
            self.loop.epoll.register(
                self.fd, (select.EPOLLIN if mask & READ else 0) | (select.EPOLLOUT if mask & WRITE else 0)
            )
        except PermissionError:
            self.loop.always_ready.add(self)  # a regular file

    def release(self) -> None:
        """As FdWatch.release."""
        self.loop.always_ready.discard(self)
        try:
            self.loop.epoll.unregister(self.fd)
        except OSError:
            pass  # not registered, or closed by now


class EpollLoop(Loop):
    """The loop; its `poll` sleeps in epoll."""

    backend = "epoll"

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        super().__init__(flags, default)
        self.always_ready: set[EpollFdWatch] = set()
        self.open()

    def open(self) -> None:
        """Make the epoll object and the pipe that wakes it."""
        check_fds_left(3)
        self.wake_pipe: WakePipe = WakePipe()
        self._make_epoll()

    def _make_epoll(self) -> None:
        self.epoll: Any = original("select", "epoll")()
        self.epoll.register(self.wake_pipe, select.EPOLLIN)

    def poll(self, timeout: float) -> None:
        """As Loop.poll."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        if self.always_ready:
            timeout = 0.0
        stale = False
        for fd, events in self.epoll.poll(None if timeout < 0.0 else min(timeout, _LONGEST)):
            watch = self.fd_watches.get(fd)
            if watch is not None:
                watch.on_event((READ if events & _READ_EVENTS else 0) | (WRITE if events & _WRITE_EVENTS else 0))
            elif fd == self.wake_pipe.fileno():
                self.wake_pipe.clear()
            else:
                stale = True
        for watch in tuple(self.always_ready):
            watch.on_event(watch.mask)
        if stale:
            self.replace_epoll()

    def replace_epoll(self) -> None:
        """Register everything in a new epoll object, because of a registration that cannot be removed any more.

        Fact: a file that was closed while a duplicate of its fd is open keeps its registration, under its old number.
        """
        self.epoll.close()
        self._make_epoll()
        for fd, watch in list(self.fd_watches.items()):
            try:
                watch.set_mask(watch.mask)
            except OSError:
                self.closing_fd(fd)

    def wake(self) -> None:
        """As Loop.wake."""
        self.wake_pipe.send()

    def make_fd_watch(self, fd: int) -> EpollFdWatch:
        """As Loop.make_fd_watch."""
        return EpollFdWatch(self, fd)

    def reinit(self) -> None:
        """As Loop.reinit."""
        self.epoll.close()
        self.wake_pipe.close()
        self.open()
        for fd in list(self.fd_watches):
            self.closing_fd(fd)

    def release(self) -> None:
        """As Loop.release."""
        self.epoll.close()
        self.wake_pipe.close()

    def fileno(self) -> int:
        """The epoll object's fd, which is readable while there are events."""
        number: int = self.epoll.fileno()
        return number
