"""How a socket waits: its two watchers, which stay on between waits, and its timeout."""

from __future__ import annotations


from hubcore.hub import get_hub
from hubcore.watchers import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.watchers import Io


class SocketWaits:
    """The waits of one socket, from whatever thread it is used in.

    `timeout` is the socket's: seconds, negative for none, 0 for a non-blocking socket. `short_read` remembers that the
    last read got less than it asked for: the next would find nothing, so it waits first; watching is level-triggered,
    so nothing that arrived meanwhile is missed.
    """

    __slots__ = ("_reader", "_writer", "fd", "hub", "ref", "short_read", "stream", "timeout")

    def __init__(self, fd: int, stream: bool, timeout: float) -> None:
        self.fd = fd
        self.stream = stream
        self.timeout = timeout
        self.ref = True
        self.short_read = False
        self.hub: Hub | None = None
        self._reader: Io | None = None
        self._writer: Io | None = None

    def wait_read(self, timeout: float) -> None:
        """Wait until the fd is readable. TimeoutError after `timeout` seconds (negative: no limit)."""
        hub = get_hub()
        if self.hub is not hub:
            self._rebind(hub)
        io = self._reader
        if io is None:
            io = self._reader = hub.loop.io(self.fd, READ, self.ref)
        self._wait(hub, io, timeout)

    def wait_write(self, timeout: float) -> None:
        """As `wait_read`, until it is writable."""
        hub = get_hub()
        if self.hub is not hub:
            self._rebind(hub)
        io = self._writer
        if io is None:
            io = self._writer = hub.loop.io(self.fd, WRITE, self.ref)
        self._wait(hub, io, timeout)

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

    def _rebind(self, hub: Hub) -> Hub:
        """The socket is used in another thread than before, or after a fork: its watchers are of no use there."""
        self.close()
        self.hub = hub
        return hub

    def _spend(self) -> None:
        """An operation succeeded without waiting."""
        hub = get_hub()
        hub.spend()

    def close(self) -> None:
        """The fd is about to be closed, or to be someone else's: whoever waits gets OSError (EBADF)."""
        hub = self.hub
        reader, writer = self._reader, self._writer
        self._reader = self._writer = None
        self.hub = None
        self.short_read = False
        if hub is None or hub.loop.closed:
            return
        for io in (reader, writer):
            if io is not None:
                _close_watcher(hub, io)

    def __del__(self) -> None:
        # Dropped without close(): the loop must not go on watching an fd whose number will soon be another's.
        self.close()


def _close_watcher(hub: Hub, io: Io) -> None:
    from _thread import get_ident

    if hub.thread_ident == get_ident():
        io.close()
    else:
        hub.loop.run_callback_threadsafe(io.close)
