"""select: wait until one of several things can go on, and do exactly that one.

The cases share one waiter. Each case has a wait entry in the queue of its channel or queue. The first waker that hands
something over at one of these entries ends the wait. The other wakers find that the wait has ended, and keep what they
have. However the wait ends, its entries leave their queues. If an exception ends the greenlet's wait, what was handed
to it goes back to its source.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._core.deadlines import ended_by
from hubcore._core.waiter import GET, PUT, MultiWait, WaitEntry
from hubcore._queues.memory_channel import ReceiveChannel, SendChannel
from hubcore._queues.rendezvous import Channel
from hubcore._queues.simple_queue import SimpleQueue
from hubcore._sync.links import DirectLink

if not cython.compiled:
    from hubcore._base.hints import Any
    from hubcore._capi.fallback import atomic
    from hubcore._core.waiter import WAITING, new_entry
    from hubcore._sync.waitable import check_timeout, park, waiter_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter

_GIVES = (ReceiveChannel, SimpleQueue, Channel)
_TAKES = (SendChannel, SimpleQueue, Channel)

# The state of a linear congruential generator. An import of random takes longer than a thousand selects.
_state = 1


def seed_select(seed: int) -> None:
    """Restart the pseudo-random sequence by which `select` chooses. Every process begins with the same sequence."""
    global _state
    _state = seed & 0xFFFFFFFF


class _Readiness(DirectLink):
    """The case of an object that only becomes ready, such as an Event: a link to it, which ends the wait."""

    __slots__ = ("source", "waiter")

    def __init__(self, source: Any) -> None:
        self.source = source
        self.waiter: Waiter | None = None

    def notify(self, source: Any) -> None:
        waiter = self.waiter  # read once: in another thread the greenlet may be leaving
        if waiter is not None:
            waiter.wake(self)

    def __call__(self, source: Any) -> None:
        self.notify(source)

    def __repr__(self) -> str:
        return repr(self.source)


class Selection(MultiWait):
    """One select: the object that its greenlet waits on."""

    __slots__ = ("_cases",)

    def __init__(self, cases: tuple[Any, ...]) -> None:
        self._cases: list[Any] = [_case_of(each) for each in cases]
        self._refuse_both_ways()
        self._shuffle()

    def _refuse_both_ways(self) -> None:
        for case in self._cases:
            if isinstance(case, WaitEntry) and case.purpose is PUT:
                for other in self._cases:
                    if isinstance(other, WaitEntry) and other.on is case.on and other.purpose is not PUT:
                        raise ValueError(f"select() cannot both get from and put to {case.on!r}; pass one of the two")

    def _shuffle(self) -> None:
        """Shuffle the cases: of several that can go on, each is chosen equally often."""
        global _state
        cases = self._cases
        for i in range(len(cases) - 1, 0, -1):
            _state = (_state * 1664525 + 1013904223) & 0xFFFFFFFF
            k = (_state >> 8) % (i + 1)
            case = cases[i]
            cases[i] = cases[k]
            cases[k] = case

    @property
    def cross_thread(self) -> bool:
        """Whether other threads may end the wait."""
        return True

    def attempt(self, waiter: Waiter) -> bool:
        """Do the first case that can be done now; return whether there was one."""
        for case in self._cases:
            if isinstance(case, WaitEntry):
                entry = case
                if entry.on._serve(entry, waiter, False):
                    return True
                continue
            only = case
            if only.source.ready():
                waiter.wake(only)
                return True
        return False

    def line_up(self, waiter: Waiter) -> None:
        """Queue up at every case, or stop at the first that can go on at once."""
        for case in self._cases:
            if isinstance(case, WaitEntry):
                entry = case
                if entry.on._serve(entry, waiter, True):
                    return
                continue
            only = case
            only.waiter = waiter
            only.source.rawlink(only)
            if waiter.outcome != WAITING:
                return

    def leave(self) -> None:
        """Leave the queues of all cases."""
        for case in self._cases:
            if isinstance(case, WaitEntry):
                entry = case
                entry.leave()
                continue
            only = case
            if only.waiter is not None:
                only.waiter = None
                only.source.unlink(only)

    def give_up(self, waiter: Waiter) -> None:
        """End the wait after an exception: what was handed to the greenlet before goes back."""
        waiter.abandon()
        self.leave()

    def _hand_back(self, value: object) -> None:
        """As MultiWait._hand_back."""
        entry = self.winner()
        if entry is not None:
            entry.on._hand_back(entry, value)

    def winner(self) -> WaitEntry | None:
        """Return the wait entry at which the wait ended."""
        for case in self._cases:
            if isinstance(case, WaitEntry) and case.claimed:
                return case
        return None

    def result(self, waiter: Waiter) -> tuple[Any, Any]:
        """Return the case that was done, and its value."""
        entry = self.winner()
        if entry is None:
            only: Any = waiter.value
            return only.source, None
        value = entry.on._conclude(entry, waiter.value)
        return entry.on, entry.item if entry.purpose is PUT else value

    def __repr__(self) -> str:
        return f"select of {', '.join([repr(case) for case in self._cases])}"


def select(*cases: Any, timeout: float | None = None) -> tuple[Any, Any]:
    """Wait until one of `cases` can go on, at most `timeout` seconds; do exactly that one; return `(object, value)`.

    A case is
        a ReceiveChannel, a queue or a Channel         takes an item from it; the value is that item
        (a SendChannel, queue or Channel, item)        sends or puts the item; the value is the item
        an Event, AsyncResult, Greenlet, lock ...      waits until it is ready, and takes nothing; the value is None
    and the object returned is the case, for a pair its first element. Of several cases that can go on, a pseudo-random
    one is chosen (`seed_select`).

    Switches unless one can go on at once. TimeoutError if none could in time; a timeout of 0 never switches. A case
    that can never go on raises the error of its operation when it is chosen: EndOfChannel, BrokenChannel, ClosedChannel
    (its `channel` is the object), ShutDown. Any thread. After any exception, nothing was taken or sent.
    """
    if not cases:
        raise TypeError("select() needs at least one case to wait for")
    if timeout is not None:
        check_timeout(timeout)
    selection = Selection(cases)
    waiter = waiter_at(selection)
    try:
        if not selection.attempt(waiter):
            if timeout is not None and timeout == 0:
                raise TimeoutError(f"would have to wait: {selection!r}")
            selection.line_up(waiter)
            if not park(waiter, timeout):
                late = TimeoutError(f"no case could go on within {timeout} seconds: {selection!r}")
                raise ended_by(timeout, late)
            selection.leave()
    except BaseException:
        selection.give_up(waiter)
        raise
    return selection.result(waiter)


def _case_of(case: Any) -> Any:
    if isinstance(case, _GIVES):
        return new_entry(case, None, GET)
    if isinstance(case, tuple):
        if len(case) == 2 and isinstance(case[0], _TAKES):
            return new_entry(case[0], case[1], PUT)
    elif hasattr(case, "rawlink") and hasattr(case, "ready"):
        return _Readiness(case)
    raise TypeError(
        "select() takes receiving channels and queues, pairs (channel or queue, item) to send or put, and objects that "
        f"can be linked (an Event, a Greenlet), not {case!r}"
    )


if not cython.compiled:
    atomic(Selection, "winner")
