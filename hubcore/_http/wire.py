"""Bytes of one connection, in and out, each within its time.

A read is one recv(2) of 64 KiB at most, and is made only when what came before is used up: that is all that a
connection holds beyond what the application asked for. A write waits until the kernel has taken all of it, so that a
client which reads slowly slows down the application and nothing piles up.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._http.errors import ClientGone
from hubcore.hub import get_hub
from hubcore.socket import socket

if not cython.compiled:
    from hubcore._capi.fallback import recv_ready, send_ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hubcore._http.rules import Rules
    from hubcore._io.fd_waits import FdWaits

_AT_ONCE = 65536
_plain = socket


class Wire:
    """A connection's socket and what came in by it that nothing has used yet.

    For a plain socket of ours it makes the system calls itself; any other kind, such as TLS, is used by its methods.
    """

    __slots__ = ("_buffer", "_gone", "_waits", "rules", "socket")

    def __init__(self, sock: Any, rules: Rules) -> None:
        self.socket: Any = sock
        self.rules: Rules = rules
        self._buffer = b""
        self._gone = False  # reading or writing has failed: nothing more goes over this connection
        self._waits: FdWaits | None = sock._fd_waits if type(sock) is _plain else None

    def _receive(self, timeout: float) -> bytes:
        """What comes next, b"" at the end of it. Switches while there is nothing.

        TimeoutError (see `is_time_out`) after `timeout` seconds, negative for none; ClientGone where it is broken.
        """
        try:
            return self._receive_plain(timeout) if self._waits is not None else self._receive_any(timeout)
        except OSError as error:
            if is_time_out(error) or error.errno is None:
                raise
            raise self._lost(error) from error

    def _receive_plain(self, timeout: float) -> bytes:
        waits = self._waits
        assert waits is not None
        if waits.short_read:
            # There was less than was asked for, so there is nothing now.
            waits.short_read = False
            waits.wait_read(timeout)
        data = recv_ready(waits, _AT_ONCE)
        while data is None:
            waits.wait_read(timeout)
            data = recv_ready(waits, _AT_ONCE)
        if 0 < len(data) < _AT_ONCE:
            waits.short_read = True
        return data

    def _receive_any(self, timeout: float) -> bytes:
        if hasattr(self.socket, "settimeout"):
            self.socket.settimeout(None if timeout < 0.0 else timeout)
        data: bytes = self.socket.recv(_AT_ONCE)
        return data

    def _send(self, data: bytes) -> None:
        """Send all of `data`. Switches where the kernel takes no more; ClientGone where it never will."""
        if self._gone:
            raise ClientGone("the connection is closed already")
        try:
            if self._waits is None:
                self._send_any(data)
                return
            sent = send_ready(self._waits, data, 0)
            if sent < len(data):
                self._send_rest(data, sent)
        except OSError as error:
            if error.errno is None and not is_time_out(error):
                raise  # what a Timeout of the application raises here
            raise self._lost(error) from error

    def _send_rest(self, data: bytes, sent: int) -> None:
        waits = self._waits
        assert waits is not None
        while sent < len(data):
            waits.wait_write(self.rules.write_timeout)
            sent += send_ready(waits, data, sent)

    def _send_any(self, data: bytes) -> None:
        sock = self.socket
        if not hasattr(sock, "settimeout"):
            sock.sendall(data)
            return
        sock.settimeout(None if self.rules.write_timeout < 0.0 else self.rules.write_timeout)
        with memoryview(data) as view:
            sent = 0
            while sent < len(data):
                sent += sock.send(view[sent : sent + _AT_ONCE])

    def _send_parts(self, parts: Sequence[bytes]) -> None:
        """As `_send` of all `parts` joined, without joining what is large."""
        small: list[bytes] = []
        size = 0
        for part in parts:
            if size + len(part) > _AT_ONCE and small:
                self._send(b"".join(small))
                small = []
                size = 0
            small.append(part)
            size += len(part)
        self._send(small[0] if len(small) == 1 else b"".join(small))

    def _lost(self, error: OSError) -> ClientGone:
        """The connection is broken: note it, and say so."""
        self._gone = True
        self.rules.resets += 1
        if error.errno is None:
            return ClientGone(f"the client has taken no data for {self.rules.write_timeout:g} seconds")
        return ClientGone(error.errno, f"the client is gone: {error.strerror}")

    def _end_tls(self) -> None:
        """Tell the peer by TLS, where there is TLS, that nothing more comes. Does not wait for its answer."""
        if self._waits is None and not self._gone and hasattr(self.socket, "unwrap"):
            try:
                self.socket.settimeout(0.0)
                self.socket.unwrap()
            except (OSError, ValueError):
                pass  # the answer has not come, or there is no TLS any more

    def _now(self) -> float:
        """The loop's time, in seconds."""
        return get_hub().loop.update_now()


def is_time_out(error: BaseException) -> bool:
    """Whether `error` is a socket's own, that its time is over: neither the kernel's nor a Timeout's."""
    return isinstance(error, TimeoutError) and error.errno is None and str(error).endswith("timed out")
