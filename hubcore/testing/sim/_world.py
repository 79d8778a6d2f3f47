"""The world: virtual time, what is to happen when, chance, and the log.

It knows nothing of hosts. An event is a call that is due at a time; where two are due at the same time, the order is
drawn, once, when they are scheduled.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any

from hubcore.testing.sim._chance import Chance
from hubcore.testing.sim._log import Log

#: What `at` returns: time, tie-break, number, call (None: called off) and arguments. A list, which heapq compares in C.
Event = list


class World:
    """One run's time, events, chance and log."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now: float = 0.0  #: virtual seconds since the run began
        self.chance: Chance = Chance(seed)
        self.log: Log = Log()
        self.heap: list[Event[Any]] = []
        self.steps: int = 0  # events that have happened
        self._number = 0
        self._tie = self.chance.stream("ties").random
        self.current: Any = None  # the process that runs now, or ran last

    def at(self, time: float, call: Callable[..., object], *args: object) -> Event[Any]:
        """Have `call(*args)` happen at `time`; what is past happens now. It must not switch."""
        self._number += 1
        event: Event[Any] = [time if time > self.now else self.now, self._tie(), self._number, call, args]
        heappush(self.heap, event)
        return event

    def at_apart(self, time: float, tie: float, call: Callable[..., object], *args: object) -> Event[Any]:
        """As `at`, with a tie-break that the caller has drawn: those of other events stay the same without it."""
        self._number += 1
        event: Event[Any] = [time if time > self.now else self.now, tie, self._number, call, args]
        heappush(self.heap, event)
        return event

    def after(self, delay: float, call: Callable[..., object], *args: object) -> Event[Any]:
        """As `at`, `delay` seconds from now."""
        return self.at(self.now + delay, call, *args)

    def call_off(self, event: Event[Any] | None) -> None:
        """Have `event` not happen. Harmless where it has, and for None."""
        if event is not None:
            event[3] = None
            event[4] = ()

    def next_time(self) -> float:
        """When the next event is due; infinity where nothing is."""
        heap = self.heap
        while heap and heap[0][3] is None:
            heappop(heap)
        return heap[0][0] if heap else inf

    def happen(self) -> None:
        """Go on to the next event, which there is, and have it happen."""
        event = heappop(self.heap)
        call = event[3]
        if call is not None:
            if event[0] > self.now:
                self.now = event[0]
            self.steps += 1
            args = event[4]
            event[3] = None
            call(*args)
