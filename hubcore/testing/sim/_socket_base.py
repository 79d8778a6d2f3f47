"""What a simulated socket is: which endpoint it has, how it connects and ends.

It has no fd until a program asks for its number, which then is one end of a real socket pair that is readable and
writable exactly when this socket is: see `_mirror`.
"""

from __future__ import annotations

import errno
import os
import socket as _stdlib
import warnings
from _socket import socket as _native
from operator import index
from typing import Any

from hubcore._io import read_ahead as _read_ahead
from hubcore._sockets.name_lookups import resolved_for as _resolved
from hubcore.hub import get_hub, get_hub_if_any
from hubcore.socket import socket
from hubcore.testing.sim import _mirror, _options
from hubcore.testing.sim._errors import Unsimulated
from hubcore.testing.sim._tcp import Tcp
from hubcore.testing.sim._udp import Udp
from hubcore.testing.sim._waits import SimWaits, bad_fd, would_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._endpoint import Endpoint

FOREVER = -1.0
_INET, _INET6 = int(_stdlib.AF_INET), int(_stdlib.AF_INET6)
_STREAM, _DGRAM = int(_stdlib.SOCK_STREAM), int(_stdlib.SOCK_DGRAM)
_NONBLOCK = int(_stdlib.SOCK_NONBLOCK)
_PROTOCOLS = {_STREAM: (0, int(_stdlib.IPPROTO_TCP)), _DGRAM: (0, int(_stdlib.IPPROTO_UDP))}

#: The simulated class of each class of sockets that was asked for.
simulated_classes: dict[type, type] = {}


class SimSocketBase(socket):
    """See the module's text. `_socket` has the rest of the methods."""

    __slots__ = ()

    _fd_waits: Any
    _io_refs: int
    _closed: bool

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: int | None = None) -> None:
        process = process_here()
        mirror = None if fileno is None else _mirror.find(index(fileno))
        if mirror is not None:
            timeout = 0.0 if type != -1 and int(type) & _NONBLOCK else _stdlib.getdefaulttimeout()
            self._begin(mirror.adopt(FOREVER if timeout is None else timeout))
            return
        kind = _STREAM if type == -1 else int(type) & 0xF
        family = _INET if family == -1 else int(family)
        number = 0 if proto == -1 else index(proto)
        if process is None or fileno is not None or family not in (_INET, _INET6) or kind not in _PROTOCOLS:
            self._be_real(process, family, kind, type, proto, fileno)
            return
        if number not in _PROTOCOLS[kind]:
            raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
        timeout = 0.0 if type != -1 and int(type) & _NONBLOCK else _stdlib.getdefaulttimeout()
        endpoint: Endpoint = (Tcp if kind == _STREAM else Udp)(process.kernel, family, number)
        self._begin(SimWaits(endpoint, FOREVER if timeout is None else timeout))

    def _begin(self, waits: SimWaits) -> None:
        self._io_refs = 0
        self._closed = False
        self._fd_waits = waits

    def _be_real(self, process: Any, family: int, kind: int, type: int, proto: int, fileno: int | None) -> None:
        """Be a socket of the real kernel after all: of a kind that stays within the host."""
        if process is not None and fileno is None and not process.lone and family != _stdlib.AF_UNIX:
            raise Unsimulated(
                f"a simulation has no sockets of family {_name(family, _stdlib.AddressFamily)} and type "
                f"{_name(kind, _stdlib.SocketKind)}; it has TCP and UDP on IPv4 and IPv6, and, within a host, Unix "
                "sockets"
            )
        cls = plain_class(self.__class__)
        self.__class__ = cls
        socket.__init__(self, family if fileno is None or family != _INET else -1, type, proto, fileno)

    def _begin_as(self, sock: Any) -> None:
        if isinstance(sock, SimSocketBase):
            waits = sock._fd_waits
            if not waits.is_open:
                raise bad_fd()
            mirror = waits.mirror
            if mirror is not None:
                mirror.leave()
                self._begin(mirror.adopt(waits.timeout))
            else:
                waits.leave()
                self._begin(SimWaits(waits.endpoint, waits.timeout, own=False))
        else:
            self.__class__ = plain_class(self.__class__)
            socket._begin_as(self, sock)

    @property
    def _endpoint(self) -> Any:
        """The open one, or OSError (EBADF)."""
        waits = self._fd_waits
        if not waits.is_open:
            raise bad_fd()
        return waits.endpoint

    # What it is.

    @property
    def family(self) -> Any:
        """As socket.family."""
        return _stdlib.AddressFamily(self._fd_waits.family)

    @property
    def type(self) -> Any:
        """As socket.type."""
        return _stdlib.SocketKind(self._fd_waits.kind)

    @property
    def proto(self) -> int:
        """As socket.proto."""
        number: int = self._fd_waits.proto
        return number

    def _set_timeout(self, seconds: float) -> None:
        if not self._fd_waits.is_open:
            raise bad_fd()
        self._fd_waits.timeout = seconds

    @property
    def closed(self) -> bool:
        """Whether it was closed or detached."""
        return not self._fd_waits.is_open

    def fileno(self) -> int:
        """As socket.fileno; the first call makes the number."""
        waits = self._fd_waits
        if not waits.is_open:
            return -1
        if waits.mirror is not None:
            number: int = waits.mirror.number
            return number
        mirror = _mirror.Mirror(waits)
        if hasattr(self, "_readable_now"):  # of TLS, which reads ahead
            _read_ahead.enter(mirror.number, self)
        return mirror.number

    def _number(self) -> int:
        mirror = self._fd_waits.mirror
        return -1 if mirror is None else mirror.number

    def get_inheritable(self) -> bool:
        """As socket.get_inheritable: never, as there is nobody to inherit it."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """As socket.set_inheritable, without effect."""

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> Any:
        """As socket.getsockopt."""
        return _options.get(self._endpoint, level, optname, buflen)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """As socket.setsockopt."""
        _options.put(self._endpoint, level, optname, value, optlen)

    def getsockname(self) -> Any:
        """As socket.getsockname."""
        return self._endpoint.local_address()

    def getpeername(self) -> Any:
        """As socket.getpeername."""
        endpoint = self._endpoint
        if isinstance(endpoint, Tcp) and not endpoint.has_peer():
            raise _options.refuse(errno.ENOTCONN)
        return endpoint.remote_address()

    # Connecting.

    def bind(self, address: Any) -> None:
        """As socket.bind."""
        self._endpoint.bind(_resolved(self, address))

    def listen(self, backlog: int = 128) -> None:
        """As socket.listen."""
        self._endpoint.listen(index(backlog))

    def accept(self) -> tuple[socket, Any]:
        """As socket.accept. Switches when no connection is there."""
        waits = self._fd_waits
        if waits.timeout != 0.0:
            get_hub().spend()
        while True:
            child = self._endpoint.accept()
            if child is not None:
                break
            if waits.timeout == 0.0:
                raise would_block()
            waits.wait_read(waits.timeout)
        timeout = _stdlib.getdefaulttimeout()
        sock = blank(simulated_classes[socket])
        sock._begin(SimWaits(child, FOREVER if timeout is None else timeout))
        return sock, child.remote_address()

    def connect(self, address: Any) -> None:
        """As socket.connect. Switches."""
        waits = self._fd_waits
        address = _resolved(self, address)
        code = self._endpoint.connect(address)
        if code in (errno.EINPROGRESS, errno.EALREADY):
            if waits.timeout == 0.0:
                raise BlockingIOError(code, os.strerror(code))
            waits.wait_connected(waits.timeout)
            code = self._endpoint.take_error()
        if code:
            raise _options.refuse(code)

    def connect_ex(self, address: Any) -> int:
        """As socket.connect_ex."""
        try:
            SimSocketBase.connect(self, address)
        except TimeoutError as error:
            return error.errno or errno.EAGAIN
        except _stdlib.gaierror:
            raise
        except OSError as error:
            if error.errno is None:
                raise
            return error.errno
        return 0

    def shutdown(self, how: int) -> None:
        """As socket.shutdown."""
        self._endpoint.shutdown(index(how))

    # The end.

    def close(self) -> None:
        """As socket.close."""
        self._closed = True
        if self._io_refs <= 0:
            self._real_close()

    def _real_close(self, _ss: Any = None) -> None:
        self._fd_waits.end()

    def _close_unread(self) -> None:
        waits = self._fd_waits
        if waits.is_open and isinstance(waits.endpoint, Tcp):
            waits.endpoint.drop_unread()
        waits.end()

    def detach(self) -> int:
        """As socket.detach."""
        number = self.fileno()
        self._let_go()
        return number

    def _let_go(self) -> int:
        waits = self._fd_waits
        mirror = waits.mirror
        if mirror is not None and waits.is_open:
            mirror.leave()
        return -1 if mirror is None else mirror.number

    def dup(self) -> Any:
        """As socket.dup."""
        waits = self._fd_waits
        sock = blank(self.__class__)
        sock._begin(SimWaits(self._endpoint, waits.timeout))
        return sock

    def __repr__(self) -> str:
        waits = self._fd_waits
        name = f"{plain_class(self.__class__).__module__}.{plain_class(self.__class__).__qualname__}"
        state = "" if waits.is_open else " [closed]"
        text = f"<{name}{state} fd={self._number() if waits.mirror is not None else 'simulated'}"
        text += f", family={self.family.value}, type={self.type.value}, proto={self.proto}"
        if waits.is_open:
            text += f", laddr={waits.endpoint.local_address()}"
            if waits.endpoint.remote is not None:
                text += f", raddr={waits.endpoint.remote_address()}"
        return text + ">"

    def __del__(self) -> None:
        waits = getattr(self, "_fd_waits", None)
        if isinstance(waits, SimWaits) and waits.is_open:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)


def process_here() -> Any:
    """The simulated process that the calling greenlet is of; None where it is of none."""
    hub = get_hub_if_any()
    return None if hub is None else getattr(hub.loop, "process", None)


def _name(number: int, enum: Any) -> str:
    try:
        name: str = enum(number).name
    except ValueError:
        return str(number)
    return name


def blank(cls: Any) -> Any:
    """A socket of the class `cls` that is nothing yet."""
    return _native.__new__(cls)


def plain_class(cls: type) -> Any:
    """The class of which `cls` is the simulated one."""
    for plain, simulated in simulated_classes.items():
        if simulated is cls:
            return plain
    return cls
