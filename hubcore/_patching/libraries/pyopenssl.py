"""Makes the connections of pyOpenSSL wait in the hub, once `socket` is patched.

Facts (OpenSSL/SSL.py): a Connection gives the fd of its socket to OpenSSL, which reads and writes it by itself. On a fd
that blocks it would hold up the hub, and never return if the peer is a greenlet of the same thread; on one that does
not, it reports WantReadError and WantWriteError, also to programs whose socket has no timeout. Consequence: the fd of
such a socket stays non-blocking, and these two errors make the greenlet wait and the call begin again. With a timeout
the program gets them, as without hubcore.
"""

from __future__ import annotations

import os
from errno import EBADF, ECONNRESET
from functools import wraps

from hubcore._base.hints import Any, Callable
from hubcore._base.originals import set_blocking
from hubcore._io.fd_waits import FdWaits
from hubcore._io.wait_fd import wait_read, wait_write
from hubcore._patching.import_hooks import after_import
from hubcore.lock import RLock

_CALLS = ("recv", "recv_into", "do_handshake", "shutdown")


def patch_pyopenssl() -> None:
    """Make pyOpenSSL's connections wait cooperatively, now or when the program imports it."""
    after_import("OpenSSL.SSL", _adapt)


def _adapt(module: Any) -> None:
    cls = module.Connection
    if hasattr(cls.__init__, "__wrapped__"):
        return
    cls.__init__ = _keeping_the_mode(cls.__init__)
    for name in _CALLS:
        setattr(cls, name, _waiting(module, getattr(cls, name)))
    cls.send = _one_at_a_time(_waiting(module, cls.send))
    cls.sendall = _one_at_a_time(_all_by_send(module, cls.sendall))
    cls.read, cls.write = cls.recv, cls.send


def _socket_of(connection: Any) -> Any:
    """Return the hubcore socket of `connection`; None if it has another one or none, or was made before the patch."""
    return connection._socket if "_hubcore_turn" in vars(connection) else None


def _keeping_the_mode(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        waits = getattr(self._socket, "_fd_waits", None)
        if isinstance(waits, FdWaits):
            waits.keeps_nonblocking = True
            set_blocking(waits.fd, False)
            self._hubcore_turn = RLock()

    return __init__


def _waiting(module: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        waited = False
        while True:
            try:
                return original(self, *args, **kwargs)
            except (module.WantReadError, module.WantWriteError) as error:
                sock = _socket_of(self)
                if sock is None or sock.gettimeout() is not None:
                    raise
                wait = wait_read if isinstance(error, module.WantReadError) else wait_write
            except module.SysCallError as error:
                # After a shutdown by another greenlet, a reset is the peer's answer, which came before this one ran.
                if waited and error.args[0] == ECONNRESET and self._socket._fd_waits.ended:
                    raise _end(module) from None
                raise
            waited = True
            waits = sock._fd_waits
            try:
                # A watcher of its own: another greenlet may wait for the same direction, because TLS may read to write.
                wait(waits.fd)
            except OSError:
                if waits.fd >= 0 or not waits.ended:
                    raise
            if waits.fd < 0:  # OpenSSL must not use the number any more
                raise _end(module) if waits.ended else OSError(EBADF, os.strerror(EBADF))

    return call


def _end(module: Any) -> Exception:
    """Return the error by which pyOpenSSL reports the end of the connection without the end of TLS."""
    error: Exception = module.SysCallError(-1, "Unexpected EOF")
    return error


def _one_at_a_time(function: Callable[..., int]) -> Callable[..., int]:
    """Return `function` for one greenlet at a time: OpenSSL requires that a write begins again with the same data."""

    @wraps(function)
    def call(self: Any, *args: Any, **kwargs: Any) -> int:
        if _socket_of(self) is None:
            return function(self, *args, **kwargs)
        with self._hubcore_turn:
            return function(self, *args, **kwargs)

    return call


def _all_by_send(module: Any, original: Callable[..., int]) -> Callable[..., int]:
    @wraps(original)
    def sendall(self: Any, buf: Any, flags: int = 0) -> int:
        sock = _socket_of(self)
        if sock is None or sock.gettimeout() is not None:
            return original(self, buf, flags)
        if isinstance(buf, str):
            buf = module._text_to_bytes_and_warn("buf", buf)
        sent = 0
        with memoryview(buf) as view, view.cast("B") as octets:
            while sent < len(octets):
                sent += self.send(octets[sent:], flags)
        return sent

    return sendall
