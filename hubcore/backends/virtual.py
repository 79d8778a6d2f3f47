"""The virtual backend: the select backend on a clock that jumps.

When no entry is ready, time jumps to the next deadline, so that a test of an hour's sleep takes no time and has the
same order in every run. The loop still polls real fds, and a ready fd comes before the jump. During external operations
(a look-up in a thread, a child process) real time passes, because these take real time.

An fd that is always ready, or a greenlet that only yields, would stop the clock. So after `_PATIENCE` passes in a row
without a jump, each further pass takes `_STEP` seconds. A loop that only tries, such as for a lock, would stop it, too:
after `_PAUSES` pauses of it without a jump, time jumps.
"""

from __future__ import annotations

from math import inf
from time import monotonic

from hubcore.backends.select_ import SelectLoop

_PATIENCE = 1000
_STEP = 1e-5
_PAUSES = 32  # each of 64 tries, or of 1,024 steps; see `_sync.steps`


class VirtualLoop(SelectLoop):
    """A loop on virtual time, which starts at 0."""

    name = "virtual"
    approx_timer_resolution: float = 1e-9

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        self._time = 0.0
        self._passes_since_jump = 0
        self._pauses_since_jump = 0
        super().__init__(flags, default)

    def clock(self) -> float:
        """The virtual time, in seconds."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Advance the clock by `seconds` at once; deadlines that are then due fire at the next pass."""
        if not seconds >= 0.0:
            raise ValueError(f"advance(): seconds must be 0 or more, not {seconds!r}")
        self._time += seconds

    def poll(self, timeout: float) -> None:
        """As Loop.poll, but a wait that only time would end returns at once, and the clock jumps to its end."""
        if timeout < 0.0 or (timeout > 0.0 and (self.external or self.jobs or len(self.deadlines) == 0)):
            start = monotonic()
            super().poll(timeout)
            self._time += monotonic() - start
            return
        before = self.pendingcnt
        super().poll(0.0)
        if timeout > 0.0 and self.pendingcnt == before:
            self._time += timeout
            self._passes_since_jump = self._pauses_since_jump = 0
        else:
            self._passes_since_jump += 1
            if self._passes_since_jump > _PATIENCE:
                self._time += _STEP

    def spins(self) -> None:
        """As Loop.spins: after many pauses the clock jumps to the next deadline, which fires at the next pass."""
        self._pauses_since_jump += 1
        if self._pauses_since_jump > _PAUSES and not (self.external or self.jobs):
            self._pauses_since_jump = 0
            earliest = self.deadlines.earliest()
            if earliest != inf:
                self._time = max(self._time, earliest)
