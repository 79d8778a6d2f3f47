"""Servers: StreamServer, a greenlet per connection."""

from __future__ import annotations

from hubcore import socket
from hubcore.baseserver import BaseServer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class StreamServer(BaseServer):
    """Calls `handle(socket, address)` for each connection, and closes the socket when that has returned or failed.

    `listener` is (host, port), with port 0 for any free one, "host:port", a port alone, a path for a Unix socket (with
    a "/"), or a listening socket, which is the server's from then on. An empty host is every address of this machine.
    """

    #: How many connections wait in the kernel to be accepted.
    backlog = 128
    #: Whether to bind an address that connections of an earlier server still use; None: yes.
    reuse_addr: bool | None = None

    def __init__(
        self,
        listener: Any,
        handle: Callable[[Any, Any], object] | None = None,
        backlog: int | None = None,
        spawn: Any = "default",
        **ssl_args: Any,
    ) -> None:
        if ssl_args:
            raise TypeError(f"TLS is not built yet, so {', '.join(sorted(ssl_args))} cannot be used")
        if backlog is not None:
            if hasattr(listener, "accept"):
                raise TypeError("backlog is for an address; a socket that is handed over listens already")
            self.backlog = backlog
        if hasattr(listener, "accept") and not isinstance(listener, socket.socket):
            # Another kind of socket would block everybody in accept().
            listener = socket.socket(listener.family, listener.type, listener.proto, fileno=listener.detach())
        super().__init__(listener, handle, spawn)

    def make_listener(self, address: Any) -> socket.socket:
        """A listening socket bound to `address`."""
        if isinstance(address, (str, bytes)):
            return self._listen(socket.AF_UNIX, address)
        if address[0] in ("", b"") and socket.has_dualstack_ipv6():
            return self._listen(socket.AF_INET6, address)
        return self._listen(socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET, address)

    def _listen(self, family: int, address: Any) -> socket.socket:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if self.reuse_addr is not False and family != socket.AF_UNIX:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # With no host it serves both families; a host of this one means this one.
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] in ("", b"") else 1)
            listener.bind(address)
            listener.listen(self.backlog)
        except OSError as error:
            listener.close()
            kind = socket.gaierror if isinstance(error, socket.gaierror) else OSError
            raise kind(error.errno, f"{error.strerror}: cannot listen on {address!r}") from error
        except BaseException:
            listener.close()
            raise
        return listener

    def do_read(self) -> tuple[Any, ...] | None:
        """The next connection and its address; None if there was none after all. Switches."""
        listener = self.socket
        if listener is None:
            return None
        try:
            connection: tuple[Any, ...] = listener.accept()
            return connection
        except BlockingIOError:
            # A socket that was handed over may be non-blocking, or have a timeout; both are its owner's wish for calls
            # of its own.
            socket.wait_read(listener.fileno())
        except TimeoutError as error:
            if error.errno is not None:
                raise
        return None

    def do_close(self, sock: socket.socket, *args: Any) -> None:
        """Close the connection."""
        sock.close()
