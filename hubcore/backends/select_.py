"""The select backend: plain Python on select.poll, for where neither C library is built and for uncompiled runs."""

from __future__ import annotations

import select
from math import ceil

from hubcore._base.hints import Any
from hubcore.backends.native import WakePipe, check_open, original
from hubcore.loop import Loop
from hubcore.watchers import READ, WRITE, FdWatch

_READ_EVENTS = select.POLLIN | select.POLLPRI | select.POLLHUP | select.POLLERR | select.POLLNVAL
_WRITE_EVENTS = select.POLLOUT | select.POLLHUP | select.POLLERR | select.POLLNVAL
_LONGEST = 86400.0  # poll(2) counts milliseconds in an int; the caller asks again after a wait that was too short


class SelectFdWatch(FdWatch):
    """One entry of the loop's poll object."""

    loop: SelectLoop

    def set_mask(self, mask: int) -> None:
        """As FdWatch.set_mask."""
        check_open(self.fd)
        events = (select.POLLIN if mask & READ else 0) | (select.POLLOUT if mask & WRITE else 0)
        self.loop.poller.register(self.fd, events)

    def release(self) -> None:
        """As FdWatch.release."""
        self.loop.poller.unregister(self.fd)


class SelectLoop(Loop):
    """A loop on select.poll."""

    name = "select"
    protocol_version: int = 1
    backend = "poll"

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        super().__init__(flags, default)
        self._open()

    def _open(self) -> None:
        self.poller: Any = original("select", "poll")()
        self.wake_pipe: WakePipe = WakePipe()
        self.poller.register(self.wake_pipe, select.POLLIN)

    def poll(self, timeout: float) -> None:
        """As Loop.poll."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        for fd, events in self.poller.poll(-1 if timeout < 0 else ceil(min(timeout, _LONGEST) * 1000)):
            if fd == self.wake_pipe.fileno():
                self.wake_pipe.clear()
                continue
            watch = self.fd_watches.get(fd)
            if watch is not None:
                watch.on_event((READ if events & _READ_EVENTS else 0) | (WRITE if events & _WRITE_EVENTS else 0))

    def wake(self) -> None:
        """As Loop.wake."""
        self.wake_pipe.send()

    def make_fd_watch(self, fd: int) -> SelectFdWatch:
        """As Loop.make_fd_watch."""
        return SelectFdWatch(self, fd)

    def reinit(self) -> None:
        """As Loop.reinit."""
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self.release()
        self._open()

    def release(self) -> None:
        """As Loop.release."""
        self.wake_pipe.close()
