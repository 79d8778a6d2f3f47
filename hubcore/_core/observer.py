"""Observer: what one hub notifies of its greenlets while instruments or the recorder look on.

Without an observer a switch costs nothing more: the scheduler looks for one only where `per_greenlet_state.enabled` is
not 0, the ready queue only where `_limit` is 0, and both are tests that they make anyway.

Each method is called in the hub's thread, must not switch, and must not raise. `_core.hub_observer` implements them.
"""

from __future__ import annotations


class Observer:
    """Sees the greenlets of one hub. This base ignores all events."""

    __slots__ = ("calling",)

    def __init__(self) -> None:
        self.calling: bool = False  # whether an instrument of the program runs, which must not wait

    def pushed(self, entry: object, from_outside: bool) -> None:
        """`entry` became ready; `from_outside` if another thread made it so."""

    def left(self, waiter: object) -> None:
        """The current greenlet parks with `waiter`, or gives way: then the waiter was woken before."""

    def resumed(self, current: object) -> None:
        """`current`, which had left, runs again."""

    def begins(self, new: object) -> None:
        """The caller is about to switch to `new` for the first time."""

    def hub_runs(self) -> None:
        """The hub greenlet runs: the greenlet that ran before has parked, ended, or switched here by hand."""

    def never_ran(self, new: object) -> None:
        """`new` was scheduled and has ended without having run."""

    def polls(self, timeout: float) -> None:
        """The loop is about to poll for at most `timeout` seconds; negative: no limit."""

    def polled(self) -> None:
        """The loop has polled."""

    def pass_over(self) -> None:
        """The pass has ended: from now on, greenlets make each other ready."""
