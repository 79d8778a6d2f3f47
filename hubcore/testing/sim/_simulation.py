"""Simulation: what the main program of a run is given, to make hosts, links and faults with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hubcore.testing.sim._faults import Faults, reset_between
from hubcore.testing.sim._host import Host
from hubcore.time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random

    from hubcore.testing.sim._driver import Driver
    from hubcore.testing.sim._log import Log


class Simulation:
    """One run. Its methods are called from within it, by any host's program."""

    def __init__(self, world: Driver, faults: Faults) -> None:
        self._world = world
        self._faults = faults

    @property
    def seed(self) -> int:
        """The seed."""
        return self._world.seed

    @property
    def now(self) -> float:
        """The world's time: virtual seconds since the run began."""
        return self._world.now

    @property
    def random(self) -> Random:
        """Random numbers from the seed, for the test."""
        return self._world.chance.stream("test")

    @property
    def hosts(self) -> dict[str, Host]:
        """All hosts, by name."""
        return dict(self._world.network.by_name)

    @property
    def log(self) -> Log:
        """What has happened so far."""
        return self._world.log

    @property
    def digest(self) -> str:
        """What tells this run from others: the same for the same seed."""
        return self._world.log.digest

    def host(
        self,
        name: str,
        main: Callable[..., object] | None = None,
        *args: object,
        ip: str | None = None,
        modules: Iterable[str] = (),
    ) -> Host:
        """A new host, whose program is `main(*args)`, begun at once. Switches until that waits for the first time.

        `ip` is its address, by default the next of 10.0.0.0/16. `modules` names packages that are imported anew for
        each start of the program, so that their globals are its own.
        """
        if main is not None and not callable(main):
            raise TypeError(f"a host's program is something callable, not {main!r}")
        new = Host(self._world, name, main, args, ip, modules)
        new.start()
        return new

    def note(self, text: object) -> None:
        """Put `text` into the log."""
        self._world.log.add(self._world.now, self._where(), "note", 0, str(text))

    def _where(self) -> str:
        process = self._world.current
        return "" if process is None else process.host.name

    # Partitions and links.

    def _group(self, given: Any) -> list[str]:
        names = [given] if isinstance(given, (str, Host)) else list(given)
        return [self._known(each) for each in names]

    def _known(self, given: Any) -> str:
        name: Any = given.name if isinstance(given, Host) else given
        if not isinstance(name, str):
            raise TypeError(f"a host is given by its name, not by {given!r}")
        if name not in self._world.network.by_name:
            there = ", ".join(map(repr, self._world.network.by_name))
            raise ValueError(f"there is no host {name!r}; there are {there}")
        return name

    def partition(self, *groups: Any, oneway: bool = False) -> None:
        """Cut the network between the groups, each a host's name or several: nothing passes, connections stay open.

        Hosts that are in no group reach all. With `oneway`, only what goes from a group to a later one does not pass.
        """
        members = [self._group(group) for group in groups]
        if len(members) < 2 or not all(members):
            raise ValueError(f"a partition takes two groups of hosts or more, not {groups!r}")
        seen = [name for group in members for name in group]
        if len(set(seen)) < len(seen):
            raise ValueError(f"a host can be in one group only, and is in two of {groups!r}")
        pairs = [
            (a, b)
            for i, first in enumerate(members)
            for j, second in enumerate(members)
            if i < j or (i > j and not oneway)
            for a in first
            for b in second
        ]
        self._world.log.add(self._world.now, "", "partition", 0, " | ".join(" ".join(group) for group in members))
        self._world.network.cut("by the test", pairs)

    def heal(self) -> None:
        """End all partitions."""
        self._world.log.add(self._world.now, "", "heal")
        self._world.network.mend(None)

    def link(
        self,
        a: Any,
        b: Any,
        *,
        latency: float | tuple[float, float] | None = None,
        loss: float | None = None,
        duplicate: float | None = None,
        reorder: float | None = None,
        bandwidth: float | None = None,
        hold: bool | None = None,
        oneway: bool = False,
    ) -> None:
        """Change the link between two hosts; with `oneway`, only the way from `a` to `b`. What is not given stays.

        `latency` is seconds, or a range of them; `loss`, `duplicate` and `reorder` are probabilities; `bandwidth` is in
        bytes per second, 0 for any; `hold` keeps packets until it is False.
        """
        first, second = self._known(a), self._known(b)
        if first == second:
            raise ValueError(f"a link is between two hosts, not from {first!r} to itself")
        changes: dict[str, Any] = {}
        if latency is not None:
            changes["latency"] = checked_latency(latency)
        for name, value in (("loss", loss), ("duplicate", duplicate), ("reorder", reorder)):
            if value is not None:
                if not 0.0 <= value <= (1.0 if name != "loss" else 0.99):
                    most = "0.99 (for 1, use partition)" if name == "loss" else "1"
                    raise ValueError(f"{name} is {value!r}; it takes a probability from 0 to {most}")
                changes[name] = float(value)
        if bandwidth is not None:
            if not bandwidth >= 0.0:
                raise ValueError(f"bandwidth is {bandwidth!r}; it takes bytes per second, or 0 for any")
            changes["bandwidth"] = float(bandwidth)
        network = self._world.network
        for link in [network.link(first, second), *([] if oneway else [network.link(second, first)])]:
            for name, value in changes.items():
                setattr(link, name, value)
            if hold is not None:
                link.set_hold(bool(hold))
        text = ", ".join(f"{name} {value}" for name, value in {**changes, "hold": hold}.items() if value is not None)
        self._world.log.add(self._world.now, "", "link", 0, f"{first} {'>' if oneway else '-'} {second}: {text}")

    def reset(self, a: Any, b: Any) -> int:
        """Reset all connections between two hosts, as a middle box does; how many there were."""
        return reset_between(self._world, self._known(a), self._known(b))

    def faults(
        self,
        *kinds: str,
        every: tuple[float, float] = (1.0, 10.0),
        lasting: tuple[float, float] = (0.5, 5.0),
        until: float = 60.0,
        hosts: Iterable[Any] | None = None,
    ) -> None:
        """Plan faults of these kinds (none named: all but "disk") and return at once.

        A fault begins `every` so many virtual seconds and lasts `lasting`, drawn from these ranges. At second `until`
        of the run all are over: healed, resumed, started. They happen to `hosts`, by default to all that there are now;
        only the network's happen to the test's own host.
        """
        names = None if hosts is None else [self._known(host) for host in hosts]
        self._faults.plan(kinds, every, lasting, until, names)

    # Waiting for what the test wants.

    def eventually(self, predicate: Callable[[], object], within: float = 10.0, every: float = 0.1) -> None:
        """Wait until `predicate()` is true, asking `every` so many virtual seconds. AssertionError if it is not
        `within` that many seconds. Switches.
        """
        end = self._world.now + within
        while not predicate():
            if self._world.now >= end:
                name = getattr(predicate, "__name__", repr(predicate))
                raise AssertionError(f"{name} was not so within {within:g} virtual seconds")
            sleep(min(every, max(end - self._world.now, 1e-6)))

    def always(self, predicate: Callable[[], object]) -> None:
        """From now on `predicate()`, which must not wait, is asked after each event of the world: if it is not true, or
        raises, the run fails, with AssertionError or what it raises.
        """
        if not callable(predicate):
            raise TypeError(f"what is always to be so is a function, not {predicate!r}")
        self._world.predicates.append(predicate)

    def __repr__(self) -> str:
        return f"<Simulation of seed {self.seed}, {len(self._world.network.by_name)} hosts, at {self.now:.6f} s>"


def checked_latency(given: Any) -> tuple[float, float]:
    """A latency, or a range of them, as a range; ValueError for what is none."""
    try:
        low, high = (given, given) if isinstance(given, (int, float)) else given
        low, high = float(low), float(high)
    except (TypeError, ValueError):
        raise ValueError(f"latency is {given!r}; it takes seconds, or a pair of them: the least and the most") from None
    if not 0.0 <= low <= high:
        raise ValueError(f"latency is {given!r}; it takes seconds, or a pair of them: the least and the most")
    return low, high
