"""The waits of a socket: its two watchers, which stay on between waits, and its timeout."""

from __future__ import annotations

import os
from errno import EBADF

from hubcore._base import uncompiled as cython
from hubcore._base.originals import close_fd
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


_READ = READ  # a C number in a compiled build


class FdWaits:
    """The waits of one socket, in any thread. One thread may read while another writes.

    `timeout` is the socket's: seconds, negative for none, 0 for a non-blocking socket. `short_read` is whether the last
    read got less than it asked for: the next read would find nothing, so it waits first. Watching is level-triggered,
    so the wait misses nothing that arrived meanwhile. `came_nonblocking` is whether the fd was non-blocking when the
    socket was made from it, and the program has set no timeout since. `lent` is whether the program may
    know the fd's number; the fd then blocks where the standard library's would, unless `keeps_nonblocking` says
    that its borrower waits in the hub.

    Facts: in the standard library a reader sleeps in the kernel, which holds the open file. `shutdown` ends its call
    with what had come, or with the end of the stream, also if the socket is closed right after that. Here the reader
    makes its call only when it resumes. Consequence: such a reader makes its last call on a duplicate, `last_fd`.
    `ended` is whether this object was shut down for reading, `cut` whether a reader waited at that moment, and
    `was_shut` whether it was shut down in either direction since `connect` began.
    """

    __slots__ = (
        "_reader",
        "_reading",
        "_writer",
        "came_nonblocking",
        "cut",
        "ended",
        "family",
        "fd",
        "keeps_nonblocking",
        "kind",
        "last_fd",
        "lent",
        "proto",
        "ref",
        "short_read",
        "stream",
        "timeout",
        "was_shut",
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
        self.lent = False
        self.keeps_nonblocking = False
        self.ended = self.cut = self.was_shut = False
        self.last_fd = -1
        self._reading = 0  # how many greenlets are between the begin and the end of `wait_read`
        self._reader: Io | None = None
        self._writer: Io | None = None

    def wait_read(self, timeout: float) -> int:
        """Wait until the fd is readable, and return the fd to read from, for a call before the next switch.

        TimeoutError after `timeout` seconds (negative: no limit). Switches.
        """
        hub = get_hub()
        io = self._reader
        if io is None or io.loop is not hub.loop:
            io = self._reader = self._new_io(hub, READ, io)
        self._wait(hub, io, timeout)
        return self.fd if self.fd >= 0 and not self.ended else self._last_call(hub)

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
            if old.loop.closed:
                self._reading = 0  # the readers of a hub that is gone, or of the parent before a fork
            _close_watcher(old)
        return hub.loop.io(self.fd, events, self.ref)

    def _wait(self, hub: Hub, io: Io, timeout: float) -> None:
        waiter = hub.new_waiter(io)
        io.attach(waiter)
        self._reading += io.events & _READ
        try:
            woken = hub.park(waiter, None if timeout < 0 else timeout)
        except BaseException:
            io.detach(waiter)
            self._reading -= io.events & _READ
            self._leave_last_fd()
            raise
        self._reading -= io.events & _READ
        if io.waiter is waiter:
            io.detach(waiter)  # the deadline or a shutdown ended the wait, not an event
        if not woken:
            self._leave_last_fd()
            raise TimeoutError("timed out")

    def wake_reader(self) -> None:
        """Have a greenlet that waits to read look, as if something had come. Hub's thread only; never switches."""
        io = self._reader
        if io is not None and io.waiter is not None:
            io.on_event(READ)

    def shut_down(self, reading: bool) -> None:
        """Note a shutdown(2) of the socket, `reading` if for reading, too. A reader that waits goes on. Never switches.

        The loop would wake the reader later. For a datagram socket the kernel sends no event at all.
        """
        self.was_shut = True
        if reading:
            self.ended = True
            reader = self._reader
            if self._reading > 0 and reader is not None and not reader.loop.closed:
                self.cut = True
                waiter = reader.waiter
                if reader.loop.thread_ident == get_ident():
                    reader.on_event(READ)
                elif waiter is not None:
                    waiter.wake(READ)

    def at_end(self) -> bool:
        """Return whether a read that finds nothing is at the end, rather than too early.

        Fact: a read of a datagram socket that was shut down returns no data in a call that blocks, but fails with
        EAGAIN in one that does not.
        """
        return self.ended and not self.stream and self.timeout != 0.0

    def _last_call(self, hub: Hub) -> int:
        """Return the fd for the last call of a reader, on a socket that was shut down or closed; EBADF if it has none.

        The reader counts until it has made the call: another thread that closes the socket before leaves a duplicate.
        """
        if self.fd < 0 and self.last_fd < 0:
            raise OSError(EBADF, os.strerror(EBADF))
        self._reading += _READ
        hub.loop.run_callback(self._end_last_call)  # runs in the hub, so after the call
        return self.fd if self.fd >= 0 else self.last_fd

    def _end_last_call(self) -> None:
        """Forget a reader that has made its last call."""
        self._reading = max(0, self._reading - _READ)  # 0 already in a forked child
        self._leave_last_fd()

    def _leave_last_fd(self) -> None:
        """Close `last_fd`, if there is one, after the last reader."""
        if self.last_fd >= 0 and self._reading == 0:
            fd = self.last_fd
            self.last_fd = -1
            close_fd(fd)

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

    def before_close(self) -> None:
        """Like `close`, but readers that a `shutdown` has woken go on, on a duplicate of the fd. Never switches."""
        reader = self._reader
        if self.ended and self._reading > 0 and reader is not None and not reader.loop.closed:
            try:
                self.last_fd = os.dup(self.fd)
            except OSError:
                pass  # no number is left: the readers get EBADF
            else:
                self._leave_last_fd()  # other threads ran meanwhile
        self.close()

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
            if self.last_fd >= 0:
                close_fd(self.last_fd)  # the hub of the reader has gone


_CONNECTIONLESS = (2, 3)  # SOCK_DGRAM and SOCK_RAW


def blocks_for_others(sock: Any) -> bool:
    """Return whether the fd of `sock`, a hubcore socket, can and should be made blocking for its next owner.

    It should be blocking where the standard library's socket would be. It can be once the socket is connected, or if it
    needs no connection. Another hubcore socket may share the same open file, and its accept and connect rely on the
    fd's non-blocking flag; calls on a connection, and datagrams, pass a flag of their own.
    """
    waits = sock._fd_waits
    if waits.timeout >= 0.0 or waits.came_nonblocking or waits.keeps_nonblocking:
        return False
    if waits.kind & 0xF in _CONNECTIONLESS:
        return True
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
