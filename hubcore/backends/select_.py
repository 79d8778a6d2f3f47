"""The select backend: plain Python on select.poll, for systems without either C library and for uncompiled runs."""

from __future__ import annotations

import errno
import os
import select
from math import ceil

from hubcore._base.hints import Any
from hubcore._base.originals import close_fd, original, read_fd, set_blocking, write_fd
from hubcore.loop import Loop
from hubcore.watchers import READ, WRITE, FdWatch

_READ_EVENTS = select.POLLIN | select.POLLPRI | select.POLLHUP | select.POLLERR | select.POLLNVAL
_WRITE_EVENTS = select.POLLOUT | select.POLLHUP | select.POLLERR | select.POLLNVAL
_LONGEST = 86400.0  # poll(2) counts milliseconds in an int; after a wait that was too short, the caller polls again


class SelectFdWatch(FdWatch):
    """One entry of the loop's poll object."""

    loop: SelectLoop

    def _set_mask(self, mask: int) -> None:
        try:
            os.fstat(self.fd)
        except OSError as error:
            raise OSError(errno.EBADF, f"cannot watch fd {self.fd}: {os.strerror(errno.EBADF)}") from error
        self.loop.poller.register(
            self.fd, (select.POLLIN if mask & READ else 0) | (select.POLLOUT if mask & WRITE else 0)
        )

    def _release(self) -> None:
        self.loop.poller.unregister(self.fd)


class SelectLoop(Loop):
    """A loop on select.poll."""

    name = "select"
    backend = "poll"

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        super().__init__(flags, default)
        self._open()

    def _open(self) -> None:
        self.poller: Any = original("select", "poll")()  # the module's attribute may be patched
        self._wake_read, self._wake_write = os.pipe()
        set_blocking(self._wake_read, False)
        set_blocking(self._wake_write, False)
        self.poller.register(self._wake_read, select.POLLIN)

    def poll(self, timeout: float) -> None:
        """As Loop.poll."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        for fd, events in self.poller.poll(-1 if timeout < 0 else ceil(min(timeout, _LONGEST) * 1000)):
            if fd == self._wake_read:
                self._empty_wake_pipe()
                continue
            watch = self.fd_watches.get(fd)
            if watch is not None:
                watch.on_event((READ if events & _READ_EVENTS else 0) | (WRITE if events & _WRITE_EVENTS else 0))

    def _empty_wake_pipe(self) -> None:
        try:
            while len(read_fd(self._wake_read, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass

    def wake(self) -> None:
        """As Loop.wake."""
        try:
            write_fd(self._wake_write, b"w")
        except BlockingIOError:
            pass  # a full pipe wakes as well as one byte
        except OSError as error:
            # Its own thread has closed the loop meanwhile, so no poll sleeps.
            if error.errno != errno.EBADF:
                raise

    def _make_fd_watch(self, fd: int) -> SelectFdWatch:
        return SelectFdWatch(self, fd)

    def reinit(self) -> None:
        """As Loop.reinit."""
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self._release()
        self._open()

    def _release(self) -> None:
        read, write = self._wake_read, self._wake_write
        # Cleared before the fds are closed: a late wake() must not write to a file that reuses the number.
        self._wake_read = self._wake_write = -1
        close_fd(read)
        close_fd(write)

    def fileno(self) -> int | None:
        """Return None: poll(2) has no fd of its own."""
        return None
