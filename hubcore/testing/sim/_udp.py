"""UDP: datagrams, which may be lost, doubled and overtaken; a connected socket learns of a port where nobody is."""

from __future__ import annotations

import errno
from collections import deque
from socket import AF_INET, SO_BROADCAST, SOCK_DGRAM, SOL_SOCKET, inet_ntop
from typing import Any

from hubcore.testing.sim import _options
from hubcore.testing.sim._endpoint import Endpoint, _is_group
from hubcore.testing.sim._kernel import Kernel
from hubcore.testing.sim._options import refuse

_LARGEST, _LARGEST_BY_IPV6 = 65507, 65527
_OVERHEAD = 512  # bytes of the receive buffer that a datagram takes beside its own


class Udp(Endpoint):
    """A UDP socket of the simulated kernel."""

    kind = SOCK_DGRAM

    def __init__(self, kernel: Kernel, family: int, proto: int) -> None:
        super().__init__(kernel, family, proto)
        self.send_limit = self.receive_limit = _options.DATAGRAM_BUFFER
        self.queue: deque[tuple[bytes, tuple[str, int]]] = deque()
        self.used = 0
        self.read_shut = self.write_shut = False
        self.open = True
        self.groups: dict[str, None] = {}

    def bound(self) -> None:
        """It has an address, and so may receive."""
        assert self.binding is not None
        self.kernel.receivers.setdefault(self.binding.port, []).append(self)
        self.label = self.place(self.binding.ip, self.binding.port)

    def connect(self, address: Any) -> int:
        """As connect(2): from now on it has one peer. An address of AF_UNSPEC is not known to Python."""
        ip, port = self.parsed(address, "connect")
        if ip == "255.255.255.255" and not self.options.get((SOL_SOCKET, SO_BROADCAST)):
            return errno.EACCES
        try:
            source = self.kernel.source_for(self.family, ip)
            if ip in ("0.0.0.0", "::"):
                ip = source
            if self.binding is None:
                self._bind(source, 0)
            elif self.binding.ip in ("0.0.0.0", "::"):
                self.binding.ip = source
        except OSError as error:
            return error.errno or errno.EIO
        self.remote = (ip, port)
        return 0

    def send_to(self, view: memoryview, address: Any = None) -> int:
        """As sendto(2). It never waits: what the network does not take is lost."""
        # Before all else, as Linux does: also where the call then fails.
        if self.binding is None:
            self._bind("0.0.0.0" if self.family == AF_INET else "::", 0)
        assert self.binding is not None
        target = self.remote if address is None else self.parsed(address, "sendto")
        if target is None:
            raise refuse(errno.EDESTADDRREQ)
        size = view.nbytes
        ip, port = target
        if size > (_LARGEST_BY_IPV6 if ":" in ip else _LARGEST):
            raise refuse(errno.EMSGSIZE)
        if port == 0:
            raise refuse(errno.EINVAL)
        broadcast = ip == "255.255.255.255"
        if broadcast and not self.options.get((SOL_SOCKET, SO_BROADCAST)):
            raise refuse(errno.EACCES)
        many = broadcast or _is_group(ip)
        source = self.host.ips[0] if many else self.kernel.source_for(self.family, ip)
        if ip in ("0.0.0.0", "::"):
            ip = source
        if self.binding.ip not in ("0.0.0.0", "::"):
            source = self.binding.ip
        self.raise_error()
        if self.write_shut:
            raise refuse(errno.EPIPE)
        data = bytes(view)
        origin = (source, self.binding.port)
        if many:
            for host in tuple(self.kernel.network.by_name.values()):
                self._send(data, origin, ip, port, host, many)
        else:
            host = self.kernel.network.host_at(self.host, ip)
            if host is not None:
                self._send(data, origin, ip, port, host, False)
        return size

    def _send(self, data: bytes, origin: tuple[str, int], ip: str, port: int, host: Any, many: bool) -> None:
        link = self.kernel.link_to(host)
        what = f"{self.place(*origin)} > {host.name}:{port} (UDP)"
        self.world.log.add(self.world.now, self.host.name, "send", len(data), what)
        if link.cuts or link.is_lost():
            link.dropped(what, len(data), "partition" if link.cuts else "lost")
            return
        link.send(self._arrives, (data, origin, ip, port, host, many, what), len(data))
        if link.duplicate and link.random() < link.duplicate:
            link.send(self._arrives, (data, origin, ip, port, host, many, what), len(data))

    def _arrives(
        self, data: bytes, origin: tuple[str, int], ip: str, port: int, host: Any, many: bool, what: str
    ) -> None:
        link = self.kernel.network.link(self.host.name, host.name)
        if link.cuts or not host.kernel.up:
            link.dropped(what, len(data), "partition" if link.cuts else "the host is down")
            return
        if many:
            receivers = [
                each
                for each in host.kernel.receivers.get(port, ())
                if (ip == "255.255.255.255" or ip in each.groups) and each.binding.ip in ("0.0.0.0", ip)
            ]
        else:
            receivers = host.kernel.receivers_for(ip, port, origin)
        for receiver in receivers:
            receiver.take(data, origin, what)
        if not receivers and not many and self.remote == (ip, port) and self.open:
            back = self.kernel.network.link(host.name, self.host.name)
            if not back.cuts:
                back.send(self._refused, (), 60)

    def _refused(self) -> None:
        if self.open and self.kernel.up:
            self.error = errno.ECONNREFUSED
            self.changed()

    def take(self, data: bytes, origin: tuple[str, int], what: str) -> None:
        """A datagram has come."""
        if self.used + len(data) + _OVERHEAD > self.receive_limit:
            self.world.log.add(self.world.now, self.host.name, "drop", len(data), f"{what}: the receive buffer is full")
            return
        self.used += len(data) + _OVERHEAD
        self.queue.append((data, origin))
        self.world.log.add(self.world.now, self.host.name, "receive", len(data), what)
        self.changed()

    def receive_from(self, peek: bool = False) -> tuple[bytes, tuple[str, int]] | None:
        """The next datagram, whole, and where it is from; None where there is none."""
        if self.error:
            self.raise_error()
        if self.queue:
            if peek:
                return self.queue[0]
            found = self.queue.popleft()
            self.used -= len(found[0]) + _OVERHEAD
            if self.mirrored:
                self.changed()
            return found
        return None

    def shutdown(self, how: int) -> None:
        """As shutdown(2)."""
        if how not in (0, 1, 2):
            raise refuse(errno.EINVAL)
        # Also where that then is an error, as Linux does it.
        self.read_shut |= how != 1
        self.write_shut |= how != 0
        self.changed()
        if self.remote is None:
            raise refuse(errno.ENOTCONN)

    def listen(self, backlog: int) -> None:
        """As listen(2) of a socket that cannot."""
        raise refuse(errno.EOPNOTSUPP)

    def accept(self) -> None:
        """As accept(2) of a socket that cannot."""
        raise refuse(errno.EOPNOTSUPP)

    def join(self, enter: bool, value: Any) -> None:
        """As IP_ADD_MEMBERSHIP, or IP_DROP_MEMBERSHIP."""
        data = bytes(value)
        if len(data) < 8:
            raise refuse(errno.EINVAL)
        group = inet_ntop(AF_INET, data[:4])
        if not _is_group(group):
            raise refuse(errno.EINVAL)
        if enter == (group in self.groups):
            raise refuse(errno.EADDRINUSE if enter else errno.EADDRNOTAVAIL)
        if enter:
            self.groups[group] = None
        else:
            del self.groups[group]

    def readable(self) -> bool:
        """As poll(2) has it."""
        return bool(self.queue or self.error or self.read_shut)

    def writable(self) -> bool:
        """As poll(2) has it."""
        return True

    def close(self) -> None:
        """As close(2)."""
        self.open = False
        self.queue.clear()
        self.kernel.endpoints.pop(self, None)
        binding = self.binding
        if binding is not None:
            receivers = self.kernel.receivers.get(binding.port, [])
            if self in receivers:
                receivers.remove(self)
                if not receivers:
                    del self.kernel.receivers[binding.port]
            self.kernel.free(self.kind, binding)

    def vanish(self) -> None:
        """The power is off."""
        self.open = False
        self.queue.clear()
