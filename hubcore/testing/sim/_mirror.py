"""Mirrors: the fds of simulated sockets, made for programs that ask for a number.

A mirror is one end of a real pair of Unix sockets, whose other end is kept here. It is readable and writable exactly
when the simulated socket is, by a byte that is written or taken out, and by filling it: so select, poll, epoll and what
C code has of its own are answered by the kernel. What comes to an end at the socket comes to an end at the mirror.

What is read or written by number (`os.read`) is the simulated socket's: the functions of `posix` are exchanged.
"""

from __future__ import annotations

import _socket
import posix
from collections.abc import Callable
from socket import AF_UNIX, MSG_DONTWAIT, SHUT_WR, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET
from typing import Any

from hubcore.hub import get_hub_if_any
from hubcore.testing.sim._exchange import Exchange
from hubcore.testing.sim._waits import SimWaits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._endpoint import Endpoint

_by_number: dict[int, Mirror] = {}
#: Called before something is written to that fd, which is none of a mirror: it may raise.
before_write: dict[int, Callable[[], object]] = {}


class Mirror:
    """The fd of an endpoint; `waits` is the socket object that has it, None once that has detached it."""

    __slots__ = ("_blocked", "_ended", "_far", "_near", "_readable", "endpoint", "is_open", "number", "waits")

    def __init__(self, waits: SimWaits | None, endpoint: Endpoint | None = None) -> None:
        if waits is not None:
            endpoint = waits.endpoint
        assert endpoint is not None
        self._near, self._far = _socket.socketpair(AF_UNIX, SOCK_STREAM)
        self._near.setsockopt(SOL_SOCKET, SO_SNDBUF, 1)  # the least there is: it may have to be filled
        self._far.setblocking(False)
        self.number: int = self._near.fileno()
        self.endpoint = endpoint
        self.waits = waits
        self.is_open = True
        self._readable = self._blocked = self._ended = False
        if waits is not None:
            waits.mirror = self
        endpoint.watchers.append(self)
        endpoint.mirrored = endpoint.wants_room = True
        _by_number[self.number] = self
        self.look()

    def look(self) -> None:
        """Be as the endpoint is."""
        endpoint = self.endpoint
        readable, blocked = endpoint.readable(), not endpoint.writable()
        changed = False
        if readable != self._readable:
            self._readable = readable
            changed = True
            if readable:
                self._far.send(b"r")
            else:
                self._near.recv(1, MSG_DONTWAIT)
        if blocked != self._blocked:
            self._blocked = blocked
            changed = True
            if blocked:
                self._fill()
            else:
                self._drain()
        if endpoint.at_end() and not self._ended:
            self._ended = changed = True
            self._far.shutdown(SHUT_WR)
        if changed:
            endpoint.host.fd_changed()

    def _fill(self) -> None:
        try:
            while True:
                self._near.send(bytes(4096), MSG_DONTWAIT)
        except BlockingIOError:
            pass

    def _drain(self) -> None:
        try:
            while self._far.recv(65536):
                pass
        except BlockingIOError:
            pass

    def adopt(self, timeout: float) -> SimWaits:
        """What a socket object has that is made of this number."""
        if self.waits is not None:
            self.leave()
        waits = self.waits = SimWaits(self.endpoint, timeout, own=False)
        waits.mirror = self
        return waits

    def leave(self) -> None:
        """The socket object that had the number has it no more; it stays open."""
        waits, self.waits = self.waits, None
        if waits is not None:
            waits.leave()

    def close(self) -> None:
        """Close the number, and with the last one the endpoint."""
        if _by_number.pop(self.number, None) is None:
            return
        hub = get_hub_if_any()
        if hub is not None and not hub.loop.closed and not hub.loop.polling:
            hub.loop.closing_fd(self.number)
        self.leave()
        self.forget()
        self.endpoint.release()

    def both_ends(self) -> tuple[int, int]:
        """The fds of the pair; -1 once they are closed."""
        return self._near.fileno(), self._far.fileno()

    def forget(self) -> None:
        """Close the real fds, without a word to the endpoint."""
        _by_number.pop(self.number, None)
        if self in self.endpoint.watchers:
            self.endpoint.watchers.remove(self)
        self._near.close()
        self._far.close()


def find(number: int) -> Mirror | None:
    """The mirror of that number, None where it is none's."""
    return _by_number.get(number)


def close_all(kernel: Any) -> None:
    """Close the numbers of all endpoints of `kernel`, whose program is gone, without a word to the endpoints."""
    for mirror in list(_by_number.values()):
        if mirror.endpoint.kernel is kernel:
            mirror.leave()
            mirror.forget()


# By number.


def _socket_of(mirror: Mirror) -> Any:
    """The waits by which to read and write: those of its socket object, or some that block."""
    waits = mirror.waits
    return waits if waits is not None else mirror.adopt(-1.0)


def _read(fd: int, length: int, /) -> bytes:
    mirror = _by_number.get(fd)
    if mirror is None:
        found: bytes = _exchanges["read"].original(fd, length)
        return found
    waits = _socket_of(mirror)
    while True:
        data: bytes | None = waits.endpoint.receive(length)
        if data is not None:
            return data
        waits.wait_read(-1.0)


def _write(fd: int, data: Any, /) -> int:
    mirror = _by_number.get(fd)
    if mirror is None:
        if fd in before_write:
            before_write[fd]()
        count: int = _exchanges["write"].original(fd, data)
        return count
    waits = _socket_of(mirror)
    with memoryview(data) as view, view.cast("B") as octets:
        while True:
            sent: int | None = waits.endpoint.send(octets)
            if sent is not None:
                return sent
            waits.wait_write(-1.0)


def _readv(fd: int, buffers: Any, /) -> int:
    if fd not in _by_number:
        count: int = _exchanges["readv"].original(fd, buffers)
        return count
    data = _read(fd, sum(memoryview(each).nbytes for each in buffers))
    at = 0
    for each in buffers:
        with memoryview(each).cast("B") as view:
            part = data[at : at + len(view)]
            view[: len(part)] = part
            at += len(part)
    return len(data)


def _writev(fd: int, buffers: Any, /) -> int:
    if fd not in _by_number:
        count: int = _exchanges["writev"].original(fd, buffers)
        return count
    return _write(fd, b"".join(map(bytes, buffers)))


def _close(fd: int) -> None:
    mirror = _by_number.get(fd)
    if mirror is None:
        before_write.pop(fd, None)
        _exchanges["close"].original(fd)
    else:
        mirror.close()


def _dup(fd: int, /) -> int:
    mirror = _by_number.get(fd)
    if mirror is None:
        number: int = _exchanges["dup"].original(fd)
        return number
    mirror.endpoint.owners += 1
    return Mirror(None, mirror.endpoint).number


_exchanges: dict[str, Exchange] = {}


def numbers() -> set[int]:
    """All fds of the mirrors that there are."""
    return {number for mirror in _by_number.values() for number in mirror.both_ends()}


def install() -> None:
    """Have the functions of `posix` know the mirrors. For the whole process."""
    replacements = {
        "read": _read, "write": _write, "readv": _readv, "writev": _writev, "close": _close, "dup": _dup,
    }  # fmt: skip
    for name, replacement in replacements.items():
        if name in _exchanges:
            _exchanges[name].make_again()
        else:
            _exchanges[name] = Exchange(vars(posix)[name], replacement)


def uninstall() -> None:
    """Undo `install`."""
    for exchange in _exchanges.values():
        exchange.take_back()
