"""The standard library's socket module, cooperatively: what would block waits in the hub instead.

`socket` is a subclass of the standard library's socket class, so it is accepted wherever one is. Everything that is
not here, the constants among it, is the standard library's own.
"""

from __future__ import annotations

import os
import socket as _stdlib
import sys
from _socket import socket as _native
from errno import EAGAIN, EALREADY, EINPROGRESS, EISCONN
from operator import index
from socket import error, gaierror, getdefaulttimeout, herror, timeout

from hubcore import _resolver, _sendfile
from hubcore._happy_eyeballs import Race, host_and_port
from hubcore._originals import get_blocking, original, set_blocking
from hubcore._resolver import gethostbyaddr, gethostbyname, gethostbyname_ex, getnameinfo
from hubcore._sockwait import FdWaits, blocks_for_others
from hubcore._waitfd import cancel_wait, cancel_wait_ex, closing_fd, wait, wait_read, wait_readwrite, wait_write
from hubcore.hub import get_hub, sleep

try:
    from hubcore import _sockaddr as _fast_addressed
    from hubcore import _sockio as _fast
except ImportError:  # an uncompiled run: the same by way of the standard library's socket
    _fast = _fast_addressed = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FOREVER = -1.0
_INTERNET = (int(_stdlib.AF_INET), int(_stdlib.AF_INET6))
_STREAM = int(_stdlib.SOCK_STREAM)
_NONBLOCK = int(getattr(_stdlib, "SOCK_NONBLOCK", 0))
_DONTWAIT = getattr(_stdlib, "MSG_DONTWAIT", 0)
_truth = bool if sys.version_info >= (3, 12) else index  # of setblocking's argument, as the standard library has it


class socket(_stdlib.socket):
    """socket.socket, cooperatively: the same methods and errors; what would block lets other greenlets run.

    One greenlet may read while another writes. A second reader (or writer) gets ConcurrentObjectUseError. Closing a
    socket wakes whoever waits on it with OSError (EBADF). Usable from any thread, in each direction by one at a time.
    """

    __slots__ = ("_fd_waits",)

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        timeout: float | None = None
        came_nonblocking = False
        if fileno is None and _NONBLOCK:
            # Asked for by the type, it takes no system call of its own.
            if type == -1:
                type = _stdlib.SOCK_STREAM
            timeout = 0.0 if type & _NONBLOCK else getdefaulttimeout()
            super().__init__(family, int(type) | _NONBLOCK, proto)
        else:
            super().__init__(family, type, proto, fileno)
            timeout = _native.gettimeout(self)  # the default one, or 0.0 for SOCK_NONBLOCK
            came_nonblocking = timeout is None and not get_blocking(_native.fileno(self))
            _native.settimeout(self, 0.0)
        kind = _native.type.__get__(self)
        stream = kind & 0xF == _STREAM
        waits = self._fd_waits = FdWaits(_native.fileno(self), stream, _FOREVER if timeout is None else timeout)
        waits.came_nonblocking = came_nonblocking
        waits.family = _native.family.__get__(self)
        waits.kind = kind
        waits.proto = _native.proto.__get__(self)

    # Waiting.

    def _when_readable(self, call: Callable[..., Any], *args: Any) -> Any:
        return self._until_it_does(call, args, self._fd_waits.wait_read)

    def _when_writable(self, call: Callable[..., Any], *args: Any) -> Any:
        return self._until_it_does(call, args, self._fd_waits.wait_write)

    def _until_it_does(self, call: Callable[..., Any], args: tuple[Any, ...], wait: Callable[[float], object]) -> Any:
        waits = self._fd_waits
        if waits.timeout != 0.0:
            get_hub().spend()
        while True:
            try:
                return call(self, *args)
            except BlockingIOError:
                if waits.timeout == 0.0:
                    raise
            wait(waits.timeout)

    def _with_flags(self, flags: int, call: Callable[..., Any], *args: Any, write: bool = False) -> Any:
        """As `_when_readable`, unless `flags` say not to wait."""
        if _DONTWAIT and _DONTWAIT & index(flags) and self._fd_waits.timeout < 0.0:
            return call(self, *args)
        return self._until_it_does(call, args, self._fd_waits.wait_write if write else self._fd_waits.wait_read)

    # Timeouts: the fd itself is always non-blocking, or each call says that it must not block.

    def settimeout(self, howlong: float | None) -> None:
        """As socket.settimeout: seconds, None to wait for as long as it takes, 0 not to wait at all."""
        if howlong is None:
            self._set_timeout(_FOREVER)
            return
        if not hasattr(howlong, "__float__"):
            raise TypeError(f"a timeout is a number of seconds or None, not {howlong!r}")
        seconds = float(howlong)
        if not seconds >= 0.0:
            raise ValueError("Timeout value out of range")
        self._set_timeout(seconds)

    def gettimeout(self) -> float | None:
        """As socket.gettimeout."""
        value = self._fd_waits.timeout
        return None if value < 0 else value

    timeout = property(gettimeout, doc="The timeout in seconds, or None.")

    def setblocking(self, flag: bool) -> None:
        """As socket.setblocking."""
        self._set_timeout(_FOREVER if _truth(flag) else 0.0)

    def _set_timeout(self, seconds: float) -> None:
        _native.setblocking(self, False)  # for its error, and it may share the flag with another process
        self._fd_waits.timeout = seconds
        self._fd_waits.came_nonblocking = False

    def getblocking(self) -> bool:
        """As socket.getblocking."""
        return self._fd_waits.timeout != 0.0

    @property
    def hub(self) -> Any:
        """The calling thread's hub, in which this socket waits."""
        return get_hub()

    @property
    def ref(self) -> bool:
        """Whether waiting on this socket keeps the loop alive. Set it before the first wait."""
        return self._fd_waits.ref

    @ref.setter
    def ref(self, value: bool) -> None:
        self._fd_waits.ref = bool(value)

    # Connecting.

    def bind(self, address: Any) -> None:
        """As socket.bind; a host name is looked up cooperatively. Switches only for that."""
        _native.bind(self, _resolved(self, address))

    def accept(self) -> tuple[socket, Any]:
        """As socket.accept, hence not of a subclass. Switches when no connection is there."""
        fd, address = self._when_readable(_native._accept)  # type: ignore[attr-defined]
        return socket(self.family, self.type, self.proto, fileno=fd), address

    def connect(self, address: Any) -> None:
        """As socket.connect; a host name is looked up cooperatively. Switches."""
        waits = self._fd_waits
        address = _resolved(self, address)
        code = _native.connect_ex(self, address)
        if code == EAGAIN and waits.timeout != 0.0:
            code = self._connect_when_there_is_room(address)
        if code in (EINPROGRESS, EALREADY):
            if waits.timeout == 0.0:
                raise BlockingIOError(code, os.strerror(code))
            waits.wait_connected(waits.timeout)
            code = self.getsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_ERROR)
            if code == EISCONN:
                code = 0
        if code:
            raise OSError(code, os.strerror(code))

    def _connect_when_there_is_room(self, address: Any) -> int:
        # The listener of a Unix socket has its backlog full. No event says when that changes: the socket that is not
        # yet connected counts as writable all the time.
        loop = get_hub().loop
        timeout = self._fd_waits.timeout
        end = loop.update_now() + timeout
        delay = 0.001
        while True:
            left = end - loop.update_now()
            if timeout > 0.0 and left <= 0.0:
                raise TimeoutError("timed out")
            sleep(min(delay, left) if timeout > 0.0 else delay)
            code: int = _native.connect_ex(self, address)
            if code != EAGAIN:
                return code
            delay = min(delay * 2, 0.05)

    def connect_ex(self, address: Any) -> int:
        """As socket.connect_ex: `connect`, with the error's number as the result."""
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

    # Receiving and sending. What the fast path has is replaced below where it is built.

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """As socket.recv. Switches when nothing is there."""
        data: bytes = self._with_flags(flags, _native.recv, bufsize, index(flags) | _DONTWAIT)
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """As socket.recv_into. Switches when nothing is there."""
        n: int = self._with_flags(flags, _native.recv_into, buffer, nbytes, index(flags) | _DONTWAIT)
        return n

    def send(self, data: Any, flags: int = 0) -> int:
        """As socket.send. Switches when the kernel takes nothing."""
        n: int = self._with_flags(flags, _native.send, data, index(flags) | _DONTWAIT, write=True)
        return n

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As socket.sendall. Switches when the kernel takes no more; the timeout is for all of it."""
        waits = self._fd_waits
        loop = get_hub().loop
        end = loop.update_now() + waits.timeout
        with memoryview(data) as view, _octets(view) as octets:
            sent = 0
            while True:
                try:
                    sent += _native.send(self, octets[sent:], flags | _DONTWAIT)
                    if sent >= len(octets):
                        return
                except BlockingIOError:
                    if waits.timeout == 0.0:
                        raise
                    left = end - loop.update_now()
                    if waits.timeout > 0.0 and left <= 0.0:
                        raise TimeoutError("timed out") from None
                    waits.wait_write(left if waits.timeout > 0.0 else _FOREVER)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """As socket.recvfrom. Switches when nothing is there."""
        found: tuple[bytes, Any] = self._with_flags(flags, _native.recvfrom, bufsize, index(flags) | _DONTWAIT)
        return found

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        """As socket.recvfrom_into. Switches when nothing is there."""
        found: tuple[int, Any] = self._with_flags(
            flags, _native.recvfrom_into, buffer, nbytes, index(flags) | _DONTWAIT
        )
        return found

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        """As socket.recvmsg. Switches when nothing is there."""
        return self._with_flags(flags, _native.recvmsg, bufsize, ancbufsize, index(flags) | _DONTWAIT)

    def recvmsg_into(self, buffers: Any, ancbufsize: int = 0, flags: int = 0) -> Any:
        """As socket.recvmsg_into. Switches when nothing is there."""
        return self._with_flags(flags, _native.recvmsg_into, _again(buffers), ancbufsize, index(flags) | _DONTWAIT)

    def sendmsg(self, buffers: Any, ancdata: Any = (), flags: int = 0, address: Any = None) -> int:
        """As socket.sendmsg; a host name is looked up cooperatively. Switches when the kernel takes nothing."""
        if address is not None:
            address = _resolved(self, address)
        buffers, ancdata = _again(buffers), _again(ancdata)
        n: int = self._with_flags(
            flags, _native.sendmsg, buffers, ancdata, index(flags) | _DONTWAIT, address, write=True
        )
        return n

    if hasattr(_native, "sendmsg_afalg"):

        def sendmsg_afalg(self, msg: Any = (), **how: Any) -> int:
            """As socket.sendmsg_afalg. Switches when the kernel takes nothing."""
            msg = _again(msg)
            n: int = self._when_writable(lambda sock: _native.sendmsg_afalg(sock, msg, **how))
            return n

    def sendto(self, data: Any, *args: Any) -> int:
        """As socket.sendto; a host name is looked up cooperatively. Switches when the kernel takes nothing."""
        flags = args[0] if len(args) == 2 else 0
        if 1 <= len(args) <= 2:
            args = (index(flags) | _DONTWAIT, _resolved(self, args[-1]))
        n: int = self._with_flags(flags, _native.sendto, data, *args, write=True)
        return n

    if _fast is not None:
        # For what the fast path leaves to them.
        _recv_any, _accept_any, _recvfrom_any, _sendto_any = recv, accept, recvfrom, sendto
        recv = _fast.recv
        recv_into = _fast.recv_into
        send = _fast.send
        sendall = _fast.sendall
        accept = _fast_addressed.accept
        recvfrom = _fast_addressed.recvfrom
        sendto = _fast_addressed.sendto

    def _sendfile_use_sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        # What socket.sendfile tries first, and the standard library does by waiting in a selector of its own.
        self._check_sendfile_params(file, offset, count)  # type: ignore[attr-defined]
        return _sendfile.send(self._fd_waits, file, offset, count)

    # The end.

    def _real_close(self, _ss: Any = _native) -> None:
        self._fd_waits.close()
        if self._fd_waits.fd >= 0:
            closing_fd(self._fd_waits.fd)  # for those who wait in other ways, such as select
        self._fd_waits.fd = -1
        _ss.close(self)

    def detach(self) -> int:
        """As socket.detach: whoever waits gets OSError (EBADF). Connected and without a timeout, the fd is blocking."""
        blocking = blocks_for_others(self)
        fd = self._let_go()
        if blocking:
            set_blocking(fd, True)
        return fd

    def _let_go(self) -> int:
        """As `detach`, with the fd as it is: non-blocking."""
        self._fd_waits.close()
        self._fd_waits.fd = -1
        return super().detach()

    if _fast is not None:
        close = _fast.close
        _real_close = _fast._real_close

    @property
    def closed(self) -> bool:
        """Whether it was closed or detached."""
        return self._fd_waits.fd < 0


if _fast is not None:
    _fast.methods_of(socket)
    _fast_addressed.methods_of(socket)
    _fast_addressed.accepted_are(socket)
_native_socketpair: Any = original("socket", "socketpair")  # of the module, it may be ours
SocketType = _native  # as in the standard library: what every socket is an instance of


def _again(values: Any) -> Any:
    """`values` as a thing that can be gone through for each try, if it is not; what is no iterable stays what it is."""
    return values if isinstance(values, (list, tuple)) or not hasattr(values, "__iter__") else list(values)


def _octets(view: memoryview) -> memoryview:
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view.cast("B")


def _resolved(sock: socket, address: Any) -> Any:
    """`address` with its host looked up, so that the C code has no look-up left to block in."""
    waits = sock._fd_waits
    return _resolver.resolved(waits.family, waits.kind, waits.proto, address) if waits.family in _INTERNET else address


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[_stdlib.AddressFamily, _stdlib.SocketKind, int, str, Any]]:
    """socket.getaddrinfo, cooperatively. Switches."""
    convert = _stdlib._intenum_converter  # type: ignore[attr-defined]
    return [
        (convert(family, _stdlib.AddressFamily), convert(kind, _stdlib.SocketKind), proto, name, address)
        for family, kind, proto, name, address in _resolver.getaddrinfo(host, port, family, type, proto, flags)
    ]


def getfqdn(name: str = "") -> str:
    """socket.getfqdn, cooperatively. Switches."""
    name = name.strip()
    if not name or name in ("0.0.0.0", "::"):
        name = _stdlib.gethostname()
    try:
        hostname, aliases, _ = gethostbyaddr(name)
    except OSError:
        return name
    for candidate in (hostname, *aliases):
        if "." in candidate:
            return candidate
    return hostname


def create_connection(
    address: tuple[str | None, int],
    timeout: Any = _stdlib._GLOBAL_DEFAULT_TIMEOUT,  # type: ignore[attr-defined]
    source_address: Any = None,
    *,
    all_errors: bool = False,
) -> socket:
    """socket.create_connection, cooperatively and by RFC 8305: one that does not answer does not hold up the next.

    The families take turns; an attempt is given 250 ms before the next starts beside it, the first that succeeds wins,
    and the others' sockets are closed. `timeout` is each attempt's, and the socket's afterwards. Of several failures
    the last address's is raised. Switches.
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
    race = Race(found, make, lambda sock, found: sock.connect(found[4]))
    sock: socket | None = race.run()
    if sock is not None:
        return sock
    errors = race.errors()
    try:
        if not all_errors:
            raise errors[-1]
        raise ExceptionGroup("create_connection failed", errors)
    finally:
        errors.clear()  # each holds a traceback, which holds this frame


def create_server(
    address: Any,
    *,
    family: int = _stdlib.AF_INET,
    backlog: int | None = None,
    reuse_port: bool = False,
    dualstack_ipv6: bool = False,
) -> socket:
    """socket.create_server: a bound and listening socket whose accept() is cooperative."""
    if family in (_stdlib.AF_INET, _stdlib.AF_INET6):
        address = _resolver.resolved(family, _stdlib.SOCK_STREAM, 0, address)
    plain = _stdlib.create_server(
        address, family=family, backlog=backlog, reuse_port=reuse_port, dualstack_ipv6=dualstack_ipv6
    )
    return socket(plain.family, plain.type, plain.proto, fileno=plain.detach())


def fromfd(fd: int, family: int, type: int, proto: int = 0) -> socket:
    """socket.fromfd: a socket on a duplicate of `fd`."""
    return socket(family, type, proto, fileno=os.dup(fd))


def socketpair(family: int | None = None, type: int = _stdlib.SOCK_STREAM, proto: int = 0) -> tuple[socket, socket]:
    """socket.socketpair: two connected sockets."""
    if family is None:
        family = getattr(_stdlib, "AF_UNIX", _stdlib.AF_INET)
    first, second = _native_socketpair(family, type, proto)
    return (
        socket(first.family, first.type, first.proto, fileno=first.detach()),
        socket(second.family, second.type, second.proto, fileno=second.detach()),
    )


def __getattr__(name: str) -> Any:
    # Not copied, so that what the standard library has is there, whatever the version, and stays its own.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: What `hubcore.monkey` replaces in the standard library's module, whose other functions are made of these.
__implements__ = [
    "create_connection", "fromfd", "getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex",
    "getnameinfo", "socket", "socketpair",
]  # fmt: skip
__all__ = [
    "SocketType", "cancel_wait", "cancel_wait_ex", "create_connection", "create_server", "error", "fromfd", "gaierror",
    "getaddrinfo", "getfqdn", "gethostbyaddr", "gethostbyname", "gethostbyname_ex", "getnameinfo", "herror", "socket",
    "socketpair", "timeout", "wait", "wait_read", "wait_readwrite", "wait_write",
]  # fmt: skip
__all__ += [name for name in _stdlib.__all__ if name not in __all__]
