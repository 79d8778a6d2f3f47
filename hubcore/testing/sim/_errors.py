"""What a simulation raises of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hubcore.exceptions import LoopExit


class SimulationFailure(Exception):
    """A seed failed. `__cause__` is `error`, what the program raised."""

    def __init__(
        self,
        message: str,
        *,
        seed: int = 0,
        order: str = "fifo",
        faults: Sequence[Any] = (),
        error: BaseException | None = None,
        log: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.seed = seed
        self.order = order  #: the order of ready greenlets: "fifo", "random" or "pct"
        self.faults: list[Any] = list(faults)  #: those that are needed, for `run(faults=...)`
        self.error = error
        self.log: list[str] = list(log)  #: the last lines of the log


class SimulationTimeout(Exception):
    """The virtual time that a run may take is over; the text says who waits on what."""


class SimulationDeadlock(LoopExit):
    """All hosts wait, for each other or for nothing, and no packet, timer or fault will change that."""

    def __init__(self, message: str, hub: Any = None) -> None:
        super().__init__(message, hub)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self),)


class Unsimulated(RuntimeError):
    """The program asks for something of the real world that a simulation has not; the text says what to do instead."""


class NotLinearizable(AssertionError):
    """No order of a history's operations explains their results. `operations` is the shortest beginning of the history
    of which that is true, `in_question` the operation that cannot be placed and those beside it.
    """

    def __init__(self, message: str, operations: Sequence[Any] = (), in_question: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.operations: list[Any] = list(operations)
        self.in_question: list[Any] = list(in_question)


class Nondeterminism(Exception):
    """Two runs of one seed differ; the text shows the first event that does, both ways, and what made it."""
