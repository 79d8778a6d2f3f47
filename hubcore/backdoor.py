"""A Python prompt into a running process: BackdoorServer.

A client that connects can do everything that the process can. Therefore the server listens on a Unix socket that only
its own user can open, or on a loopback address.

    server = BackdoorServer(locals={"app": app})
    server.start()
    print(server.address)            # and then: socat readline UNIX-CONNECT:<that>
"""

from __future__ import annotations

import builtins
import os
import sys

from hubcore import socket
from hubcore._base.hints import Any
from hubcore._version import __version__
from hubcore.server import StreamServer

_HOSTS_OF_LOOPBACK = "127.0.0.1 or ::1"


class BackdoorServer(StreamServer):
    """Serves a Python prompt, one greenlet per connection, with `locals` as its variables.

    `listener` is as for StreamServer; None, the default, means a Unix socket named after the process, in
    $XDG_RUNTIME_DIR or the folder for temporary files. Only this user can open a Unix socket that the server makes. An
    address that other machines can reach raises ValueError unless `allow_remote` is true; the server asks for no
    password.

    Each connection has its own variables and standard streams; the greenlets that are spawned from it share them.
    quit(), exit(), Ctrl-D and sys.exit() end the connection. A blocking call at the prompt blocks the whole hub.
    """

    def __init__(
        self,
        listener: Any = None,
        locals: dict[str, Any] | None = None,
        banner: str | None = None,
        *,
        allow_remote: bool = False,
        **server_args: Any,
    ) -> None:
        self.allow_remote = allow_remote
        self.locals: dict[str, Any] = {
            "__doc__": None,
            "__name__": "__console__",
            "__builtins__": builtins,  # exec would set the module's dict, which is long when shown
            **(locals or {}),
        }
        self.banner = banner
        super().__init__(default_path() if listener is None else listener, **{"spawn": "default", **server_args})
        if isinstance(self.address, tuple):
            self._check(self.address, bound=self.socket is not None)

    def make_listener(self, address: Any) -> socket.socket:
        """Like StreamServer's, but a Unix socket can be opened by this user only."""
        if isinstance(address, tuple):
            listener = super().make_listener(address)
            try:
                self._check(listener.getsockname(), bound=True)
            except BaseException:
                listener.close()
                raise
            return listener
        # Only the umask protects the file from the moment it exists. It is process-wide, so it changes only briefly.
        mask = os.umask(0o177)
        try:
            return super().make_listener(address)
        finally:
            os.umask(mask)

    def _check(self, address: tuple[Any, ...], bound: bool) -> None:
        import ipaddress

        host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
        try:
            here = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            if host:
                return  # a name: its address is checked once it is bound
            here = ipaddress.ip_address("::")
        here = getattr(here, "ipv4_mapped", None) or here
        if not here.is_loopback and not self.allow_remote:
            if bound and self.socket is not None:
                unused = self.socket
                self.socket = None
                unused.close()
            raise ValueError(
                f"other machines could open a backdoor on {address!r}; use {_HOSTS_OF_LOOPBACK} or a path, "
                "or pass allow_remote=True"
            )

    def handle(self, conn: Any, _address: Any) -> None:
        """Serve a prompt on `conn` until the connection ends. Switches."""
        from hubcore._servers.console import Console

        banner = self.banner
        if banner is None:
            banner = f"Python {sys.version} on {sys.platform}\nhubcore {__version__}, process {os.getpid()}"
        try:
            Console(conn, self.locals).run(banner)
        except OSError:
            pass  # the peer has disconnected


def default_path() -> str:
    """Return the path where a backdoor without a `listener` listens."""
    folder = os.environ.get("XDG_RUNTIME_DIR")
    if not folder:
        import tempfile

        folder = tempfile.gettempdir()
    return os.path.join(folder, f"hubcore-backdoor-{os.getpid()}.socket")


__all__ = ["BackdoorServer"]
