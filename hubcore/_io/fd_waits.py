"""The waits of a socket: its two watchers, which stay on between waits, and its timeout."""

from __future__ import annotations

import os
from errno import EBADF

import cython

from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.hub import get_hub
from hubcore.watchers import READ, WRITE

if not cython.compiled:
    from hubcore._capi.fallback import get_ident, process_ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.hub import Hub
    from hubcore.watchers import Io


class FdWaits:
    """The waits of one socket, in any thread. One thread may read while another writes.

    `timeout` is the socket's: seconds, negative for none, 0 for a non-blocking socket. `short_read` is whether the last
    read got less than it asked for: the next read would find nothing, so it waits first. Watching is level-triggered,
    so the wait misses nothing that arrived meanwhile. `came_nonblocking` is whether the fd was non-blocking when the
    socket was made from it, and the program has set no timeout since.
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
        self.family = self.kind = self.proto = 0  # the socket's, for the calls that take or return an address
        self.ref = True
        self.short_read = False
        self.came_nonblocking = False
        self._reader: Io | None = None
        self._writer: Io | None = None

    def wait_read(self, timeout: float) -> None:
        """Wait until the fd is readable. TimeoutError after `timeout` seconds (negative: no limit). Switches."""
        hub = get_hub()
        io = self._reader
        if io is None or io.loop is not hub.loop:
            io = self._reader = self._new_io(hub, READ, io)
        self._wait(hub, io, timeout)

    def wait_write(self, timeout: float) -> None:
        """Wait until the fd is writable, like `wait_read`. Switches."""
        hub = get_hub()
        io = self._writer
        if io is None or io.loop is not hub.loop:
            io = self._writer = self._new_io(hub, WRITE, io)
        self._wait(hub, io, timeout)

    def wait_connected(self, timeout: float) -> None:
        """Like `wait_write`, but stop watching afterwards: a connected fd is nearly always writable. Switches."""
        try:
            self.wait_write(timeout)
        finally:
            io = self._writer
            if io is not None:
                io._end()

    def _new_io(self, hub: Hub, events: int, old: Io | None) -> Io:
        """Return a watcher in `hub`'s loop. It replaces `old`, of another thread or of this process before a fork."""
        if self.fd < 0:
            raise OSError(EBADF, os.strerror(EBADF))
        if old is not None:
            if old.waiter is not None and not old.loop.closed:
                raise ConcurrentObjectUseError(
                    f"{old.waiter.greenlet!r} in another thread already waits for fd {self.fd}"
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

    def wake_reader(self) -> None:
        """Have a greenlet that waits to read look, as if something had come. Hub's thread only; never switches."""
        io = self._reader
        if io is not None and io.waiter is not None:
            io.on_event(READ)

    def _spend(self) -> None:
        """Count an operation that may succeed without a wait against the budget. May switch."""
        hub = get_hub()
        hub.spend()

    def recv_without_fd(self, size: int) -> bytes | None:
        """Like `recv_ready`, for a socket without an fd: OSError (EBADF). Simulated sockets override it."""
        raise OSError(EBADF, os.strerror(EBADF))

    def send_without_fd(self, data: bytes, start: int) -> int:
        """Like `send_ready`, for a socket without an fd."""
        raise OSError(EBADF, os.strerror(EBADF))

    def close(self) -> None:
        """End the waits with OSError (EBADF). Call it before the fd is closed or gets another owner. Never switches."""
        reader, writer = self._reader, self._writer
        self._reader = self._writer = None
        self.short_read = False
        if reader is not None:
            _close_watcher(reader)
        if writer is not None:
            _close_watcher(writer)

    def __del__(self) -> None:
        # Dropped without close(): the loop must stop watching the fd, because the kernel will reuse its number.
        # At the end of the process no loop runs any more, and modules may have lost their names.
        if not process_ends():
            self.close()


def blocks_for_others(sock: Any) -> bool:
    """Return whether the fd of `sock`, a hubcore socket, can and should be made blocking for its next owner.

    It should be blocking where the standard library's socket would be. It can be once the socket is connected. Another
    hubcore socket may share the same open file, and its accept and connect rely on the fd's non-blocking flag; calls on
    a connection pass a flag of their own.
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
        return  # closed with its hub, or it was the parent's before a fork
    if loop.thread_ident == get_ident():
        io.close()
    else:
        loop.run_callback_threadsafe(io.close)
