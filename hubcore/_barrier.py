"""Barrier: a number of greenlets or threads wait for each other. The standard library's names and meanings."""

from __future__ import annotations

from threading import BrokenBarrierError

from hubcore._condition import Condition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Barrier", "BrokenBarrierError"]

_FILLING, _DRAINING, _RESETTING, _BROKEN = range(4)


class Barrier:
    """Lets go on whoever waits at it as soon as `parties` of them do; then it can be used again.

    The last to come calls `action`, if there is one, before the others go on; if it raises, the barrier is broken.
    `timeout` (seconds) is that of a `wait` without one of its own.
    """

    def __init__(self, parties: int, action: Callable[[], object] | None = None, timeout: float | None = None) -> None:
        if parties < 1:
            raise ValueError(f"a barrier is for 1 party or more, not {parties!r}")
        self._parties = parties
        self._action = action
        self._timeout = timeout
        self._condition = Condition()
        self._state = _FILLING
        self._count = 0

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all parties are here; each gets another number from 0 to `parties` - 1. Switches.

        BrokenBarrierError for all of them if one's `timeout` passes first, one's wait ends otherwise, or by `abort`
        and `reset`.
        """
        if timeout is None:
            timeout = self._timeout
        with self._condition:
            # Those of the last round may still be leaving.
            self._condition.wait_for(lambda: self._state not in (_DRAINING, _RESETTING))
            if self._state == _BROKEN:
                raise BrokenBarrierError(f"{self!r} is broken; reset() mends it")
            index = self._count
            self._count += 1
            try:
                if self._count == self._parties:
                    self._let_go()
                else:
                    self._wait_for_others(timeout)
                return index
            finally:
                self._count -= 1
                if self._count == 0 and self._state in (_DRAINING, _RESETTING):
                    self._state = _FILLING
                    self._wake_all()

    def _let_go(self) -> None:
        try:
            if self._action is not None:
                self._action()
            self._state = _DRAINING
            self._condition.notify_all()
        except BaseException:
            self._break()
            raise

    def _wait_for_others(self, timeout: float | None) -> None:
        try:
            came = self._condition.wait_for(lambda: self._state != _FILLING, timeout)
        except BaseException:
            if self._state == _FILLING:
                self._break()  # one party less: the others would wait for ever
            raise
        if not came:
            self._break()
            raise BrokenBarrierError(f"not all of {self._parties} parties came within {timeout} seconds")
        if self._state in (_RESETTING, _BROKEN):
            raise BrokenBarrierError(f"{self!r} was reset or broken while this one waited")

    def _break(self) -> None:
        self._state = _BROKEN
        self._wake_all()

    def _wake_all(self) -> None:
        # Also by one whose hub was destroyed, and who could not take the lock back.
        self._condition._wake_all()

    def reset(self) -> None:
        """Be as new; who waits gets BrokenBarrierError."""
        with self._condition:
            if self._count == 0:
                self._state = _FILLING
            elif self._state != _DRAINING:  # those are on their way, and nobody waits any more
                self._state = _RESETTING
            self._condition.notify_all()

    def abort(self) -> None:
        """Break it: who waits, or comes until `reset`, gets BrokenBarrierError."""
        with self._condition:
            self._break()

    @property
    def parties(self) -> int:
        """How many have to come."""
        return self._parties

    @property
    def n_waiting(self) -> int:
        """How many are here and wait."""
        return self._count if self._state == _FILLING else 0

    @property
    def broken(self) -> bool:
        """Whether it is broken."""
        return self._state == _BROKEN

    def __repr__(self) -> str:
        state = "broken" if self.broken else f"{self.n_waiting} of {self._parties} waiting"
        return f"<{type(self).__name__} at {id(self):#x} {state}>"
