"""Barrier: a fixed number of greenlets or threads wait for each other. As the standard library's."""

from __future__ import annotations

from threading import BrokenBarrierError

from hubcore._base.hints import Callable
from hubcore._sync.condition import Condition

__all__ = ["Barrier", "BrokenBarrierError"]

_FILLING, _DRAINING, _RESETTING, _BROKEN = range(4)


class Barrier:
    """Releases its waiters as soon as `parties` of them wait; then it can be used again.

    The last party to arrive calls `action`, if there is one, before the others go on; if it raises, the barrier breaks.
    `timeout`, in seconds, is the default for `wait`.
    """

    def __init__(self, parties: int, action: Callable[[], object] | None = None, timeout: float | None = None) -> None:
        if parties < 1:
            raise ValueError(f"parties must be >= 1, not {parties!r}")
        self._parties = parties
        self._action = action
        self._timeout = timeout
        self._condition = Condition()
        self._state = _FILLING
        self._count = 0

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all parties wait here; return a number from 0 to `parties` - 1, different for each. Switches.

        All of them get BrokenBarrierError if the `timeout` of one passes first, if one wait is interrupted, or after
        `abort` or `reset`.
        """
        if timeout is None:
            timeout = self._timeout
        with self._condition:
            # Parties of the last round may still be leaving.
            self._condition.wait_for(lambda: self._state not in (_DRAINING, _RESETTING))
            if self._state == _BROKEN:
                raise BrokenBarrierError(f"{self!r} is broken; call reset() to use it again")
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
                self._break()  # one party is missing now: the others would wait forever
            raise
        if not came:
            self._break()
            raise BrokenBarrierError(f"not all of {self._parties} parties arrived within {timeout} seconds")
        if self._state in (_RESETTING, _BROKEN):
            raise BrokenBarrierError(f"{self!r} was reset or broken during this wait")

    def _break(self) -> None:
        self._state = _BROKEN
        self._wake_all()

    def _wake_all(self) -> None:
        # The caller may not own the lock: if its hub was destroyed, it could not take the lock again.
        self._condition._wake_all()

    def reset(self) -> None:
        """Return the barrier to its initial state; its waiters get BrokenBarrierError."""
        with self._condition:
            if self._count == 0:
                self._state = _FILLING
            elif self._state != _DRAINING:  # the parties of that state are leaving, and none waits
                self._state = _RESETTING
            self._condition.notify_all()

    def abort(self) -> None:
        """Break the barrier: its waiters, and later callers until `reset`, get BrokenBarrierError."""
        with self._condition:
            self._break()

    @property
    def parties(self) -> int:
        """The number of parties that the barrier waits for."""
        return self._parties

    @property
    def n_waiting(self) -> int:
        """The number of parties that wait now."""
        return self._count if self._state == _FILLING else 0

    @property
    def broken(self) -> bool:
        """Whether the barrier is broken."""
        return self._state == _BROKEN

    def __repr__(self) -> str:
        state = "broken" if self.broken else f"{self.n_waiting} of {self._parties} waiting"
        return f"<{type(self).__name__} at {id(self):#x} {state}>"
