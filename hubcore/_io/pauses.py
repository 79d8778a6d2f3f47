"""Waiting for what has no event to wait for: growing pauses between tries."""

from __future__ import annotations

from hubcore.hub import get_hub

_SHORTEST, _LONGEST = 0.001, 0.05  # seconds


class GrowingPauses:
    """The pauses of one wait. Reports name `waiting_on`."""

    __slots__ = ("_next", "waiting_on")

    def __init__(self, waiting_on: object) -> None:
        self.waiting_on = waiting_on
        self._next = _SHORTEST

    def pause(self) -> None:
        """Wait for 1 to 50 ms, longer each time. Switches."""
        hub = get_hub()
        # Another process may end the wait: real time must pass for it, also on a virtual clock.
        hub.loop.begin_external(False)
        try:
            hub.park(hub.new_waiter(self.waiting_on), self._next)
        finally:
            hub.loop.end_external(False)
        self._next = min(2 * self._next, _LONGEST)
