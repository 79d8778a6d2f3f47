"""Servers: StreamServer runs a greenlet per connection, DatagramServer a greenlet per datagram."""

from __future__ import annotations

from hubcore import socket
from hubcore._base.hints import Any, Callable
from hubcore._base.package import publish_all
from hubcore._servers.listening import OwnPath, activated, bound, from_fd
from hubcore.baseserver import BaseServer
from hubcore.timeout import Timeout


class _SocketServer(BaseServer):
    """The base of StreamServer and DatagramServer: it owns the socket."""

    #: Whether to bind an address that connections of an earlier server still use (SO_REUSEADDR). None is the default:
    #: True for StreamServer, False for DatagramServer.
    reuse_addr: bool | None = None
    #: Whether several processes may serve the same port, each with a share of the traffic (SO_REUSEPORT).
    reuse_port = False

    _own_path: OwnPath | None = None

    def set_listener(self, listener: Any) -> None:
        """Listen on `listener`: a socket, an fd:// name of one, or an address that `start` binds. Never switches."""
        if isinstance(listener, str) and listener.startswith("fd://"):
            number = listener.removeprefix("fd://")
            if not number.isascii() or not number.isdigit():
                raise ValueError(f"{listener!r} names no file descriptor; use fd:// and a number, such as fd://3")
            listener = from_fd(int(number))
        elif hasattr(listener, "recvfrom") and not isinstance(listener, socket.socket):
            # Another kind of socket would block the whole thread.
            listener = socket.socket(listener.family, listener.type, listener.proto, fileno=listener.detach())
        super().set_listener(listener)

    def init_socket(self) -> None:
        """Bind and listen, unless the server listens already. `start` does this first."""
        made = self.socket is None
        super().init_socket()
        if made and isinstance(self.address, (str, bytes)):
            self._own_path = OwnPath(self.address)

    def close(self) -> None:
        """Stop accepting and listening; handlers go on. Remove the Unix socket that the server made. Never switches."""
        own, self._own_path = self._own_path, None
        if own is not None:
            own.remove()
        super().close()

    def _patiently(self, call: Callable[..., Any], *args: Any) -> Any:
        """Return the result of `call`, a method of the socket, or None if it would block or timed out. Switches.

        A socket that the program passed in may be non-blocking or have a timeout. Both settings concern the program's
        own calls; the server waits all the same.
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
    """Calls `handle(socket, address)` for each connection, and closes the socket when the handler returns or raises.

    `listener` is (host, port), where port 0 means any free port; "host:port"; a port alone; a path for a Unix socket
    (with a "/"); "fd://3" for a listening socket that is already open; or a listening socket, which then belongs to the
    server. An empty host means every address of this machine.

    With `ssl_context`, or `certfile` and `keyfile`, the server speaks TLS: the handshake runs in the connection's
    greenlet, and `handle` then gets the TLS socket. The server drops a peer whose handshake fails or takes longer than
    `handshake_timeout`, and logs a line.
    """

    #: How many connections may wait in the kernel to be accepted.
    backlog: int = 128
    #: Seconds that a peer has for the TLS handshake; None means no limit.
    handshake_timeout: float | None = 60.0
    #: The protocols that TLS offers by ALPN, where the server makes its own context.
    alpn_protocols: tuple[str, ...] = ()

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
            from hubcore._servers.tls_arguments import wrapper

            self._wrap = wrapper(ssl_args, self.alpn_protocols)
        if backlog is not None:
            if hasattr(listener, "accept"):
                raise TypeError(f"backlog={backlog!r} needs an address; the given socket listens already")
            if not isinstance(backlog, int):
                raise TypeError(f"backlog must be a whole number of connections or None, not {backlog!r}")
            self.backlog = backlog
        super().__init__(listener, handle, spawn)

    @classmethod
    def get_listener(cls, address: Any, backlog: int | None = None, family: int | None = None) -> socket.socket:
        """Return a listening socket bound to `address`, configured by the class's attributes."""
        return bound(
            address,
            socket.SOCK_STREAM,
            family,
            reuse_addr=cls.reuse_addr is not False,
            reuse_port=cls.reuse_port,
            backlog=cls.backlog if backlog is None else backlog,
        )

    def make_listener(self, address: Any) -> socket.socket:
        """Return a listening socket bound to `address`, configured by the server's attributes."""
        if type(self).get_listener.__func__ is not StreamServer.get_listener.__func__:  # type: ignore[attr-defined]
            return self.get_listener(address, self.backlog)  # a subclass has overridden it
        return bound(
            address,
            socket.SOCK_STREAM,
            reuse_addr=self.reuse_addr is not False,
            reuse_port=self.reuse_port,
            backlog=self.backlog,
        )

    @property
    def ssl_enabled(self) -> bool:
        """Whether the server speaks TLS."""
        return self._wrap is not None

    def do_read(self) -> tuple[Any, ...] | None:
        """Return the next connection and its address, or None if none came after all. Switches."""
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
            self.handle(*args)  # the next line does the same, with one more call
        else:
            super()._call_handle(*args)

    def wrap_socket_and_handle(self, client_socket: Any, address: Any) -> None:
        """Do the TLS handshake on a connection, then call the handler. Switches."""
        assert self._wrap is not None
        try:
            with Timeout(self.handshake_timeout, TimeoutError("the TLS handshake timed out")):
                tls = self._wrap(client_socket)
        except OSError as error:  # ssl.SSLError is a subclass
            import logging

            client_socket.close()
            logging.getLogger("hubcore").info("%r: TLS handshake with %r failed: %s", self, address, error)
            return
        try:
            super()._call_handle(tls, address)
        finally:
            tls.close()


class DatagramServer(_SocketServer):
    """Calls `handle(data, address)` for each datagram. The handler answers with `sendto(data, address)`.

    `listener` is as for StreamServer, or a bound datagram socket. With `spawn=None` the server handles one datagram
    after the other.
    """

    #: The number of bytes that the server reads of a datagram; the rest of a larger one is lost.
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
        """Return a datagram socket bound to `address`, configured by the class's attributes."""
        reuse = bool(cls.reuse_addr)  # a second server on a UDP port would take the first one's datagrams
        return bound(address, socket.SOCK_DGRAM, family, reuse_addr=reuse, reuse_port=cls.reuse_port)

    def make_listener(self, address: Any) -> socket.socket:
        """Return a datagram socket bound to `address`, configured by the server's attributes."""
        if type(self).get_listener.__func__ is not DatagramServer.get_listener.__func__:  # type: ignore[attr-defined]
            return self.get_listener(address)
        reuse = bool(self.reuse_addr)
        return bound(address, socket.SOCK_DGRAM, reuse_addr=reuse, reuse_port=self.reuse_port)

    def do_read(self) -> tuple[Any, ...] | None:
        """Return the next datagram and its sender's address, or None if none came after all. Switches."""
        sock = self.socket
        if sock is None:
            return None
        try:
            datagram: tuple[Any, ...] | None = self._patiently(sock.recvfrom, self.max_size)
        except (ConnectionRefusedError, ConnectionResetError):
            return None  # the error of an earlier answer to a peer that is gone; it says nothing about later datagrams
        return datagram

    def sendto(self, *args: Any) -> int:
        """Send from the address that the server listens on: `sendto(data, address)`. Like socket.sendto. May switch."""
        if self.socket is None:
            raise OSError(f"{self!r} has no socket to send from; start() it first")
        sent: int = self.socket.sendto(*args)
        return sent


__all__ = ["DatagramServer", "StreamServer", "activated"]


publish_all(globals())
