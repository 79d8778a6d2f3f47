"""A host's clocks: monotonic time, which may drift, and the time of day, which may be off as well."""

from __future__ import annotations

from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._world import World

#: 2026-01-01 00:00 UTC: the time of day at the beginning of every run.
EPOCH = 1767225600.0


class Clock:
    """Monotonic time is `start` at the world's beginning, and runs 1 + `drift` times as fast as the world's."""

    def __init__(self, world: World, start: float) -> None:
        self._world = world
        self._start = start
        self._since = 0.0  # of the world
        self._at = start  # monotonic, then
        self.drift: float = 0.0
        self.offset: float = 0.0

    def monotonic(self) -> float:
        """Seconds, of this host."""
        return self._at + (self._world.now - self._since) * (1.0 + self.drift)

    def wall(self) -> float:
        """Seconds since 1970, as this host has them."""
        return EPOCH + self.offset + self.monotonic() - self._start

    def wall_ns(self) -> int:
        """The same in nanoseconds. In whole ones from the start on: a float has no room for them."""
        return int((EPOCH + self.offset) * 1e9) + int((self.monotonic() - self._start) * 1e9)

    def world_time(self, monotonic: float) -> float:
        """When it will be `monotonic` here, in the world's time."""
        if monotonic == inf:
            return inf
        return self._since + (monotonic - self._at) / (1.0 + self.drift)

    def adjust(self, offset: float, drift: float) -> None:
        """Be off by `offset` seconds, and drift so, from now on. ValueError for a clock that stands still."""
        if not -1.0 < drift < inf:
            raise ValueError(f"a clock's drift is {drift!r}; it takes more than -1 (at which it stands still)")
        if not -inf < offset < inf:
            raise ValueError(f"a clock's offset is {offset!r}; it takes a number of seconds")
        self._at = self.monotonic()
        self._since = self._world.now
        self.offset = offset
        self.drift = drift
