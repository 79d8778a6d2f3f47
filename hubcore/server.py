"""Servers: StreamServer, a greenlet per connection, and DatagramServer, one per datagram."""

from __future__ import annotations

from hubcore import socket
from hubcore._listening import OwnPath, activated, bound, from_fd
from hubcore.baseserver import BaseServer
from hubcore.timeout import Timeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _SocketServer(BaseServer):
    """What StreamServer and DatagramServer have in common: the socket."""

    #: Whether to bind an address that connections of an earlier server still use; None: yes.
    reuse_addr: bool | None = None
    #: Whether several processes may serve the same port, each getting its share (SO_REUSEPORT).
    reuse_port = False

    _own_path: OwnPath | None = None

    def set_listener(self, listener: Any) -> None:
        """Listen on `listener`: a socket, or what names one or where to bind one at `start`."""
        if isinstance(listener, str) and listener.startswith("fd://"):
            number = listener.removeprefix("fd://")
            if not number.isascii() or not number.isdigit():
                raise ValueError(f"{listener!r} is no file descriptor; it takes fd:// and its number")
            listener = from_fd(int(number))
        elif hasattr(listener, "recvfrom") and not isinstance(listener, socket.socket):
            # Another kind of socket would block everybody.
            listener = socket.socket(listener.family, listener.type, listener.proto, fileno=listener.detach())
        super().set_listener(listener)

    def init_socket(self) -> None:
        """Listen, unless it does already: what `start` does first."""
        made = self.socket is None
        super().init_socket()
        if made and isinstance(self.address, (str, bytes)):
            self._own_path = OwnPath(self.address)

    def close(self) -> None:
        """Accept no more and listen no more; handlers go on. A Unix socket that it made is removed. Never switches."""
        own, self._own_path = self._own_path, None
        if own is not None:
            own.remove()
        super().close()

    def _patiently(self, call: Callable[..., Any], *args: Any) -> Any:
        """`call` of the socket, or None after a wait.

        A socket that was handed over may be non-blocking or have a timeout; both are its owner's wish for calls of
        its own.
        """
        sock = self.socket
        try:
            return call(*args)
        except BlockingIOError:
            if sock.fileno() >= 0:
                socket.wait_read(sock.fileno())
        except TimeoutError as error:
            if error.errno is not None:
                raise
        return None


class StreamServer(_SocketServer):
    """Calls `handle(socket, address)` for each connection, and closes the socket when that has returned or failed.

    `listener` is (host, port), with port 0 for any free one, "host:port", a port alone, a path for a Unix socket (with
    a "/"), "fd://3" for a listening socket that is open already, or a listening socket, which is the server's from then
    on. An empty host is every address of this machine.

    With `ssl_context`, or `certfile` and `keyfile`, it serves TLS: `handle` gets the TLS socket after the handshake,
    which happens in the connection's greenlet. A peer that fails at it, or takes longer than `handshake_timeout`, is
    dropped, with a line in the log.
    """

    #: How many connections wait in the kernel to be accepted.
    backlog = 128
    #: Seconds that a peer has for the TLS handshake; None for as long as it takes.
    handshake_timeout: float | None = 60.0

    def __init__(
        self,
        listener: Any,
        handle: Callable[[Any, Any], object] | None = None,
        backlog: int | None = None,
        spawn: Any = "default",
        *,
        reuse_port: bool | None = None,
        **ssl_args: Any,
    ) -> None:
        if reuse_port is not None:
            self.reuse_port = reuse_port
        self._wrap: Callable[..., Any] | None = None
        self.ssl_args = ssl_args
        if ssl_args:
            from hubcore._tlsserver import wrapper

            self._wrap = wrapper(ssl_args)
        if backlog is not None:
            if hasattr(listener, "accept"):
                raise TypeError("backlog is for an address; a socket that is handed over listens already")
            if not isinstance(backlog, int):
                raise TypeError(f"backlog is a whole number of connections, or None, not {backlog!r}")
            self.backlog = backlog
        super().__init__(listener, handle, spawn)

    @classmethod
    def get_listener(cls, address: Any, backlog: int | None = None, family: int | None = None) -> socket.socket:
        """A listening socket bound to `address`, as the class's attributes say."""
        return bound(
            address,
            socket.SOCK_STREAM,
            family,
            reuse_addr=cls.reuse_addr is not False,
            reuse_port=cls.reuse_port,
            backlog=cls.backlog if backlog is None else backlog,
        )

    def make_listener(self, address: Any) -> socket.socket:
        """A listening socket bound to `address`, as the server's attributes say."""
        if type(self).get_listener.__func__ is not StreamServer.get_listener.__func__:  # type: ignore[attr-defined]
            return self.get_listener(address, self.backlog)  # a subclass has its own idea
        return bound(
            address,
            socket.SOCK_STREAM,
            reuse_addr=self.reuse_addr is not False,
            reuse_port=self.reuse_port,
            backlog=self.backlog,
        )

    @property
    def ssl_enabled(self) -> bool:
        """Whether it serves TLS."""
        return self._wrap is not None

    def do_read(self) -> tuple[Any, ...] | None:
        """The next connection and its address; None if there was none after all. Switches."""
        listener = self.socket
        if listener is None:
            return None
        connection: tuple[Any, ...] | None = self._patiently(listener.accept)
        return connection

    def do_close(self, sock: socket.socket, *args: Any) -> None:
        """Close the connection."""
        sock.close()

    def _call_handle(self, *args: Any) -> None:
        if self._wrap is not None:
            self.wrap_socket_and_handle(*args)
        elif self.handle is not None:
            self.handle(*args)  # what the next line does, without the way there
        else:
            super()._call_handle(*args)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> None:
        """Do the TLS handshake on a connection and have it handled. Switches."""
        assert self._wrap is not None
        try:
            with Timeout(self.handshake_timeout, TimeoutError("the peer took too long for the TLS handshake")):
                tls = self._wrap(client_socket)
        except OSError as error:  # ssl.SSLError is one
            import logging

            client_socket.close()
            logging.getLogger("hubcore").info("%r: no TLS with %r: %s", self, address, error)
            return
        try:
            super()._call_handle(tls, address)
        finally:
            tls.close()


class DatagramServer(_SocketServer):
    """Calls `handle(data, address)` for each datagram. Answer with `sendto(data, address)`.

    `listener` is as for StreamServer, or a bound datagram socket. To take one datagram after the other, `spawn=None`.
    """

    #: The most bytes of a datagram that are read; the rest of a larger one is lost.
    max_size = 65536

    def __init__(
        self,
        listener: Any,
        handle: Callable[[bytes, Any], object] | None = None,
        spawn: Any = "default",
        *,
        reuse_port: bool | None = None,
    ) -> None:
        if reuse_port is not None:
            self.reuse_port = reuse_port
        super().__init__(listener, handle, spawn)

    @classmethod
    def get_listener(cls, address: Any, family: int | None = None) -> socket.socket:
        """A datagram socket bound to `address`, as the class's attributes say."""
        reuse = bool(cls.reuse_addr)  # a second server on a UDP port would take the first one's datagrams
        return bound(address, socket.SOCK_DGRAM, family, reuse_addr=reuse, reuse_port=cls.reuse_port)

    def make_listener(self, address: Any) -> socket.socket:
        """A datagram socket bound to `address`, as the server's attributes say."""
        if type(self).get_listener.__func__ is not DatagramServer.get_listener.__func__:  # type: ignore[attr-defined]
            return self.get_listener(address)
        reuse = bool(self.reuse_addr)
        return bound(address, socket.SOCK_DGRAM, reuse_addr=reuse, reuse_port=self.reuse_port)

    def do_read(self) -> tuple[Any, ...] | None:
        """The next datagram and where it came from; None if there was none after all. Switches."""
        sock = self.socket
        if sock is None:
            return None
        try:
            datagram: tuple[Any, ...] | None = self._patiently(sock.recvfrom, self.max_size)
        except (ConnectionRefusedError, ConnectionResetError):
            return None  # an earlier answer found nobody; that is no news about what comes
        return datagram

    def sendto(self, *args: Any) -> int:
        """Send from the address that the server listens on: `sendto(data, address)`. As socket.sendto."""
        if self.socket is None:
            raise OSError(f"{self!r} has no socket to send from; start() it first")
        sent: int = self.socket.sendto(*args)
        return sent


__all__ = ["DatagramServer", "StreamServer", "activated"]
