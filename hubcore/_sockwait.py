"""How a socket waits: its two watchers, which stay on between waits, and its timeout."""

from __future__ import annotations

import os
from errno import EBADF

import cython

from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.hub import get_hub
from hubcore.watchers import READ, WRITE

if not cython.compiled:
    from hubcore._uncompiled import get_ident, process_ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.hub import Hub
    from hubcore.watchers import Io


class FdWaits:
    """The waits of one socket, from whatever thread it is used in: one may read in one while another writes in another.

    `timeout` is the socket's: seconds, negative for none, 0 for a non-blocking socket. `short_read` remembers that the
    last read got less than it asked for: the next would find nothing, so it waits first; watching is level-triggered,
    so nothing that arrived meanwhile is missed. `came_nonblocking` is whether the fd was that before it got a socket
    here, and nobody has set a timeout since.
    """

    __slots__ = (
        "_reader",
        "_writer",
        "came_nonblocking",
        "family",
        "fd",
        "kind",
        "proto",
        "ref",
        "short_read",
        "stream",
        "timeout",
    )

    def __init__(self, fd: int, stream: bool, timeout: float) -> None:
        self._begin(fd, stream, timeout)

    def _begin(self, fd: int, stream: bool, timeout: float) -> None:
        self.fd = fd
        self.stream = stream
        self.timeout = timeout
        self.family = self.kind = self.proto = 0  # of the socket, for the calls that have to do with an address
        self.ref = True
        self.short_read = False
        self.came_nonblocking = False
        self._reader: Io | None = None
        self._writer: Io | None = None

    def wait_read(self, timeout: float) -> None:
        """Wait until the fd is readable. TimeoutError after `timeout` seconds (negative: no limit)."""
        hub = get_hub()
        io = self._reader
        if io is None or io.loop is not hub.loop:
            io = self._reader = self._new_io(hub, READ, io)
        self._wait(hub, io, timeout)

    def wait_write(self, timeout: float) -> None:
        """As `wait_read`, until it is writable."""
        hub = get_hub()
        io = self._writer
        if io is None or io.loop is not hub.loop:
            io = self._writer = self._new_io(hub, WRITE, io)
        self._wait(hub, io, timeout)

    def wait_connected(self, timeout: float) -> None:
        """As `wait_write`, once: an fd that is connected is nearly always writable, so it is not watched on."""
        try:
            self.wait_write(timeout)
        finally:
            io = self._writer
            if io is not None:
                io._end()

    def _new_io(self, hub: Hub, events: int, old: Io | None) -> Io:
        """A watcher in `hub`'s loop in place of `old`, which another thread, or this process before a fork, used."""
        if self.fd < 0:
            raise OSError(EBADF, os.strerror(EBADF))
        if old is not None:
            if old.waiter is not None and not old.loop.closed:
                raise ConcurrentObjectUseError(
                    f"fd {self.fd} is already waited for in another thread, by {old.waiter.greenlet!r}"
                )
            _close_watcher(old)
        return hub.loop.io(self.fd, events, self.ref)

    def _wait(self, hub: Hub, io: Io, timeout: float) -> None:
        waiter = hub.new_waiter(io)
        io.attach(waiter)
        try:
            woken = hub.park(waiter, None if timeout < 0 else timeout)
        except BaseException:
            io.detach(waiter)
            raise
        if not woken:
            io.detach(waiter)
            raise TimeoutError("timed out")

    def _spend(self) -> None:
        """An operation succeeded without waiting."""
        hub = get_hub()
        hub.spend()

    def close(self) -> None:
        """The fd is about to be closed, or to be someone else's: whoever waits gets OSError (EBADF)."""
        reader, writer = self._reader, self._writer
        self._reader = self._writer = None
        self.short_read = False
        if reader is not None:
            _close_watcher(reader)
        if writer is not None:
            _close_watcher(writer)

    def __del__(self) -> None:
        # Dropped without close(): the loop must not go on watching an fd whose number will soon be another's.
        # At the end of the process no loop runs any more, and modules may have lost their names.
        if not process_ends():
            self.close()


def blocks_for_others(sock: Any) -> bool:
    """Whether who gets the fd of `sock`, a socket of ours, may and should find it blocking.

    It should where the standard library's would be. It may once it is connected: what else has the same open file may
    be our sockets, which can accept and connect without blocking only by the fd's flag; for what is done with a
    connection, each call has one of its own.
    """
    waits = sock._fd_waits
    if waits.timeout >= 0.0 or waits.came_nonblocking:
        return False
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _close_watcher(io: Io) -> None:
    loop = io.loop
    if loop.closed:
        return  # with its hub, or it was the parent's before a fork
    if loop.thread_ident == get_ident():
        io.close()
    else:
        loop.run_callback_threadsafe(io.close)
