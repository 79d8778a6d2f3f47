"""How a simulated socket waits: its waiters are woken by the endpoint, and no fd is watched."""

from __future__ import annotations

import os
from errno import EAGAIN, EBADF
from socket import SOCK_STREAM
from typing import Any

from hubcore._io.fd_waits import FdWaits
from hubcore._sync.steps import note_try_if_patched
from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.hub import get_hub
from hubcore.watchers import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter
    from hubcore.loop import Loop
    from hubcore.testing.sim._endpoint import Endpoint


def bad_fd() -> OSError:
    """What a closed socket raises."""
    return OSError(EBADF, os.strerror(EBADF))


def would_block() -> OSError:
    """What a call raises that may not wait. May switch: a program that only tries lets time and the others go on."""
    note_try_if_patched()
    return BlockingIOError(EAGAIN, os.strerror(EAGAIN))


class Direction:
    """What a greenlet waits on that waits to read, or to write."""

    __slots__ = ("events", "loop", "waiter", "waits")

    def __init__(self, waits: SimWaits, events: int) -> None:
        self.waits = waits
        self.events = events
        self.waiter: Waiter | None = None
        self.loop: Loop | None = None

    def wait(self, timeout: float) -> None:
        """Park until it is woken. TimeoutError after `timeout` seconds (negative: no limit). Switches."""
        hub = get_hub()
        if self.waiter is not None:
            raise ConcurrentObjectUseError(
                f"{self.waits.endpoint.label or 'this socket'} is already waited for by {self.waiter.greenlet!r}; "
                "a second greenlet cannot wait for the same direction"
            )
        waiter = hub.new_waiter(self)
        self.waiter = waiter
        self.loop = hub.loop
        if self.waits.ref:
            self.loop.refs += 1
        try:
            woken = hub.park(waiter, None if timeout < 0.0 else timeout)
        finally:
            if self.waiter is waiter:
                self._leave()
        if not woken:
            raise TimeoutError("timed out")

    def _leave(self) -> Waiter:
        waiter, self.waiter = self.waiter, None
        assert waiter is not None
        if self.waits.ref and self.loop is not None:
            self.loop.refs -= 1
        return waiter

    def wake(self) -> None:
        """End the wait: it can be read, or written."""
        self._leave().wake(self.events)

    def fail(self, error: BaseException) -> None:
        """End the wait, if there is one, by raising `error`."""
        if self.waiter is not None:
            self._leave().fail(error)

    def __repr__(self) -> str:
        endpoint = self.waits.endpoint
        if endpoint.accepts:
            return f"<accept at {endpoint.label}>"
        what = "send" if self.events == WRITE else "receive"
        return f"<{what} on {endpoint.label or 'a socket without a peer'}>"


class SimWaits(FdWaits):
    """As FdWaits, of a socket whose bytes come from a simulated kernel. It is what the socket's fd would be."""

    __slots__ = ("endpoint", "is_open", "mirror", "reading", "writing")

    def __init__(self, endpoint: Endpoint, timeout: float, own: bool = True) -> None:
        super().__init__(-1, endpoint.kind == SOCK_STREAM, timeout)
        self.family = endpoint.family
        self.kind = endpoint.kind
        self.proto = endpoint.proto
        self.endpoint = endpoint
        self.is_open = True
        self.mirror: Any = None  # once there is an fd
        self.reading = Direction(self, READ)
        self.writing = Direction(self, WRITE)
        endpoint.watchers.append(self)
        if own:
            endpoint.owners += 1
            endpoint.kernel.open[endpoint] = None

    def wait_read(self, timeout: float) -> int:
        """Wait until it is readable. Return -1: there is no fd to read from."""
        if not self.is_open:
            raise bad_fd()
        if self.endpoint.readable():
            get_hub().yield_now()
        else:
            self.reading.wait(timeout)
        return self.fd

    def wait_write(self, timeout: float) -> None:
        """Wait until it is writable."""
        if not self.is_open:
            raise bad_fd()
        if self.endpoint.writable():
            get_hub().yield_now()
        else:
            self.endpoint.wants_room = True
            self.writing.wait(timeout)

    def wait_connected(self, timeout: float) -> None:
        """As `wait_write`."""
        self.wait_write(timeout)

    def look(self) -> None:
        """The endpoint may have changed: wake who waits for what is so now. Never switches."""
        endpoint = self.endpoint
        if self.reading.waiter is not None and (endpoint.readable() or endpoint.hung_up()):
            self.reading.wake()
        if self.writing.waiter is not None and (endpoint.writable() or endpoint.hung_up()):
            endpoint.wants_room = endpoint.mirrored
            self.writing.wake()

    def recv_without_fd(self, size: int) -> bytes | None:
        """For TLS: what is there."""
        if not self.is_open:
            raise bad_fd()
        data: bytes | None = self.endpoint.receive(size)
        return data

    def send_without_fd(self, data: bytes, start: int) -> int:
        """For TLS: send what there is room for."""
        if not self.is_open:
            raise bad_fd()
        return self.endpoint.send(memoryview(data)[start:]) or 0

    def close(self) -> None:
        """Those who wait get OSError (EBADF). What closes the socket itself is `end`."""
        if self.reading.waiter is not None or self.writing.waiter is not None:
            text = f"{self.endpoint.label or 'the socket'} was closed while this greenlet waited for it"
            self.reading.fail(OSError(EBADF, text))
            self.writing.fail(OSError(EBADF, text))

    def leave(self) -> None:
        """The socket is none any more, but what it was is still open, for the mirror or for another socket."""
        self.is_open = False
        self.close()
        if self in self.endpoint.watchers:
            self.endpoint.watchers.remove(self)
        self.mirror = None

    def end(self) -> None:
        """The socket is closed."""
        if self.is_open:
            mirror = self.mirror
            self.leave()
            if mirror is not None:
                mirror.close()
            else:
                self.endpoint.release()

    def __del__(self) -> None:
        if self.is_open:
            self.is_open = False
            if self.mirror is not None:
                self.mirror.close()
            else:
                self.endpoint.release()
