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

    `listener` is (host, port), with port 0 for any free one, a path for a Unix socket, or a listening socket.
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
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        else:
            family = socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if self.reuse_addr is not False and not isinstance(address, (str, bytes)):
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(self.backlog)
        except OSError as error:
            listener.close()
            raise OSError(error.errno, f"{error.strerror}: cannot listen on {address!r}") from error
        except BaseException:
            listener.close()
            raise
        return listener

    def do_read(self) -> tuple[Any, ...] | None:
        """The next connection and its address. Switches."""
        listener = self.socket
        return None if listener is None else listener.accept()

    def do_close(self, *args: Any) -> None:
        """Close the connection."""
        args[0].close()
