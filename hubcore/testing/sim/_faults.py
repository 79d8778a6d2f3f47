"""Faults: planned as a list before they happen, so that a failing run can be tried without some of them.

What a fault draws beyond that, such as how far a clock is off, it draws by its own name: taking out another changes
nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._driver import Driver

KINDS = ("partition", "kill", "crash", "pause", "reset", "clock", "slow", "disk")
_DEFAULT = KINDS[:-1]
_OF_THE_NETWORK = ("partition", "reset")
_NOT_UNDONE = ("reset",)


class Fault(NamedTuple):
    """One fault: `kind` happens at virtual second `at` of the run to the hosts `where`, for `lasting` seconds.

    "partition": the hosts `where` are cut off from the others. "reset": all connections between the two hosts `where`.
    "kill", "crash": the host is started again after `lasting`. The others are of one host.
    """

    at: float
    kind: str
    where: tuple[str, ...]
    lasting: float

    def __str__(self) -> str:
        lasting = "" if self.kind in _NOT_UNDONE else f" for {self.lasting:.3g} s"
        return f"{self.at:.3f} s  {self.kind} {' '.join(self.where)}{lasting}"


def checked_fault(given: Any) -> Fault:
    """`given`, a Fault or the list that JSON made of one, as a Fault. ValueError for what is none."""
    try:
        at, kind, where, lasting = given
        fault = Fault(float(at), kind, tuple(where), float(lasting))
    except (TypeError, ValueError):
        raise ValueError(f"a fault is Fault(at, kind, where, lasting), not {given!r}") from None
    if fault.kind not in KINDS:
        raise ValueError(f"{given!r} is of an unknown kind; there are {', '.join(KINDS)}")
    if not fault.at >= 0.0 or not fault.lasting >= 0.0 or not fault.where:
        raise ValueError(f"{given!r} is no fault: its times take 0 or more, and it needs a host")
    return fault


class Faults:
    """Plans faults, makes them happen and ends them; counts what came of them."""

    def __init__(self, world: Driver, given: Sequence[Fault] | None) -> None:
        self._world = world
        self._given = given  # that replace those that are drawn
        self._calls = 0
        self._undo: dict[int, Callable[[], object]] = {}  # of those that last, by their number
        self._number = 0
        self.planned: list[Fault] = []
        self.fired: dict[str, int] = {}
        self.missed: dict[str, dict[str, int]] = {}  # by kind and reason
        for fault in given or ():
            self._schedule(fault)

    def plan(
        self,
        kinds: tuple[str, ...],
        every: tuple[float, float],
        lasting: tuple[float, float],
        until: float,
        hosts: Iterable[str] | None,
    ) -> None:
        """As `Simulation.faults`."""
        world = self._world
        for kind in kinds:
            if kind not in KINDS:
                raise ValueError(f"there is no kind of fault {kind!r}; there are {', '.join(KINDS)}")
        _checked_range("every", every)
        _checked_range("lasting", lasting)
        if not until > world.now:
            raise ValueError(f"until is {until!r}, which is past: it is {world.now:.6f} s")
        if every[1] <= 0.0:
            raise ValueError(f"every is {every!r}; it takes more than 0 seconds")
        world.at(until, self._end_all)
        all_hosts = [*world.network.by_name] if hosts is None else list(hosts)
        own = [] if world.main is None else [world.main.host.name]
        programs = [name for name in all_hosts if name not in own]
        kinds = kinds or _DEFAULT
        for kind in kinds:
            if not programs or (kind in _OF_THE_NETWORK and len(world.network.by_name) < 2):
                raise ValueError(f"there is no host yet that {kind!r} could happen to; make hosts before faults()")
        self._calls += 1
        if self._given is not None:
            return
        random = world.chance.stream("faults", self._calls)
        at = world.now
        while True:
            at += random.uniform(*every)
            if at >= until:
                return
            kind = random.choice(kinds)
            where: tuple[str, ...]
            if kind == "partition":
                size = random.randint(1, max(1, min(len(all_hosts), len(world.network.by_name) - 1)))
                where = tuple(name for name in all_hosts if name in random.sample(all_hosts, size)) or (all_hosts[0],)
            elif kind == "reset":
                where = tuple(random.sample(all_hosts if len(all_hosts) > 1 else [*world.network.by_name], 2))
            else:
                where = (random.choice(programs),)
            self._schedule(Fault(at, kind, where, min(random.uniform(*lasting), until - at)))

    def _schedule(self, fault: Fault) -> None:
        self.planned.append(fault)
        self._world.at_apart(fault.at, self._tie(fault), self._begin, fault)

    def _tie(self, fault: Fault) -> float:
        # By the fault's own name: to give it in a list, or to leave it out, changes no tie-break of the world's events.
        return self._world.chance.stream("tie", fault.kind, *fault.where, round(fault.at, 9)).random()

    def _begin(self, fault: Fault) -> None:
        hosts = [self._world.network.by_name.get(name) for name in fault.where]
        if None in hosts:
            why: Any = "a host that was not there"
        else:
            why = getattr(self, f"_{fault.kind}")(fault, hosts)
        if isinstance(why, str):
            reasons = self.missed.setdefault(fault.kind, {})
            reasons[why] = reasons.get(why, 0) + 1
            self._world.log.add(self._world.now, "", "fault missed", 0, f"{fault}: {why}")
            return
        self.fired[fault.kind] = self.fired.get(fault.kind, 0) + 1
        if why is not None:
            self._number += 1
            self._undo[self._number] = why
            self._world.at_apart(fault.at + fault.lasting, self._tie(fault), self._end, self._number, fault)

    def _end(self, number: int, fault: Fault | None) -> None:
        undo = self._undo.pop(number, None)
        if undo is not None:
            if fault is not None:
                text = f"{fault.kind} {' '.join(fault.where)}"
                self._world.log.add(self._world.now, "", "fault ends", 0, text)
            undo()

    def _end_all(self) -> None:
        for number in list(self._undo):
            self._end(number, None)

    # The kinds: each returns what undoes it, None, or why it could not happen.

    def _partition(self, fault: Fault, hosts: list[Any]) -> Any:
        network = self._world.network
        others = [name for name in network.by_name if name not in fault.where]
        if not others:
            return "all hosts there are"
        reason = object()
        pairs = [(a, b) for a in fault.where for b in others]
        self._world.log.add(self._world.now, "", "partition", 0, f"{' '.join(fault.where)} | {' '.join(others)}")
        network.cut(reason, pairs + [(b, a) for a, b in pairs])
        return lambda: network.mend(reason)

    def _down(self, host: Any, how: str) -> Any:
        if not host.alive:
            return "a host that was down"
        getattr(host, how)()
        return lambda: None if host.alive else host.begin()

    def _kill(self, fault: Fault, hosts: list[Any]) -> Any:
        return self._down(hosts[0], "kill")

    def _crash(self, fault: Fault, hosts: list[Any]) -> Any:
        return self._down(hosts[0], "crash")

    def _pause(self, fault: Fault, hosts: list[Any]) -> Any:
        host = hosts[0]
        if not host.alive:
            return "a host that was down"
        if host.paused:
            return "a host that was paused"
        host.pause()
        process = host.process
        return lambda: host.resume() if host.process is process else None

    def _reset(self, fault: Fault, hosts: list[Any]) -> Any:
        return None if reset_between(self._world, *fault.where[:2]) else "hosts without a connection"

    def _clock(self, fault: Fault, hosts: list[Any]) -> Any:
        host = hosts[0]
        if not host.alive:
            return "a host that was down"
        random = self._world.chance.stream("fault", fault.kind, fault.where[0], round(fault.at, 9))
        offset = 10.0 ** random.uniform(-2.0, 2.0) * random.choice((-1.0, 1.0))
        drift = random.uniform(-0.05, 0.05) if random.random() < 0.5 else 0.0
        host.clock(offset, drift)
        return host.clock

    def _slow(self, fault: Fault, hosts: list[Any]) -> Any:
        host = hosts[0]
        if not host.alive:
            return "a host that was down"
        random = self._world.chance.stream("fault", fault.kind, fault.where[0], round(fault.at, 9))
        host.set_slowness(10.0 ** random.uniform(2.0, 4.5))
        return lambda: host.set_slowness(1.0)

    def _disk(self, fault: Fault, hosts: list[Any]) -> Any:
        if not hosts[0].alive:
            return "a host that was down"
        random = self._world.chance.stream("fault", fault.kind, fault.where[0], round(fault.at, 9))
        return hosts[0].begin_disk_fault(random)

    def summary(self) -> str:
        """What came of those that were planned, in one line; "" where none was."""
        parts = []
        for kind in KINDS:
            fired = self.fired.get(kind, 0)
            missed = self.missed.get(kind, {})
            total = fired + sum(missed.values())
            if total:
                why = "; ".join(f"{count} fell on {reason}" for reason, count in missed.items())
                parts.append(f"{kind} {fired} of {total} ({why})" if missed else f"{kind} {fired}")
        return "faults that fired: " + ", ".join(parts) if parts else ""


def reset_between(world: Driver, first: str, second: str) -> int:
    """Reset the connections between two hosts at both ends; how many there were."""
    hosts = world.network.by_name
    count = 0
    for endpoint in list(hosts[first].kernel.endpoints):
        peer = getattr(endpoint, "peer", None)
        if peer is not None and peer.host.name == second and endpoint.has_peer():
            count += 1
            endpoint.got_reset()
            peer.got_reset()
    world.log.add(world.now, "", "reset", 0, f"{first} - {second}: {count} connections")
    return count


def _checked_range(name: str, given: Any) -> None:
    try:
        low, high = given
        right = 0.0 <= low <= high
    except (TypeError, ValueError):
        right = False
    if not right:
        raise ValueError(f"{name} is {given!r}; it takes two numbers of seconds, the least and the most")
