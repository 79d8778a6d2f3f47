# cython: boundscheck=False, wraparound=False
"""Deadlines: one heap per loop, the same for every backend.

Facts: libev's timer heap does not keep the start order of equal times; libuv's counts in whole milliseconds and frees
a timer's memory only after an asynchronous close. Consequence: hubcore keeps its own heap and asks the backend only
to wait until the earliest time. So a deadline needs no C handle and fires in the same order on every backend, and a
virtual clock needs nothing but another `clock()`.
"""

from __future__ import annotations

from math import inf

from hubcore._base.argument_checks import refuse_copy
from hubcore._base.hints import Any, NoReturn


def as_seconds(given: Any, what: str) -> float:
    """Return `given` as a float. TypeError if it is not a number, ValueError if it is nan; both name it by `what`."""
    try:
        if isinstance(given, (str, bytes, bytearray)):
            raise TypeError  # float() would read it
        number = float(given)
    except TypeError:
        raise TypeError(f"{what} must be a number of seconds, not {given!r}") from None
    if number != number:
        raise ValueError(f"{what} must be a number of seconds, not {given!r}")
    return number


class TimeLimit(BaseException):
    """The base of Timeout: a running exception that a wait takes as its `timeout`, in place of a number of seconds."""

    __slots__ = ()

    def _begin_here(self) -> None:
        """Start it for the calling greenlet, unless it runs. Never switches."""
        raise NotImplementedError(f"{type(self).__name__} does not implement _begin_here()")

    def _seconds_here(self) -> float | None:
        """The seconds that it gives a thread that has no hub."""
        raise NotImplementedError(f"{type(self).__name__} does not implement _seconds_here()")

    def _raised(self) -> Any:
        """What it raises: itself, or another exception, a class or an instance."""
        return self

    def cancel(self) -> None:
        """Stop it. Never switches."""


def ended_by(timeout: object, otherwise: Any) -> Any:
    """Return what a call raises whose wait ended by `timeout`: a TimeLimit itself; `otherwise` for a number."""
    return timeout if isinstance(timeout, TimeLimit) else otherwise


_ARITY = 4  # children per node: half the levels of a binary heap, and a node's children lie side by side


class Deadline:
    """An action that is due at a time. A subclass implements it in `fire`, which must not switch."""

    __slots__ = ("_order", "_place", "at", "ref")

    def __init__(self) -> None:
        self.at: float = 0.0
        self.ref: bool = True  # whether it keeps the loop alive
        self._order = 0
        self._place = 0

    @property
    def scheduled(self) -> bool:
        """Whether it is in a heap, to fire at `at`."""
        return self._place != 0

    def _fire(self, now: float) -> None:
        """Perform the action. The loop calls this once, out of the heap, when `at` has come. Must not switch.

        `now` is the loop's time.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement _fire()")

    def _give_up(self, exception: BaseException) -> None:
        """Called if the hub is destroyed while this is in the heap: it will never fire. Must not switch."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """TypeError: a copy would share its place in the heap."""
        refuse_copy(self)


class DeadlineHeap:
    """Deadlines ordered by time, and by start order where times are equal. One thread only."""

    __slots__ = ("_heap", "_next_order", "refs")

    def __init__(self) -> None:
        self._heap: list[Deadline] = []
        self._next_order = 0
        self.refs: int = 0  # deadlines that keep the loop alive

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, deadline: Deadline, at: float) -> None:
        """Schedule `deadline` for the loop time `at` (seconds), after earlier deadlines of the same time."""
        if at != at:
            # nan is neither before nor after any time: as the first of the heap it would keep all others from firing.
            raise ValueError("the time of a deadline must be a number, not nan")
        if deadline._place:
            self.remove(deadline)
        deadline.at = at
        self._next_order += 1
        deadline._order = self._next_order
        if deadline.ref:
            self.refs += 1
        self._heap.append(deadline)
        self._rise(deadline, len(self._heap) - 1)

    def remove(self, deadline: Deadline) -> None:
        """Remove `deadline`; do nothing if it is not in the heap."""
        i = deadline._place - 1
        if i < 0:
            return
        deadline._place = 0
        if deadline.ref:
            self.refs -= 1
        last = self._heap.pop()
        if last is deadline:
            return
        self._rise(last, i)
        if last._place == i + 1:
            self._sink(last, i)

    def snapshot(self) -> list[Deadline]:
        """Return the present deadlines, in no order. Any thread."""
        found: list[Deadline] = []
        # Not list.copy(): it allocates first, which may let another thread run, and then copies what may be shorter.
        for deadline in self._heap:
            found.append(deadline)  # noqa: PERF402
        return found

    def _give_up(self, exception: BaseException) -> None:
        """Call `give_up(exception)` of every deadline: none will fire."""
        for deadline in tuple(self._heap):
            deadline._give_up(exception)

    def set_ref(self, deadline: Deadline, ref: bool) -> None:
        """Set whether `deadline` keeps the loop alive, also while it is scheduled."""
        if deadline._place and deadline.ref != ref:
            self.refs += 1 if ref else -1
        deadline.ref = ref

    def earliest(self) -> float:
        """Return the time of the first deadline; infinity if there is none."""
        if not self._heap:
            return inf
        first = self._heap[0]
        return first.at

    def fire_due(self, now: float) -> None:
        """Fire the deadlines whose time has come, in order.

        A deadline that is added meanwhile waits for the next call, and so do those after it in the order.
        """
        last = self._next_order
        while self._heap:
            first = self._heap[0]
            if first.at > now or first._order > last:
                break
            self.remove(first)
            first._fire(now)

    def _rise(self, deadline: Deadline, i: int) -> None:
        heap = self._heap
        while i > 0:
            parent = (i - 1) // _ARITY
            other = heap[parent]
            if other.at < deadline.at or (other.at == deadline.at and other._order < deadline._order):
                break
            heap[i] = other
            other._place = i + 1
            i = parent
        heap[i] = deadline
        deadline._place = i + 1

    def _sink(self, deadline: Deadline, i: int) -> None:
        heap = self._heap
        n = len(heap)
        while True:
            child = i * _ARITY + 1
            if child >= n:
                break
            end = min(child + _ARITY, n)
            best = child
            chosen = heap[child]
            child += 1
            while child < end:
                candidate = heap[child]
                if candidate.at < chosen.at or (candidate.at == chosen.at and candidate._order < chosen._order):
                    best = child
                    chosen = candidate
                child += 1
            if deadline.at < chosen.at or (deadline.at == chosen.at and deadline._order < chosen._order):
                break
            heap[i] = chosen
            chosen._place = i + 1
            i = best
        heap[i] = deadline
        deadline._place = i + 1
