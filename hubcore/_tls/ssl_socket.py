"""SSLSocket: the standard library's class on hubcore's socket, with a Tls in place of OpenSSL's object.

The standard library's class is the first base. Its super() calls for the plain socket therefore reach hubcore's socket,
which waits in the hub.
"""

from __future__ import annotations

import ssl as _stdlib
from contextlib import suppress
from errno import EINVAL, ENOTCONN

from hubcore._base.hints import Any, Self
from hubcore._io import read_ahead as _read_ahead
from hubcore._tls import socket_calls as _socket_calls
from hubcore._tls.connection import Tls
from hubcore.socket import socket

TYPE_CHECKING = False

# The class after it in the method resolution order is the plain socket. Patching replaces the name in the module.
_Base: Any = _stdlib.SSLSocket


class SSLSocket(_stdlib.SSLSocket, socket):  # type: ignore[misc] # typeshed's socket, beside ours
    """ssl.SSLSocket, made cooperative: same methods and errors; a call that would block lets other greenlets run.

    SSLContext.wrap_socket makes it. One greenlet may read while others write: each send or sendall goes out in one
    piece. After an error of `sendall` the connection goes on where it was: the encrypted part is sent first. Unless its
    timeout is 0, the socket reads ahead of the caller. hubcore.select takes that into account; a program that waits for
    the file descriptor by other means must check pending() first.
    """

    __slots__ = ("_outer", "_rest", "_sslobj")

    _outer: Any  # a Tls, or None
    _rest: bytes  # data that arrived after the end of TLS
    _sslobj: Any  # the Tls
    _context: Any
    _session: Any
    _closed: bool
    _connected: bool
    do_handshake_on_connect: bool
    suppress_ragged_eofs: bool

    @classmethod
    def _create(
        cls,
        sock: Any,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | None = None,
        context: Any = None,
        session: Any = None,
    ) -> Self:
        if sock.getsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_TYPE) != _stdlib.SOCK_STREAM:
            raise NotImplementedError("only stream sockets are supported")
        if server_side and server_hostname:
            raise ValueError("server_hostname can only be specified in client mode")
        if server_side and session is not None:
            raise ValueError("session can only be specified in client mode")
        if context.check_hostname and not server_hostname:
            raise ValueError("check_hostname requires server_hostname")
        timeout = sock.gettimeout()
        self = cls.__new__(cls)
        super(_Base, self)._begin_as(sock)
        self._outer = None
        self._rest = b""
        if isinstance(sock, SSLSocket):
            self._outer, sock._sslobj = sock._sslobj, None
            self._rest, sock._rest = sock._rest, b""
        self._sslobj = None
        sock._let_go() if isinstance(sock, socket) else sock.detach()
        if (number := self._number()) >= 0:
            _read_ahead.enter(number, self)
        try:
            self._context = context
            self._session = session
            self._closed = False
            self.server_side = server_side
            self.server_hostname = context._encode_hostname(server_hostname)
            self.do_handshake_on_connect = do_handshake_on_connect
            self.suppress_ragged_eofs = suppress_ragged_eofs
            self._connected = self._is_connected()
            self.settimeout(timeout)
            if self._connected:
                self._sslobj = self._new_tls()
                if do_handshake_on_connect:
                    if timeout == 0.0:
                        raise ValueError("do_handshake_on_connect should not be specified for non-blocking sockets")
                    self.do_handshake()
        except BaseException:  # the caller gets no reference to this socket, and `sock` no longer has the fd
            with suppress(OSError):
                self.close()
            raise
        return self

    def _is_connected(self) -> bool:
        try:
            self.getpeername()
        except OSError as error:
            if error.errno != ENOTCONN:
                raise
            self._refuse_early_data(error)
            return False
        return True

    def _refuse_early_data(self, error: OSError) -> None:
        """Raise SSLError if the connection ended before its handshake and left data (bpo-108310).

        Such data must not pass for data that came through TLS.
        """
        self.setblocking(False)
        try:
            data = super(_Base, self).recv(1)
        except OSError as failure:
            if failure.errno not in (ENOTCONN, EINVAL):
                raise
            return
        if data:
            refused = _stdlib.SSLError(error.errno, "Closed before TLS handshake with data in recv buffer.")
            refused.reason = refused.args[1]
            refused.library = None  # type: ignore[assignment]
            try:
                raise refused
            finally:
                del refused  # its traceback holds this frame

    def _new_tls(self) -> Tls:
        tls = Tls(self._fd_waits, self._outer, self._rest)
        self._rest = b""
        tls.start(self._context, self, self.server_side, self.server_hostname, self._session)
        return tls

    if not TYPE_CHECKING:  # the signatures are the standard library's
        recv = _socket_calls.recv
        recv_into = _socket_calls.recv_into
        send = _socket_calls.send
        sendall = _socket_calls.sendall
        read = _socket_calls.read
        write = _socket_calls.write

    def unwrap(self) -> Any:
        """Like ssl.SSLSocket.unwrap: end TLS and return the socket, which goes on without it. Switches."""
        tls = self._sslobj
        if tls is None:
            raise ValueError(f"No SSL wrapper around {self}")
        rest = tls.shutdown()
        self._sslobj = outer = self._outer
        self._outer = None
        if outer is None:
            self._rest = rest
        else:
            outer.take_back(rest)
        return self

    def _readable_now(self) -> bool:
        """Return whether a read would return, or raise, without the kernel. Never switches."""
        return bool(self._rest) if self._sslobj is None else self._sslobj.readable()

    def _let_go(self) -> int:
        _read_ahead.leave(self._number())
        return super()._let_go()

    def _real_close(self) -> None:  # type: ignore[override]
        _read_ahead.leave(self._number())
        tls = self._sslobj
        self._sslobj = self._outer = None
        self._fd_waits.before_close()
        # A reader that goes on takes the input itself.
        if tls is not None and tls.leaves_unread() and self._fd_waits.last_fd < 0:
            self._close_unread()
        else:
            super()._real_close()

    def shutdown(self, how: int) -> None:
        """Like ssl.SSLSocket.shutdown: shut down the plain socket, without a TLS alert to the peer. Never switches."""
        self._outer = None
        super().shutdown(how)

    def _real_connect(self, addr: Any, connect_ex: bool) -> int | None:
        if self.server_side:
            raise ValueError("can't connect in server-side mode")
        if self._connected or self._sslobj is not None:
            raise ValueError("attempt to connect already-connected SSLSocket!")
        self._sslobj = self._new_tls()
        try:
            code = None
            if connect_ex:
                code = super(_Base, self).connect_ex(addr)
            else:
                super(_Base, self).connect(addr)
            if not code:
                self._connected = True
                if self.do_handshake_on_connect:
                    self.do_handshake()
        except (OSError, ValueError):
            self._sslobj = None
            raise
        return code
