"""SimSocket: a socket of the standard library's class whose bytes come from the simulated kernel of its host.

Whether a new socket is one is decided when it is made, by the loop of the calling thread's hub. So every reference to
the class follows, also one that was taken long ago, and a program's own subclass becomes one of both.
"""

from __future__ import annotations

import errno
import socket as _stdlib
from functools import partial
from operator import index
from typing import Any

from hubcore._sockets.arguments import octets as _octets
from hubcore._sockets.arguments import reiterable as _again
from hubcore._sockets.call_timeout import seconds_of, timeout_default
from hubcore._sockets.name_lookups import resolved_for as _resolved
from hubcore.hub import get_hub
from hubcore.socket import socket
from hubcore.testing.sim import _options
from hubcore.testing.sim._network import address_of
from hubcore.testing.sim._socket_base import FOREVER, SimSocketBase, blank, process_here, simulated_classes
from hubcore.testing.sim._waits import bad_fd, would_block

_DONTWAIT, _PEEK, _WAITALL = int(_stdlib.MSG_DONTWAIT), int(_stdlib.MSG_PEEK), int(_stdlib.MSG_WAITALL)
_TRUNC, _OOB = int(_stdlib.MSG_TRUNC), int(_stdlib.MSG_OOB)


class SimSocket(SimSocketBase):
    """See the module's text. The methods and errors are those of hubcore.socket.socket."""

    __slots__ = ()

    # Receiving.

    def _until(self, call: Any, flags: int, wait: Any, limit: float | None = None) -> Any:
        """What `call()` gives once it does not give None. Switches to wait, unless the socket or `flags` say not to."""
        waits = self._fd_waits
        if limit is None:
            limit = waits.timeout
        if limit != 0.0:
            get_hub().spend()
        while True:
            if not waits.is_open:
                raise bad_fd()
            found = call()
            if found is not None:
                return found
            if limit == 0.0 or (flags & _DONTWAIT and limit < 0.0):
                raise would_block()
            wait(limit)

    def _receive(self, size: int, flags: int) -> bytes:
        waits = self._fd_waits
        endpoint = self._endpoint
        if flags & _OOB:
            raise _options.refuse(errno.EINVAL if waits.stream else errno.EOPNOTSUPP)
        if waits.stream:
            if size == 0:
                return b""
            data: bytes = self._until(lambda: endpoint.receive(size, bool(flags & _PEEK)), flags, waits.wait_read)
            if flags & _WAITALL and not flags & _PEEK and waits.timeout != 0.0:
                while data and len(data) < size:
                    left = size - len(data)
                    more = self._until(partial(endpoint.receive, left), flags, waits.wait_read)
                    if not more:
                        break
                    data += more
            return data
        return self._receive_datagram(size, flags)[0]

    def _receive_datagram(self, size: int, flags: int) -> tuple[bytes, Any]:
        waits = self._fd_waits
        endpoint = self._endpoint
        data, origin = self._next_datagram(endpoint, flags)
        return data[:size], _address(waits.family, origin)

    def _next_datagram(self, endpoint: Any, flags: int) -> tuple[bytes, Any]:
        """The next one, whole. One that is empty, from nowhere, where nothing is to be read any more."""
        waits = self._fd_waits
        if endpoint.read_shut and waits.timeout != 0.0 and not endpoint.queue:
            return b"", None
        found: tuple[bytes, Any] = self._until(
            lambda: endpoint.receive_from(bool(flags & _PEEK)), flags, waits.wait_read
        )
        return found

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """As socket.recv. Switches when nothing is there."""
        bufsize = index(bufsize)
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        return self._receive(bufsize, index(flags))

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As socket.recv_into. Switches when nothing is there."""
        with _writable(buffer, "recv_into") as octets:
            size = _size_in(octets, nbytes, "recv_into")
            if size == 0:
                return 0
            data = self._receive(size, index(flags))
            octets[: len(data)] = data
        return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """As socket.recvfrom. Switches when nothing is there."""
        bufsize = index(bufsize)
        if bufsize < 0:
            raise ValueError("negative buffersize in recvfrom")
        if self._fd_waits.stream:
            return self._receive(bufsize, index(flags)), None
        return self._receive_datagram(bufsize, index(flags))

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As socket.recvfrom_into. Switches when nothing is there."""
        with _writable(buffer, "recvfrom_into") as octets:
            data, origin = self.recvfrom(_size_in(octets, nbytes, "recvfrom_into"), flags)
            octets[: len(data)] = data
        return len(data), origin

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        """As socket.recvmsg; there is never any ancillary data. Switches when nothing is there."""
        if index(bufsize) < 0:
            raise ValueError("negative buffer size in recvmsg()")
        if self._fd_waits.stream:
            return self._receive(bufsize, index(flags)), [], 0, None
        endpoint, waits = self._endpoint, self._fd_waits
        data, origin = self._next_datagram(endpoint, flags)
        told = _TRUNC if len(data) > bufsize else 0
        return data[:bufsize], [], told, _address(waits.family, origin)

    def recvmsg_into(self, buffers: Any, ancbufsize: int = 0, flags: int = 0) -> Any:
        """As socket.recvmsg_into. Switches when nothing is there."""
        buffers = _again(buffers)
        views = [memoryview(each).cast("B") for each in buffers]
        try:
            data, ancillary, told, origin = self.recvmsg(sum(map(len, views)), ancbufsize, flags)
            at = 0
            for view in views:
                part = data[at : at + len(view)]
                view[: len(part)] = part
                at += len(part)
            return len(data), ancillary, told, origin
        finally:
            for view in views:
                view.release()

    # Sending.

    def send(self, data: Any, flags: int = 0, timeout: Any = timeout_default) -> int:
        """As socket.send. Switches when there is no room."""
        limit = None if timeout is timeout_default else seconds_of(timeout)
        with memoryview(data) as view, _octets(view) as octets:
            return self._send(octets, index(flags), limit=limit)

    def _send(self, octets: memoryview, flags: int, address: Any = None, limit: float | None = None) -> int:
        waits = self._fd_waits
        endpoint = self._endpoint
        if waits.stream:
            count: int = self._until(lambda: endpoint.send(octets), flags, waits.wait_write, limit)
            return count
        size: int = self._until(lambda: endpoint.send_to(octets, address), flags, waits.wait_write, limit)
        return size

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As socket.sendall. Switches when there is no room; the timeout is for all of it."""
        waits = self._fd_waits
        flags = index(flags)
        with memoryview(data) as view, _octets(view) as octets:
            if not waits.stream:
                self._send(octets, flags)
                return
            if waits.timeout != 0.0:
                get_hub().spend()
            sent = 0
            end = None
            while True:
                sent += self._endpoint.send(octets[sent:]) or 0
                if sent >= len(octets):
                    return
                if waits.timeout == 0.0 or (flags & _DONTWAIT and waits.timeout < 0.0):
                    raise would_block()
                if waits.timeout < 0.0:
                    waits.wait_write(FOREVER)
                    continue
                now = get_hub().loop.update_now()
                end = now + waits.timeout if end is None else end
                if now >= end:
                    raise TimeoutError("timed out")
                waits.wait_write(end - now)

    def sendto(self, data: Any, *args: Any) -> int:
        """As socket.sendto. Switches to look up a host's name."""
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(args) + 1} given)")
        flags = index(args[0]) if len(args) == 2 else 0
        with memoryview(data) as view, _octets(view) as octets:
            address = _resolved(self, args[-1])
            if self._fd_waits.stream:
                return self._send(octets, flags)
            self._endpoint.parsed(address, "sendto")
            return self._send(octets, flags, address)

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """As socket.sendmsg; ancillary data goes nowhere, as on a network. Switches when there is no room."""
        data = b"".join(map(bytes, _again(buffers)))
        if list(_again(ancdata)):
            raise _options.refuse(errno.EINVAL)
        if address is not None:
            address = _resolved(self, address)
        with memoryview(data) as view:
            return self._send(view, index(flags), None if self._fd_waits.stream else address)

    def _sendfile_use_sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        raise _stdlib._GiveupOnSendfile("a simulated socket has no fd")  # type: ignore[attr-defined]


def _address(family: int, origin: tuple[str, int] | None) -> Any:
    return None if origin is None else address_of(family, *origin)


def _writable(buffer: Any, name: str) -> memoryview:
    try:
        with memoryview(buffer) as view:
            if view.readonly:
                raise BufferError
            return view.cast("B")
    except (BufferError, TypeError):
        kind = type(buffer).__name__
        raise TypeError(f"{name}() argument 1 must be read-write bytes-like object, not {kind}") from None


def _size_in(octets: memoryview, nbytes: int, name: str) -> int:
    nbytes = index(nbytes)
    if nbytes < 0:
        raise ValueError(f"negative buffersize in {name}")
    if nbytes > len(octets):
        raise ValueError("buffer too small for requested bytes" if name == "recv_into" else
                         "nbytes is greater than the length of the buffer")  # fmt: skip
    return nbytes or len(octets)


# The class of a new socket.

simulated_classes[socket] = SimSocket


def simulated_class(cls: type) -> type:
    """The class that makes a `cls` a simulated socket."""
    found = simulated_classes.get(cls)
    if found is None:
        if issubclass(cls, SimSocket):
            found = cls
        else:
            found = type(cls.__name__, (cls, SimSocket), {"__slots__": (), "__module__": cls.__module__})
            found.__qualname__ = cls.__qualname__
        simulated_classes[cls] = found
    return found


def _new(cls: type, *args: Any, **kwargs: Any) -> Any:
    return blank(cls if process_here() is None else simulated_class(cls))


_installed = False


def install() -> None:
    """Have new sockets be simulated where their hub's loop is. For the whole process; harmless when done before."""
    global _installed
    if not _installed:
        _installed = True
        socket.__new__ = _new  # type: ignore[method-assign]


def uninstall() -> None:
    """Undo `install`."""
    global _installed
    if _installed:
        _installed = False
        del socket.__new__
