"""A host's kernel, as far as sockets see it: who is bound where, and what answers a packet that is for nobody.

It lives through a kill of the host's program, as a kernel does; a crash takes it along, and a start then makes another.
"""

from __future__ import annotations

import errno
from socket import AF_INET, AF_INET6, SOCK_STREAM
from typing import Any

from hubcore.testing.sim._network import is_local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._network import Link, Network
    from hubcore.testing.sim._world import World

TIME_WAIT = 60.0  # seconds for which the side that closed first keeps the port
_EPHEMERAL = (32768, 60999)
_ANY = ("0.0.0.0", "::")


class Binding:
    """An address of this host that a socket, or the memory of one, has."""

    __slots__ = ("ends_at", "family", "ip", "listens", "port", "reuse_address", "reuse_port", "v6_only")

    def __init__(self, family: int, ip: str, port: int) -> None:
        self.family: int = family
        self.ip: str = ip
        self.port: int = port
        self.reuse_address: bool = False
        self.reuse_port: bool = False
        self.listens: bool = False
        self.v6_only: bool = False
        self.ends_at: float = 0.0  # of a closed connection: when the port is free; 0 while there is a socket

    def overlaps(self, other: Binding) -> bool:
        """Whether a packet could be for both."""
        if self.ip == other.ip:
            return True
        mine, others = self.ip in _ANY, other.ip in _ANY
        if not mine and not others:
            return False
        if self.family == other.family:
            return mine if not others else True
        six = self if self.family == AF_INET6 else other
        four = other if six is self else self
        # An IPv6 socket for any address is for IPv4 ones as well, unless it says otherwise.
        return six.ip == "::" and not six.v6_only and four is not six

    def excludes(self, other: Binding) -> bool:
        """Whether a socket may not have this address while another has `other`."""
        if not self.overlaps(other) or (self.reuse_port and other.reuse_port):
            return False
        return not (self.reuse_address and other.reuse_address) or other.listens


class Kernel:
    """The sockets' side of one host, from its start to a crash."""

    def __init__(self, world: World, network: Network, host: Any) -> None:
        self.world = world
        self.network = network
        self.host = host
        self.up: bool = True
        self._bound: dict[tuple[int, int], list[Binding]] = {}  # by kind and port
        self.listeners: dict[int, list[Any]] = {}  # TCP, by port
        self.receivers: dict[int, list[Any]] = {}  # UDP, by port
        start = world.chance.stream("port", host.name).randrange(*_EPHEMERAL)
        self._next_port = start
        #: What programs have open here, in the order in which it was opened.
        self.open: dict[Any, None] = {}
        #: All that is not over, what programs have closed and what nobody has accepted among it.
        self.endpoints: dict[Any, None] = {}

    def link_to(self, host: Any) -> Link:
        """The way from here to `host`."""
        return self.network.link(self.host.name, host.name)

    def has(self, ip: str) -> bool:
        """Whether a socket may be bound to `ip` here."""
        return is_local(ip) or ip in self.host.ips

    def source_for(self, family: int, ip: str) -> str:
        """The address from which a packet to `ip` goes out. OSError if there is no way."""
        if is_local(ip) or ip in self.host.ips:
            if ip in _ANY:
                return "127.0.0.1" if family == AF_INET else "::1"
            return ip
        six = ":" in ip
        for own in self.host.ips:
            if (":" in own) == six:
                found: str = own
                return found
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    def bind(self, kind: int, binding: Binding) -> None:
        """Have `binding`, whose port 0 becomes a free one. OSError if another excludes it."""
        if binding.port == 0:
            binding.port = self._free_port(kind, binding)
        elif self._excluded(kind, binding):
            raise OSError(errno.EADDRINUSE, "Address already in use")
        self._bound.setdefault((kind, binding.port), []).append(binding)

    def share(self, kind: int, binding: Binding) -> None:
        """As `bind`, of a connection that has its listener's port."""
        self._bound.setdefault((kind, binding.port), []).append(binding)

    def may_listen(self, binding: Binding) -> bool:
        """Whether the socket that has `binding` may listen there."""
        binding.listens = True
        if self._excluded(SOCK_STREAM, binding):
            binding.listens = False
            return False
        return True

    def _excluded(self, kind: int, binding: Binding) -> bool:
        now = self.world.now
        others = self._bound.get((kind, binding.port))
        if not others:
            return False
        if any(other.ends_at and other.ends_at <= now for other in others):
            others[:] = [other for other in others if not other.ends_at or other.ends_at > now]
        return any(other is not binding and binding.excludes(other) for other in others)

    def _free_port(self, kind: int, binding: Binding) -> int:
        low, high = _EPHEMERAL
        for _ in range(high - low + 1):
            binding.port = self._next_port
            self._next_port = low if self._next_port >= high else self._next_port + 1
            now = self.world.now
            others = self._bound.get((kind, binding.port), ())
            if not any(not other.ends_at or other.ends_at > now for other in others):
                return binding.port
        binding.port = 0
        raise OSError(errno.EADDRINUSE, "Address already in use")

    def free(self, kind: int, binding: Binding, keep: bool = False) -> None:
        """The socket is gone; with `keep` its port is not free yet."""
        if keep:
            binding.ends_at = self.world.now + TIME_WAIT
            return
        others = self._bound.get((kind, binding.port), [])
        if binding in others:
            others.remove(binding)
            if not others:
                del self._bound[kind, binding.port]

    def listener_for(self, ip: str, port: int) -> Any:
        """The listening socket that a connection to that address is for, None where there is none."""
        return self._chosen(self.listeners.get(port, ()), ip)

    def receivers_for(self, ip: str, port: int, source: tuple[str, int]) -> list[Any]:
        """The UDP sockets that a datagram from `source` to that address is for."""
        fitting = []
        for each in self.receivers.get(port, ()):
            if each.remote is not None and (each.remote != source):
                continue
            if _fits(each.binding, ip):
                fitting.append(each)
        connected = [each for each in fitting if each.remote is not None]
        exact = [each for each in fitting if each.binding.ip == ip]
        chosen = connected or exact or fitting
        if len(chosen) > 1 and all(each.binding.reuse_port for each in chosen):
            return [chosen[int(self.world.chance.stream("reuseport", self.host.name).random() * len(chosen))]]
        return chosen[-1:]

    def _chosen(self, sockets: Any, ip: str) -> Any:
        fitting = [each for each in sockets if _fits(each.binding, ip)]
        chosen = [each for each in fitting if each.binding.ip == ip] or fitting
        if len(chosen) < 2:
            return chosen[0] if chosen else None
        return chosen[int(self.world.chance.stream("reuseport", self.host.name).random() * len(chosen))]

    def crash(self) -> None:
        """The power is off: nothing of it is told to anybody."""
        self.up = False
        for endpoint in list(self.endpoints):
            endpoint.vanish()
        self.endpoints.clear()
        self.open.clear()

    def close_all(self) -> None:
        """The program is gone: close what it has open, as a kernel does."""
        for endpoint in list(self.open):
            endpoint.abandon()
            endpoint.close()
        self.open.clear()


def _fits(binding: Binding, ip: str) -> bool:
    if binding.ip == ip:
        return True
    six = ":" in ip
    if binding.ip == "0.0.0.0":
        return not six
    return binding.ip == "::" and (six or not binding.v6_only)
