"""What a run is to be like, and what came of it: both cross a pipe, from and to the process of the run."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from hubcore.testing.sim._order import ORDERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._faults import Fault


@dataclass
class Settings:
    """One run."""

    seed: int = 0
    timeout: float = 3600.0
    order: str = "fifo"
    latency: tuple[float, float] = (0.0005, 0.005)
    faults: list[Fault] | None = None  #: in place of those that are drawn
    picks: int | None = None  #: after so many, the order is fifo
    only: frozenset[int] | None = None  #: or: only these picks count
    record: bool = False  #: whether the events of the digest are all kept
    host: str = "test"  #: the name of the main program's host
    trap: int = 0  #: the event of the digest whose stack is wanted


@dataclass
class Outcome:
    """What came of a run."""

    seed: int
    order: str
    result: Any = None
    error: BaseException | None = None
    trace: str = ""  #: the error's traceback
    place: tuple[str, str, int] = ("", "", 0)  #: the error's type, and where it was raised: file and line
    digest: str = ""
    now: float = 0.0
    steps: int = 0
    picks: int = 0
    reordered: list[int] = field(default_factory=list)  #: the picks by which another than the first ran next
    log: list[str] = field(default_factory=list)  #: its last lines
    faults: list[Fault] = field(default_factory=list)  #: those that were planned
    summary: str = ""  #: what came of them
    output: str = ""  #: what was printed
    events: list[tuple[Any, ...]] = field(default_factory=list)  #: of the digest, if they were recorded
    stack: str = ""  #: of the event that was trapped


def order_for(seed: int, order: str) -> str:
    """The order of a run: "mixed" is drawn from the seed."""
    if order == "mixed":
        return Random(f"{seed}/the order").choice(ORDERS)
    return order


def checked(given: dict[str, Any]) -> Settings:
    """Settings from the arguments of `run`. ValueError, TypeError for what is none."""
    from hubcore.testing.sim._faults import checked_fault
    from hubcore.testing.sim._simulation import checked_latency

    seed, timeout, order, faults = given["seed"], given["timeout"], given["order"], given["faults"]
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"a seed is a whole number, not {seed!r}")
    if not isinstance(timeout, (int, float)) or not timeout > 0.0:
        raise ValueError(f"timeout is {timeout!r}; it takes virtual seconds, more than 0")
    if order not in ("mixed", *ORDERS):
        raise ValueError(f"order is {order!r}; it takes 'mixed', {', '.join(map(repr, ORDERS))}")
    return Settings(
        seed=seed,
        timeout=float(timeout),
        order=order_for(seed, order),
        latency=checked_latency(given["latency"]),
        faults=None if faults is None else [checked_fault(each) for each in faults],
    )
