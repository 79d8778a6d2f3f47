"""Reduction of a failure: without the faults and the changes of order that it does not need.

A candidate counts only if it fails by the same type of exception, raised in the same line. Delta debugging (Zeller and
Hildebrandt, 2002) over lists, within a budget of real seconds; the best so far is what there is when it is spent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from hubcore._base.originals import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._settings import Outcome, Settings

    T = TypeVar("T")

_SHORTER = 4  # how often a fault's duration is halved
_monotonic: Any = original("time", "monotonic")


class Reduction:
    """Reduces the failure `outcome` of a run that `settings` describe; `run` makes another."""

    def __init__(self, run: Callable[[Settings], Outcome], settings: Settings, outcome: Outcome, budget: float) -> None:
        self._run = run
        self._end = _monotonic() + budget
        self.settings = settings  #: the best so far
        self.outcome = outcome
        self._place = outcome.place
        self.tried = 0
        self.planned = len(outcome.faults)
        self.fifo_fails: bool | None = None  #: whether it fails in order fifo, too; None: not tried

    def reduce(self) -> None:
        """Do what the budget allows."""
        if self.outcome.faults:
            self._without_faults()
        if self.settings.order != "fifo":
            self._without_reordering()
        if self.settings.faults:
            self._with_shorter_faults()

    def _fails(self, settings: Settings) -> bool:
        """Whether that fails in the same way; if so, it is the best so far. Not tried once the budget is spent."""
        if _monotonic() >= self._end:
            return False
        self.tried += 1
        outcome = self._run(settings)
        if outcome.error is None or outcome.place != self._place:
            return False
        self.settings = settings
        self.outcome = outcome
        return True

    def _without_faults(self) -> None:
        faults = list(self.outcome.faults)
        if self._fails(replace(self.settings, faults=[])):
            return
        if self._fails(replace(self.settings, faults=faults)):
            _minimal(faults, lambda some: self._fails(replace(self.settings, faults=some)))

    def _with_shorter_faults(self) -> None:
        for i in range(len(self.settings.faults or ())):
            for _ in range(_SHORTER):
                faults = list(self.settings.faults or ())
                faults[i] = faults[i]._replace(lasting=faults[i].lasting / 2.0)
                if not self._fails(replace(self.settings, faults=faults)):
                    break

    def _without_reordering(self) -> None:
        self.fifo_fails = self._fails(replace(self.settings, order="fifo", picks=None, only=None))
        if self.fifo_fails:
            return
        # Fewer picks need not fail where more do; where they do not, the search ends with what it has.
        low, high = 0, self.outcome.picks
        while high - low > 1:
            middle = (low + high) // 2
            if self._fails(replace(self.settings, picks=middle)):
                high = middle
            else:
                low = middle
        picks = list(self.outcome.reordered)
        if picks and self._fails(replace(self.settings, picks=None, only=frozenset(picks))):
            _minimal(picks, lambda some: self._fails(replace(self.settings, picks=None, only=frozenset(some))))


def _minimal(items: list[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """A part of `items`, which fail, that fails and of which no single one can be left out."""
    parts = 2
    while len(items) >= 2:
        size = -(-len(items) // parts)
        chunks = [items[i : i + size] for i in range(0, len(items), size)]
        for i, chunk in enumerate(chunks):
            if len(chunks) > 2 and fails(chunk):
                items, parts = chunk, 2
                break
            rest = [item for j, other in enumerate(chunks) if j != i for item in other]
            if fails(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(items):
                return items
            parts = min(parts * 2, len(items))
    return items
