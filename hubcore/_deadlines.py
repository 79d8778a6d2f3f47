# cython: boundscheck=False, wraparound=False
"""Things due at a time: one heap per loop, the same for every backend.

Facts: libev's timer heap does not keep the start order of equal times; libuv's counts in whole milliseconds and frees
a timer's memory only after an asynchronous close. Consequence: hubcore keeps its own heap and asks the backend only
to wait until the earliest time, so that a deadline costs no C handle, fires in the same order everywhere, and a
virtual clock needs nothing but another `clock()`.
"""

from __future__ import annotations

from math import inf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def as_seconds(given: Any, what: str) -> float:
    """`given` as a float; TypeError or ValueError, of `what`, if it is no number that a time can be reckoned with."""
    try:
        if isinstance(given, (str, bytes, bytearray)):
            raise TypeError  # float() would read it
        number = float(given)
    except TypeError:
        raise TypeError(f"{what} is a number of seconds, not {given!r}") from None
    if number != number:
        raise ValueError(f"{what} is a number of seconds, not {given!r}")
    return number


_ARITY = 4  # children per node: half the levels of a binary heap, and a node's children lie side by side


class Deadline:
    """Something that is due at a time. Subclasses say in `fire` what happens then; it must not switch."""

    __slots__ = ("_order", "_place", "at", "ref")

    def __init__(self) -> None:
        self.at = 0.0
        self.ref = True  # whether it keeps the loop alive
        self._order = 0
        self._place = 0

    @property
    def scheduled(self) -> bool:
        """Whether it is in a heap, to fire at `at`."""
        return self._place != 0

    def fire(self, now: float) -> None:
        """Called once, out of the heap, when `at` has come; `now` is the loop's time. Never switches."""
        raise NotImplementedError(f"{type(self).__name__} does not say what happens when it is due")

    def give_up(self, exception: BaseException) -> None:
        """Called where the hub is destroyed while this is in the heap: it will never fire. Never switches."""


class DeadlineHeap:
    """Deadlines ordered by time, and by start order where times are equal. One thread only."""

    __slots__ = ("_heap", "_next_order", "refs")

    def __init__(self) -> None:
        self._heap: list[Deadline] = []
        self._next_order = 0
        self.refs = 0  # how many of them keep the loop alive

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, deadline: Deadline, at: float) -> None:
        """Schedule `deadline` for the loop time `at` (seconds), after those already there for the same time."""
        if at != at:
            # It is neither before nor after anything: nothing would be due any more once it is first.
            raise ValueError("nothing can be due at nan")
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
        """Take `deadline` out; harmless if it is not in."""
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
        """The deadlines that are in it at one moment, in no order. Any thread."""
        found: list[Deadline] = []
        # Not by a copy, which allocates first, and so may let others run, and copies then what may be shorter by now.
        for deadline in self._heap:
            found.append(deadline)  # noqa: PERF402
        return found

    def give_up(self, exception: BaseException) -> None:
        """Tell every deadline that it will never fire, and why."""
        for deadline in tuple(self._heap):
            deadline.give_up(exception)

    def set_ref(self, deadline: Deadline, ref: bool) -> None:
        """Say whether `deadline` keeps the loop alive, also while it is scheduled."""
        if deadline._place and deadline.ref != ref:
            self.refs += 1 if ref else -1
        deadline.ref = ref

    def earliest(self) -> float:
        """The time of the first one, or infinity."""
        if not self._heap:
            return inf
        first = self._heap[0]
        return first.at

    def fire_due(self, now: float) -> None:
        """Fire the deadlines whose time has come, in order; what they add meanwhile waits for the next call.

        So does what comes after that in the order.
        """
        last = self._next_order
        while self._heap:
            first = self._heap[0]
            if first.at > now or first._order > last:
                break
            self.remove(first)
            first.fire(now)

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
