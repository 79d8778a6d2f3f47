"""An open socket as the kernel has it, without an fd; sockets that were duplicated share one.

Nothing here switches. A call that cannot be done now returns None, and the socket then waits until `readable` or
`writable`. Whatever may have changed one of these calls `changed`.
"""

from __future__ import annotations

import errno
from _socket import socket as _native
from functools import cache
from socket import AF_INET, AF_INET6, IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEADDR, SOCK_DGRAM, SOL_SOCKET, inet_pton
from typing import Any

from hubcore.testing.sim import _options
from hubcore.testing.sim._kernel import Binding, Kernel
from hubcore.testing.sim._network import address_of, is_local, plain_ip
from hubcore.testing.sim._options import refuse

_REUSEPORT = _options._number("SO_REUSEPORT")


class Endpoint:
    """What TCP and UDP sockets have in common."""

    kind = 0
    accepts = False
    tcp_state = 0

    def __init__(self, kernel: Kernel, family: int, proto: int) -> None:
        self.kernel = kernel
        self.world = kernel.world
        self.host = kernel.host
        self.family = family
        self.proto = proto
        self.binding: Binding | None = None
        self.remote: tuple[str, int] | None = None
        self.port_was_free = False  # its port is any, not one that the program asked for
        self.last_address: tuple[str, int] | None = None  # that it had before it lost it
        self.options: dict[tuple[int, int], Any] = {}
        self.linger = (0, 0)
        self.error = 0
        self.owners = 0  # sockets of programs that have it
        self.watchers: list[Any] = []  # their waits
        self.send_limit = _options.BUFFER
        self.receive_limit = _options.BUFFER
        self.mirrored = False  # whether a real fd has to say when it is readable and writable
        self.wants_room = False  # whether somebody waits to write
        self.label = ""  # for the log
        kernel.endpoints[self] = None

    # What programs do.

    def take_error(self) -> int:
        """The pending error, which is told once; 0 if there is none."""
        code, self.error = self.error, 0
        return code

    def raise_error(self) -> None:
        """Raise the pending error, if there is one."""
        if self.error:
            raise refuse(self.take_error())

    def bind(self, address: Any) -> None:
        """As bind(2), with an address whose host is looked up."""
        if self.binding is not None:
            raise refuse(errno.EINVAL)
        ip, port = self.parsed(address, "bind")
        if not self.kernel.has(ip) and not (self.family == AF_INET and _is_group(ip)):
            raise refuse(errno.EADDRNOTAVAIL)
        self._bind(ip, port)

    def _bind(self, ip: str, port: int) -> None:
        binding = Binding(self.family, ip, port)
        binding.reuse_address = bool(self.options.get((SOL_SOCKET, SO_REUSEADDR)))
        binding.reuse_port = bool(self.options.get((SOL_SOCKET, _REUSEPORT)))
        binding.v6_only = bool(self.options.get((IPPROTO_IPV6, IPV6_V6ONLY)))
        self.kernel.bind(self.kind, binding)
        self.binding = binding
        self.port_was_free = port == 0
        self.bound()

    def bound(self) -> None:
        """It has an address."""

    def option_changed(self, key: tuple[int, int], value: int) -> None:
        """An option was set."""
        binding = self.binding
        if binding is not None and key == (SOL_SOCKET, SO_REUSEADDR):
            binding.reuse_address = bool(value)

    def join(self, enter: bool, value: Any) -> None:
        """Enter, or leave, a multicast group."""
        raise refuse(errno.EOPNOTSUPP)

    def parsed(self, address: Any, method: str) -> tuple[str, int]:
        """IP address and port of `address`, whose host is looked up; the standard library's errors for what is none."""
        if type(address) is tuple and len(address) == 2 and type(address[1]) is int and 0 <= address[1] <= 65535:
            host, port = address
            if host == "":
                return ("0.0.0.0" if self.family == AF_INET else "::"), port
            if host == "<broadcast>" and self.family == AF_INET:
                return "255.255.255.255", port
            try:
                return plain_ip(self.family, host), port
            except (OSError, TypeError, ValueError):
                pass
        # The C code knows what is wrong, if anything is: on a closed socket it gets as far as its system call.
        closed = _closed(self.family)
        try:
            getattr(_native, method)(closed, *((b"", address) if method == "sendto" else (address,)))
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
        host = address[0] if isinstance(address[0], str) else bytes(address[0]).decode("ascii")
        return plain_ip(self.family, host or "::"), address[1]

    def local_address(self) -> tuple[Any, ...]:
        """As getsockname(2)."""
        binding = self.binding
        if binding is None:
            return address_of(self.family, *(self.last_address or ("0.0.0.0" if self.family == AF_INET else "::", 0)))
        return address_of(self.family, binding.ip, binding.port)

    def remote_address(self) -> tuple[Any, ...]:
        """As getpeername(2)."""
        if self.remote is None:
            raise refuse(errno.ENOTCONN)
        return address_of(self.family, *self.remote)

    def receive(self, size: int, peek: bool = False) -> bytes | None:
        """Of a stream: up to `size` bytes, none at its end; None where there is nothing yet."""
        raise refuse(errno.EOPNOTSUPP)

    def send(self, view: memoryview) -> int | None:
        """Of a stream: take of `view` what there is room for; None where there is none."""
        raise refuse(errno.EOPNOTSUPP)

    # Readiness.

    def readable(self) -> bool:
        """Whether a read would not wait."""
        raise NotImplementedError

    def writable(self) -> bool:
        """Whether a write would not wait."""
        raise NotImplementedError

    def hung_up(self) -> bool:
        """Whether nothing more will come or go."""
        return False

    def at_end(self) -> bool:
        """Whether the end of what comes in is there to be read, or nothing else will be."""
        return False

    def changed(self) -> None:
        """It may be readable or writable now: those who wait for that go on."""
        for waits in tuple(self.watchers):
            waits.look()

    # Its life.

    def release(self) -> None:
        """A program's socket lets go of it; the last one closes it."""
        self.owners -= 1
        if self.owners <= 0:
            self.kernel.open.pop(self, None)
            self.close()

    def abandon(self) -> None:
        """The programs' sockets that have it are none any more: their process is gone."""
        for waits in self.watchers:
            waits.is_open = False
        self.watchers.clear()
        self.owners = 0

    def close(self) -> None:
        """As close(2) of the last fd."""
        raise NotImplementedError

    def vanish(self) -> None:
        """The power is off: it is gone without a word."""
        raise NotImplementedError

    def place(self, ip: str, port: int) -> str:
        """The address for the log: with the host's name where it is known."""
        host = self.kernel.network.by_ip.get(ip)
        if host is None and not is_local(ip):
            return f"{ip}:{port}"
        return f"{(host or self.host).name}:{port}"


@cache
def _closed(family: int) -> Any:
    sock = _native(family, SOCK_DGRAM)
    sock.close()
    return sock


def _is_group(ip: str) -> bool:
    return ":" not in ip and 224 <= inet_pton(AF_INET, ip)[0] <= 239


def family_of(ip: str) -> int:
    """The family of an IP address in its usual form."""
    return int(AF_INET6 if ":" in ip else AF_INET)
