"""The network: a link for each ordered pair of hosts, who has which address, partitions.

A link says how long a packet takes and whether it passes. What is on its way when a link is cut is lost with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._world import World

RETRANSMIT = 0.2  # seconds after which TCP sends again what was not acknowledged; doubled each time
NEXT = 1e-9  # seconds by which what must not be overtaken is apart: what is due at one time comes in a drawn order
_LOOPBACK = (5e-6, 2e-5)  # seconds of a packet within a host
_MAPPED = "::ffff:"


class Link:
    """The way from one host to another."""

    __slots__ = (
        "bandwidth", "cuts", "duplicate", "free_at", "held", "hold", "last", "latency", "local", "loss", "random",
        "reorder", "source", "target", "world",
    )  # fmt: skip

    def __init__(self, world: World, source: str, target: str, latency: tuple[float, float]) -> None:
        self.world: World = world
        self.source: str = source
        self.target: str = target
        self.local: bool = source == target  # within a host: in order, and uncut
        self.last: float = 0.0  # when the last packet arrives, where they stay in order
        self.latency: tuple[float, float] = latency
        self.loss: float = 0.0
        self.duplicate: float = 0.0
        self.reorder: float = 0.0
        self.bandwidth: float = 0.0  # bytes per second; 0: any
        self.hold: bool = False
        self.held: list[tuple[Callable[..., object], tuple[Any, ...], int]] = []
        self.cuts: dict[object, None] = {}  # why it is cut, by the partitions that do so
        self.free_at: float = 0.0  # when what was sent has left, where the bandwidth is limited
        self.random: Callable[[], float] = world.chance.stream("net", source, target).random

    def delay(self, size: int) -> float:
        """How long a packet of `size` bytes takes that is sent now and not lost."""
        low, high = self.latency
        took = low + (high - low) * self.random()
        if self.reorder and self.random() < self.reorder:
            took += (high + low) * 2.0 * self.random()
        if self.bandwidth:
            now = self.world.now
            start = self.free_at if self.free_at > now else now
            self.free_at = start + size / self.bandwidth
            took += self.free_at - now
        return took

    def reliable_delay(self, size: int) -> float:
        """As `delay`, where a packet that is lost is sent again."""
        took = self.delay(size)
        if self.loss:
            again = RETRANSMIT
            while self.random() < self.loss:
                took += again
                again = min(again * 2.0, 120.0)
        return took

    def is_lost(self) -> bool:
        """Whether a packet is lost that is not cut off."""
        return self.loss > 0.0 and self.random() < self.loss

    def send(self, call: Callable[..., object], args: tuple[Any, ...], size: int) -> None:
        """Have `call(*args)` happen when a packet that is sent now arrives, whatever has been lost by then."""
        if self.hold:
            self.held.append((call, args, size))
            return
        at = self.world.now + self.delay(size)
        if self.local:
            self.last = at = max(at, self.last + NEXT)
        self.world.at(at, call, *args)

    def set_hold(self, hold: bool) -> None:
        """Keep packets from now on, or let go what was kept, in its order."""
        self.hold = hold
        if not hold:
            held, self.held = self.held, []
            at = 0.0
            for call, args, size in held:
                at = max(at + NEXT, self.world.now + self.delay(size))
                self.world.at(at, call, *args)

    def dropped(self, what: str, size: int, why: str) -> None:
        """A packet did not pass: say so in the log."""
        self.world.log.add(self.world.now, self.source, "drop", size, f"{what}: {why}")


class Network:
    """All links, and which host has which address."""

    def __init__(self, world: World, latency: tuple[float, float]) -> None:
        self.world = world
        self.latency = latency
        self.by_ip: dict[str, Any] = {}  # hosts
        self.by_name: dict[str, Any] = {}
        self._links: dict[tuple[str, str], Link] = {}

    def enter(self, host: Any) -> None:
        """`host` has its `name` and its `ips` from now on."""
        self.by_name[host.name] = host
        for ip in host.ips:
            self.by_ip[ip] = host

    def link(self, source: str, target: str) -> Link:
        """The way from the host `source` to the host `target`."""
        found = self._links.get((source, target))
        if found is None:
            latency = _LOOPBACK if source == target else self.latency
            found = self._links[source, target] = Link(self.world, source, target, latency)
        return found

    def links(self) -> list[Link]:
        """Those of different hosts, made so far."""
        return [link for link in self._links.values() if link.source != link.target]

    def host_at(self, host: Any, ip: str) -> Any:
        """The host that `ip` is seen from `host`; None where there is none."""
        return host if is_local(ip) or ip in host.ips else self.by_ip.get(ip)

    def cut(self, reason: object, pairs: Iterable[tuple[str, str]]) -> None:
        """Nothing passes from the first to the second of each pair, for `reason`, until `mend`."""
        for source, target in pairs:
            if source != target:
                self.link(source, target).cuts[reason] = None

    def mend(self, reason: object) -> None:
        """Undo what was cut for `reason`; None: all that was cut."""
        for link in self._links.values():
            if reason is None:
                link.cuts.clear()
            else:
                link.cuts.pop(reason, None)


def is_local(ip: str) -> bool:
    """Whether every host is itself at `ip`: a loopback address, or none at all."""
    return ip.startswith("127.") or ip in ("0.0.0.0", "::", "::1")


def plain_ip(family: int, text: str) -> str:
    """The address `text` of that family in its usual form, an IPv4 address within IPv6 as IPv4. OSError if wrong."""
    if family == AF_INET6:
        ip = inet_ntop(AF_INET6, inet_pton(AF_INET6, text))
        return ip[len(_MAPPED) :] if ip.startswith(_MAPPED) and "." in ip else ip
    return inet_ntop(AF_INET, inet_pton(AF_INET, text))


def address_of(family: int, ip: str, port: int) -> tuple[Any, ...]:
    """The address as sockets of that family have it."""
    if family == AF_INET6:
        return (ip if ":" in ip else _MAPPED + ip, port, 0, 0)
    return (ip, port)
