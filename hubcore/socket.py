"""The standard library's socket module, made cooperative: calls that would block wait in the hub.

`socket` is a subclass of the standard library's socket class, so code that checks for that class accepts it. Every
other name, constants included, is the standard library's own.
"""

from __future__ import annotations

import os
import socket as _stdlib
import sys
from _socket import socket as _native
from _socket import socketpair as _native_socketpair
from errno import EAGAIN, EBADF
from operator import index
from socket import error, gaierror, getdefaulttimeout, herror, timeout
from types import FunctionType

from hubcore._base.hints import Any, Callable
from hubcore._base.originals import original, set_blocking
from hubcore._io.fd_waits import FdWaits, blocks_for_others
from hubcore._io.wait_fd import cancel_wait, cancel_wait_ex, closing_fd, wait, wait_read, wait_readwrite, wait_write
from hubcore._sockets import connecting as _connecting
from hubcore._sockets import ended as _ended
from hubcore._sockets import lending as _lending
from hubcore._sockets import name_lookups as _name_lookups
from hubcore._sockets import sendfile as _sendfile
from hubcore._sockets.arguments import octets as _octets
from hubcore._sockets.arguments import reiterable as _again
from hubcore._sockets.call_timeout import seconds_of as _call_seconds
from hubcore._sockets.call_timeout import timeout_default as timeout_default
from hubcore._sockets.happy_eyeballs import Race, host_and_port
from hubcore._sockets.name_lookups import getfqdn, gethostbyaddr, gethostbyname, gethostbyname_ex, getnameinfo
from hubcore._sockets.name_lookups import resolved_for as _resolved
from hubcore._sync.steps import note_try_if_patched
from hubcore.hub import get_hub

try:
    from hubcore._sockets import address_calls as _fast_addressed
    from hubcore._sockets import stream_calls as _fast
    from hubcore._sockets.stream_calls import close_unread
except ImportError:  # an uncompiled run: the class below then uses the standard library's socket
    from hubcore._capi.fallback import close_unread

    _fast = _fast_addressed = None  # type: ignore[assignment]

_FOREVER = -1.0
_STREAM = int(_stdlib.SOCK_STREAM)
_NONBLOCK = int(getattr(_stdlib, "SOCK_NONBLOCK", 0))
_DONTWAIT = getattr(_stdlib, "MSG_DONTWAIT", 0)
_truth = bool if sys.version_info >= (3, 12) else index  # how the standard library converts setblocking's argument


class socket(_stdlib.socket):
    """socket.socket, made cooperative: same methods and errors; a call that would block lets other greenlets run.

    One greenlet may read while another writes. A second reader (or writer) gets ConcurrentObjectUseError. Closing a
    socket raises OSError (EBADF) in every greenlet that waits on it; a `shutdown` before it ends the reader's wait with
    what had come, or with the end of the input. Any thread may use a socket; at any moment one
    thread may read and one may write.
    """

    __slots__ = ("_fd_waits",)

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        timeout: float | None = None
        if fileno is None and _NONBLOCK:
            # As a flag of the type, non-blocking mode needs no system call of its own.
            if type == -1:
                type = _stdlib.SOCK_STREAM
            timeout = 0.0 if type & _NONBLOCK else getdefaulttimeout()
            super().__init__(family, int(type) | _NONBLOCK, proto)
        else:
            super().__init__(family, type, proto, fileno)
            timeout = _native.gettimeout(self)  # the default timeout, or 0.0 for SOCK_NONBLOCK
            if timeout is not None:
                _native.settimeout(self, 0.0)
        kind = _native.type.__get__(self)
        stream = kind & 0xF == _STREAM
        waits = self._fd_waits = FdWaits(_native.fileno(self), stream, _FOREVER if timeout is None else timeout)
        waits.family = _native.family.__get__(self)
        waits.kind = kind
        waits.proto = _native.proto.__get__(self)
        if timeout is None and (fileno is not None or not _NONBLOCK):
            _lending.adopt(self)

    def _begin_as(self, sock: Any) -> None:
        """Initialise this socket with the fd of `sock`; the caller then calls `sock._let_go()`."""
        ours = isinstance(sock, socket)
        fd = sock._number() if ours else sock.fileno()  # fileno() would lend our fd to the program
        socket.__init__(self, sock.family, sock.type, sock.proto, fd)
        self._fd_waits.lent = self._fd_waits.lent or (ours and sock._fd_waits.lent)

    # Waiting.

    def _when_readable(self, call: Callable[..., Any], *args: Any) -> Any:
        return self._until_it_does(call, args, self._fd_waits.wait_read)

    def _when_writable(self, call: Callable[..., Any], *args: Any) -> Any:
        return self._until_it_does(call, args, self._fd_waits.wait_write)

    def _until_it_does(
        self,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        wait: Callable[[float], int | None],
        limit: float | None = None,
    ) -> Any:
        waits = self._fd_waits
        if limit is None:
            limit = waits.timeout
        get_hub().spend() if limit != 0.0 else note_try_if_patched()
        target: Any = self
        while True:
            fd: int | None = None
            try:
                return call(target, *args)
            except BlockingIOError:
                if limit == 0.0:
                    raise
                if waits.ended and _ended.is_at_end(call, waits):
                    return _ended.at_end(call)
            except ConnectionResetError:
                if waits.cut and call in _ended.AT_END:
                    return _ended.at_end(call)  # the peer's answer to the shutdown that woke this reader came first
                raise
            except OSError as error:
                if error.errno != EBADF or target is not self or waits.last_fd < 0:
                    raise
                fd = waits.last_fd  # another thread has closed the socket just before the call
            finally:
                if target is not self:
                    target.detach()
                    target = self
            if fd is None:
                fd = wait(limit)
            if fd is not None and fd != waits.fd:
                # A shutdown woke the reader and the socket was closed: the call is made on its last fd.
                target = _native(waits.family, waits.kind, waits.proto, fd)
                target.settimeout(0.0)

    def _with_flags(
        self, flags: int, call: Callable[..., Any], *args: Any, write: bool = False, limit: float | None = None
    ) -> Any:
        """Like `_when_readable` (`write`: `_when_writable`). With no timeout, MSG_DONTWAIT in `flags` forbids waits."""
        waits = self._fd_waits
        if _DONTWAIT and _DONTWAIT & index(flags) and (waits.timeout if limit is None else limit) < 0.0:
            return call(self, *args)
        return self._until_it_does(call, args, waits.wait_write if write else waits.wait_read, limit)

    # Timeouts. The fd itself is non-blocking, or each call passes the flag that keeps it from blocking.

    def settimeout(self, howlong: float | None) -> None:
        """Like socket.settimeout: `howlong` is in seconds; None waits without limit, 0 makes calls not wait at all."""
        if howlong is None:
            self._set_timeout(_FOREVER)
            return
        if not hasattr(howlong, "__float__"):
            raise TypeError(f"settimeout(): timeout must be a number of seconds or None, not {howlong!r}")
        seconds = float(howlong)
        if not seconds >= 0.0:
            raise ValueError("Timeout value out of range")
        self._set_timeout(seconds)

    def gettimeout(self) -> float | None:
        """Like socket.gettimeout."""
        value = self._fd_waits.timeout
        return None if value < 0 else value

    @property
    def timeout(self) -> float | None:
        """The timeout in seconds, or None."""
        return self.gettimeout()

    def setblocking(self, flag: bool) -> None:
        """Like socket.setblocking."""
        self._set_timeout(_FOREVER if _truth(flag) else 0.0)

    def _set_timeout(self, seconds: float) -> None:
        _lending.set_timeout(self, seconds)

    def getblocking(self) -> bool:
        """Like socket.getblocking."""
        return self._fd_waits.timeout != 0.0

    @property
    def hub(self) -> Any:
        """The calling thread's hub, in which this socket waits."""
        return get_hub()

    @property
    def ref(self) -> bool:
        """Whether a wait on this socket keeps the loop alive. Set it before the first wait."""
        return self._fd_waits.ref

    @ref.setter
    def ref(self, value: bool) -> None:
        self._fd_waits.ref = bool(value)

    # Connecting.

    def bind(self, address: Any) -> None:
        """Like socket.bind. Looks up a host name cooperatively, and switches only for that."""
        _native.bind(self, _resolved(self, address))

    def accept(self) -> tuple[socket, Any]:
        """Like socket.accept: the connection is a `socket`, never a subclass. Switches if no connection is pending."""
        fd, address = self._when_readable(_ended.accept)
        return socket(self.family, self.type, self.proto, fileno=fd), address

    def connect(self, address: Any) -> None:
        """Like socket.connect. Looks up a host name cooperatively. Switches."""
        _connecting.connect(self, _resolved(self, address))

    def connect_ex(self, address: Any) -> int:
        """Like socket.connect_ex: call `connect` and return the error's number, or 0. Switches."""
        try:
            socket.connect(self, address)
        except TimeoutError as error:
            return error.errno or EAGAIN
        except gaierror:
            raise
        except OSError as error:
            if error.errno is None:
                raise
            return error.errno
        return 0

    # Receiving and sending. In a compiled build the fast path below replaces some of these methods.

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Like socket.recv. Switches if no data is ready."""
        data: bytes = self._with_flags(flags, _native.recv, bufsize, index(flags) | _DONTWAIT)
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Like socket.recv_into. Switches if no data is ready."""
        n: int = self._with_flags(flags, _native.recv_into, buffer, nbytes, index(flags) | _DONTWAIT)
        return n

    def send(self, data: Any, flags: int = 0, timeout: Any = timeout_default) -> int:
        """Like socket.send. Switches if the kernel accepts no data.

        `timeout`, in seconds, replaces the socket's for this call; 0 forbids the wait, None waits without limit.
        """
        limit = None if timeout is timeout_default else _call_seconds(timeout)
        n: int = self._with_flags(flags, _native.send, data, index(flags) | _DONTWAIT, write=True, limit=limit)
        return n

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Like socket.sendall. Switches when the kernel accepts no more; the timeout covers the whole call."""
        waits = self._fd_waits
        loop = get_hub().loop
        end = loop.update_now() + waits.timeout
        with memoryview(data) as view, _octets(view) as whole:
            sent = 0
            while True:
                try:
                    sent += _native.send(self, whole[sent:], flags | _DONTWAIT)
                    if sent >= len(whole):
                        return
                except BlockingIOError:
                    if waits.timeout == 0.0:
                        raise
                    left = end - loop.update_now()
                    if waits.timeout > 0.0 and left <= 0.0:
                        raise TimeoutError("timed out") from None
                    waits.wait_write(left if waits.timeout > 0.0 else _FOREVER)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Like socket.recvfrom. Switches if no data is ready."""
        found: tuple[bytes, Any] = self._with_flags(flags, _native.recvfrom, bufsize, index(flags) | _DONTWAIT)
        return found

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """Like socket.recvfrom_into. Switches if no data is ready."""
        found: tuple[int, Any] = self._with_flags(
            flags, _native.recvfrom_into, buffer, nbytes, index(flags) | _DONTWAIT
        )
        return found

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        """Like socket.recvmsg. Switches if no data is ready."""
        return self._with_flags(flags, _native.recvmsg, bufsize, ancbufsize, index(flags) | _DONTWAIT)

    def recvmsg_into(self, buffers: Any, ancbufsize: int = 0, flags: int = 0) -> Any:
        """Like socket.recvmsg_into. Switches if no data is ready."""
        return self._with_flags(flags, _native.recvmsg_into, _again(buffers), ancbufsize, index(flags) | _DONTWAIT)

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """Like socket.sendmsg. Looks up a host name cooperatively. Switches if the kernel accepts no data."""
        if address is not None:
            address = _resolved(self, address)
        buffers, ancdata = _again(buffers), _again(ancdata)
        n: int = self._with_flags(
            flags, _native.sendmsg, buffers, ancdata, index(flags) | _DONTWAIT, address, write=True
        )
        return n

    if hasattr(_native, "sendmsg_afalg"):

        def sendmsg_afalg(self, msg: Any = (), **how: Any) -> int:
            """Like socket.sendmsg_afalg. Switches if the kernel accepts no data."""
            msg = _again(msg)
            n: int = self._when_writable(lambda sock: _native.sendmsg_afalg(sock, msg, **how))
            return n

    def sendto(self, data: Any, *args: Any) -> int:
        """Like socket.sendto. Looks up a host name cooperatively. Switches if the kernel accepts no data."""
        flags = args[0] if len(args) == 2 else 0
        if 1 <= len(args) <= 2:
            args = (index(flags) | _DONTWAIT, _resolved(self, args[-1]))
        n: int = self._with_flags(flags, _native.sendto, data, *args, write=True)
        return n

    if _fast is not None:
        # The fast path calls these for the cases that it does not handle.
        _recv_any, _accept_any, _recvfrom_any, _sendto_any = recv, accept, recvfrom, sendto
        recv = _fast.recv
        recv_into = _fast.recv_into
        send = _fast.send
        sendall = _fast.sendall
        accept = _fast_addressed.accept
        recvfrom = _fast_addressed.recvfrom
        sendto = _fast_addressed.sendto

    def _sendfile_use_sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        # socket.sendfile tries this first; the standard library's version waits in a selector of its own.
        self._check_sendfile_params(file, offset, count)  # type: ignore[attr-defined]
        return _sendfile.send(self._fd_waits, file, offset, count)

    # Closing.

    def shutdown(self, how: int) -> None:
        """Like socket.shutdown. A reader that waits goes on: it gets what had come, or the end. Never switches."""
        _ended.shut_down(self, how)

    def _real_close(self, _ss: Any = _native) -> None:
        self._fd_waits.before_close()
        if self._fd_waits.fd >= 0:
            closing_fd(self._fd_waits.fd)  # for greenlets that wait by other means, such as select
        self._fd_waits.fd = -1
        _ss.close(self)

    def detach(self) -> int:
        """Like socket.detach. Greenlets that wait on the socket get OSError (EBADF).

        The returned fd blocks if the socket is connected and has no timeout. Never switches.
        """
        self._fd_waits.keeps_nonblocking = False
        blocking = blocks_for_others(self)
        fd = self._let_go()
        if blocking:
            set_blocking(fd, True)
        return fd

    def fileno(self) -> int:
        """Like socket.fileno. From then on the fd blocks where the standard library's would. Never switches."""
        if not self._fd_waits.lent:
            _lending.lend(self)
        return self._fd_waits.fd

    def _let_go(self) -> int:
        """Like `detach`, but leave the fd non-blocking."""
        self._fd_waits.close()
        self._fd_waits.fd = -1
        return super().detach()

    def _number(self) -> int:
        """Return the fd, or -1. Unlike `fileno` it never gives an fd to a simulated socket."""
        return self._fd_waits.fd

    def _close_unread(self) -> None:
        """Close the socket and discard unread data, which would make the kernel reset the connection."""
        close_unread(self._let_go())

    @property
    def closed(self) -> bool:
        """Whether the socket was closed or detached."""
        return self._fd_waits.fd < 0


if _fast is not None:
    _fast.methods_of(socket)
    _fast_addressed.methods_of(socket)
    _fast_addressed.accepted_are(socket)
# The standard library's function, which looks `socket` up when it is called: with our class under that name.
_create_server: Any = FunctionType(original("socket", "create_server").__code__, {**vars(_stdlib), "socket": socket})
SocketType = _native  # as in the standard library: the base class of every socket


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[_stdlib.AddressFamily, _stdlib.SocketKind, int, str, Any]]:
    """Like socket.getaddrinfo. Switches."""
    convert = _stdlib._intenum_converter  # type: ignore[attr-defined]
    return [
        (convert(family, _stdlib.AddressFamily), convert(kind, _stdlib.SocketKind), proto, name, address)
        for family, kind, proto, name, address in _name_lookups.getaddrinfo(host, port, family, type, proto, flags)
    ]


def create_connection(
    address: tuple[str | None, int],
    timeout: Any = _stdlib._GLOBAL_DEFAULT_TIMEOUT,  # type: ignore[attr-defined]
    source_address: Any = None,
    *,
    all_errors: bool = False,
) -> socket:
    """Like socket.create_connection, by RFC 8305: an address that does not answer does not hold up the next.

    The address families take turns. Each attempt has 250 ms before the next one starts beside it. The first attempt
    that succeeds wins; the sockets of the others are closed. `timeout` (seconds) applies to each attempt, and to the
    returned socket afterwards. If all fail, the last address's error is raised, or with `all_errors` an ExceptionGroup
    of all. Switches.
    """
    host, port = host_and_port(address)

    def make(found: Any) -> socket:
        sock = socket(*found[:3])
        try:
            if timeout is not _stdlib._GLOBAL_DEFAULT_TIMEOUT:  # type: ignore[attr-defined]
                sock.settimeout(timeout)
            if source_address:
                sock.bind(source_address)
        except BaseException:
            sock.close()
            raise
        return sock

    found = getaddrinfo(host, port, 0, _stdlib.SOCK_STREAM)
    if not found:
        raise OSError("getaddrinfo returns an empty list")
    sock: socket = Race(found, make, lambda sock, found: sock.connect(found[4])).winner(all_errors)
    return sock


def create_server(
    address: Any,
    *,
    family: int = _stdlib.AF_INET,
    backlog: int | None = None,
    reuse_port: bool = False,
    dualstack_ipv6: bool = False,
) -> socket:
    """Like socket.create_server: return a bound, listening socket whose accept() is cooperative."""
    if family in (_stdlib.AF_INET, _stdlib.AF_INET6):
        address = _name_lookups.resolved(family, _stdlib.SOCK_STREAM, 0, address)
    sock: socket = _create_server(
        address, family=family, backlog=backlog, reuse_port=reuse_port, dualstack_ipv6=dualstack_ipv6
    )
    return sock


def fromfd(fd: int, family: int, type: int, proto: int = 0) -> socket:
    """Like socket.fromfd: return a socket on a duplicate of `fd`."""
    return socket(family, type, proto, fileno=os.dup(fd))


def socketpair(family: int | None = None, type: int = _stdlib.SOCK_STREAM, proto: int = 0) -> tuple[socket, socket]:
    """Like socket.socketpair: return two connected sockets."""
    if family is None:
        family = getattr(_stdlib, "AF_UNIX", _stdlib.AF_INET)
    asked = type & _NONBLOCK
    # New fds need no system call for their mode, and only `fileno` lends them to the program.
    pair = _native_socketpair(family, int(type) | _NONBLOCK, proto)
    first, second = (socket(each.family, each.type | asked, each.proto, each.detach()) for each in pair)
    first._fd_waits.came_nonblocking = second._fd_waits.came_nonblocking = False
    return first, second


def __getattr__(name: str) -> Any:
    # Looked up, not copied: every name of the running Python version is found, also one that is set later.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: The names that `hubcore.monkey` replaces in the standard library's module; its other functions call these.
__implements__: list[str] = [
    "create_connection", "fromfd", "getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex",
    "getnameinfo", "socket", "socketpair",
]  # fmt: skip
__all__ = [
    "SocketType", "cancel_wait", "cancel_wait_ex", "create_connection", "create_server", "error", "fromfd", "gaierror",
    "getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo", "herror", "socket",
    "socketpair", "timeout", "timeout_default", "wait", "wait_read", "wait_readwrite", "wait_write",
]  # fmt: skip
__all__ += [name for name in _stdlib.__all__ if name not in __all__]
