"""The order in which ready greenlets run: pickers for the ready queue of a host's hub.

    fifo     as in production; there is no picker
    random   any of those that are ready
    pct      by priorities that are drawn for each greenlet, lowered at a few drawn steps: finds mistakes that take a
             given depth of ordering with a stated probability (Burckhardt and others, ASPLOS 2010)

A picker picks for as long as `Choices` says, which counts the picks of all hosts: so a failing run can be tried with
fewer of them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from random import Random

    from hubcore._core.ready_queue import ReadyQueue

ORDERS = ("fifo", "random", "pct")
_DEEPEST = 3  # changes of priority in a run
_SPINS = 64  # turns in a row after which a greenlet has to let others run


class Choices:
    """How many picks a run has made, and which of them count: the first `limit`, or those in `only`."""

    def __init__(self, limit: int | None = None, only: Collection[int] | None = None) -> None:
        self.made: int = 0
        self.changed: list[int] = []  # those by which another than the first ran next
        self._limit = limit
        self._only = None if only is None else frozenset(only)

    def judge(self, picked: int) -> int:
        """`picked`, of the entries that are ready, if this pick counts; else the first."""
        self.made += 1
        counts = self.made in self._only if self._only is not None else self._limit is None or self.made <= self._limit
        if not counts or picked == 0:
            return 0
        self.changed.append(self.made)
        return picked


class RandomPicker:
    """Any of those that are ready."""

    def __init__(self, random: Random, choices: Choices) -> None:
        self._random = random.random
        self._choices = choices

    def __call__(self, queue: ReadyQueue) -> int:
        return self._choices.judge(int(self._random() * queue.count))


class PctPicker:
    """The one of the highest priority."""

    def __init__(self, random: Random, choices: Choices) -> None:
        self._random = random.random
        self._choices = choices
        self._priorities: dict[int, tuple[Any, float]] = {}  # by id(): the object, which so stays alive, and its own
        # Where the steps are that change something depends on how many there will be, which nobody knows.
        most = 10 ** random.randint(1, 4)
        self._changes = {1 + int(self._random() * most) for _ in range(random.randint(0, _DEEPEST))}
        self._lowest = 0.0
        self._step = 0
        self._last: Any = None
        self._spins = 0

    def __call__(self, queue: ReadyQueue) -> int:
        self._step += 1
        entries = queue.snapshot()[: queue.count]
        best, picked = -1e9, 0
        for i, entry in enumerate(entries):
            priority = self._priority(entry)
            if priority > best:
                best, picked = priority, i
        chosen = _who(entries[picked])
        self._spins = self._spins + 1 if chosen is self._last else 0
        self._last = chosen
        if self._step in self._changes or self._spins >= _SPINS:
            self._spins = 0
            self._lowest -= 1.0
            self._priorities[id(chosen)] = (chosen, self._lowest)
            picked = max(range(len(entries)), key=lambda i: self._priority(entries[i]))
        return self._choices.judge(picked)

    def _priority(self, entry: Any) -> float:
        who = _who(entry)
        known = self._priorities.get(id(who))
        if known is None:
            known = self._priorities[id(who)] = (who, self._random())
            if len(self._priorities) > 10_000:
                self._forget_the_ended()
        return known[1]

    def _forget_the_ended(self) -> None:
        left = {key: known for key, known in self._priorities.items() if not getattr(known[0], "dead", True)}
        self._priorities = left


def _who(entry: Any) -> Any:
    """Whose turn `entry` is: a greenlet, or the callback itself."""
    greenlet = getattr(entry, "greenlet", None)
    return entry if greenlet is None else greenlet


def apply(order: str, hub: Any, random: Random, choices: Choices) -> None:
    """Have `hub` run what is ready in that order, at a drawn pace where it is not production's own."""
    if order == "fifo":
        return
    hub.set_pace(random.randint(1, 32), random.randint(1, 64))
    hub.ready.picker = (RandomPicker if order == "random" else PctPicker)(random, choices)
