# cython: binding=True
"""The methods of SSLSocket that a busy connection calls. They call its Tls or, without one, the plain socket."""

from __future__ import annotations

from ssl import SSLEOFError

from hubcore._base import uncompiled as cython
from hubcore._base.hints import Any
from hubcore._base.originals import original

if not cython.compiled:
    from hubcore._tls.connection import Tls

# The class after it in the method resolution order is the plain socket.
_Base: Any = original("ssl", "SSLSocket")


@cython.locals(tls=Tls)
def recv(self: Any, buflen: int = 1024, flags: int = 0) -> bytes:
    """Like ssl.SSLSocket.recv. Switches if no data is ready."""
    tls = self._sslobj
    if tls is None:
        return super(_Base, self).recv(buflen, flags) if not self._rest else _from_rest(self, buflen, flags)
    if flags:
        raise _no_flags(self, "recv")
    try:
        data: bytes = tls.read(buflen, None)
    except SSLEOFError:
        if not self.suppress_ragged_eofs:
            raise
        return b""
    return data


@cython.locals(tls=Tls)
def recv_into(self: Any, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
    """Like ssl.SSLSocket.recv_into. Switches if no data is ready."""
    if nbytes is None:
        with memoryview(buffer) as view:
            nbytes = view.nbytes or 1024
    tls = self._sslobj
    count: int
    if tls is None:
        if not self._rest:
            count = super(_Base, self).recv_into(buffer, nbytes, flags)
            return count
        with memoryview(buffer) as view, view.cast("B") as octets:
            data = _from_rest(self, min(nbytes or len(octets), len(octets)), flags)
            octets[: len(data)] = data
            return len(data)
    if flags:
        raise _no_flags(self, "recv_into")
    try:
        count = tls.read(nbytes, buffer)
    except SSLEOFError:
        if not self.suppress_ragged_eofs:
            raise
        return 0
    return count


@cython.locals(tls=Tls)
def send(self: Any, data: Any, flags: int = 0) -> int:
    """Like ssl.SSLSocket.send. Switches when the kernel accepts no more."""
    tls = self._sslobj
    count: int
    if tls is None:
        count = super(_Base, self).send(data, flags)
        return count
    if flags:
        raise _no_flags(self, "send")
    count = tls.write(data)
    return count


@cython.locals(tls=Tls)
def sendall(self: Any, data: Any, flags: int = 0) -> None:
    """Like ssl.SSLSocket.sendall. Switches when the kernel accepts no more."""
    tls = self._sslobj
    if tls is None:
        super(_Base, self).sendall(data, flags)
        return
    if flags:
        raise _no_flags(self, "sendall")
    if type(data) is bytes and self._fd_waits.timeout != 0.0:
        tls.write(data)
        return
    with memoryview(data) as view, view.cast("B") as octets:
        sent = 0
        while sent < len(octets):
            sent += tls.write(octets[sent:])


@cython.locals(tls=Tls)
def read(self: Any, len: int = 1024, buffer: Any = None) -> Any:
    """Like ssl.SSLSocket.read. Switches if no data is ready."""
    tls = self._sslobj
    if tls is None:
        raise ValueError("Read on closed or unwrapped SSL socket.")
    try:
        return tls.read(len, buffer)
    except SSLEOFError:
        if not self.suppress_ragged_eofs:
            raise
        return b"" if buffer is None else 0


@cython.locals(tls=Tls)
def write(self: Any, data: Any) -> int:
    """Like ssl.SSLSocket.write. Switches when the kernel accepts no more."""
    tls = self._sslobj
    if tls is None:
        raise ValueError("Write on closed or unwrapped SSL socket.")
    count: int = tls.write(data)
    return count


def _no_flags(sock: Any, name: str) -> ValueError:
    return ValueError(f"non-zero flags not allowed in calls to {name}() on {sock.__class__}")


def _from_rest(sock: Any, size: int, flags: int) -> bytes:
    """Return data that arrived after the end of TLS; it comes before the socket's own."""
    if size < 0:
        raise ValueError("negative buffersize in recv")
    data: bytes = sock._rest[:size]
    if not flags:
        sock._rest = sock._rest[size:]
    return data
