"""Waiter: one wait of one greenlet, which ends exactly once.

A greenlet that has to wait makes a Waiter, hands it to whatever will wake it, and parks with it (`Hub.park`). The wait
ends by the first of

    wake(value)       the waker; any thread             -> park returns True, `waiter.value` is the value
    fire              its deadline                      -> park returns False
    fail(exception)   a kill, a Timeout, a cancellation -> park raises the exception

The one that comes first claims the waiter; the others become no-ops, and `wake` and `fail` say by their result whether
they were first. Hence the rule for whoever hands something over: only when `wake` returned True was it taken; if it
returned False, keep it and try the next waiter. So nothing is lost when a wake-up and a kill cross.

A waiter in a queue has a WaitEntry there, which is its `waiting_on`. A wait that ends in any way other than by a
wake-up leaves its entry at once, so a queue holds only waiters that still wait. A waiter that was woken and is then
thrown into (`greenlet.throw`) hands back what it was given.
"""

from __future__ import annotations

import cython

from hubcore._deadlines import Deadline

if not cython.compiled:
    from _thread import allocate_lock
    from _thread import get_ident as get_ident

    from hubcore._uncompiled import atomic

    WAITING, WOKEN, TIMED_OUT, FAILED = range(4)
    # Uncompiled, another thread may run between any two byte codes, so claiming takes a lock.
    _claiming = allocate_lock()

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import greenlet as greenlet_module

    from hubcore._ready import ReadyQueue

#: The purposes of the two kinds of place that a queue or channel has, and tells apart by these.
GET = "get from"
PUT = "put to"


class Waiter(Deadline):
    """One wait of `greenlet`, whose thread's ready queue is `ready`; `waiting_on` is told in reports."""

    __slots__ = ("_next", "_previous", "greenlet", "outcome", "parked", "ready", "since", "value", "waiting_on")

    def __init__(
        self, ready: ReadyQueue, greenlet: greenlet_module.greenlet | None, waiting_on: object, since: float
    ) -> None:
        self._begin(ready, greenlet, waiting_on, since)

    def _begin(
        self, ready: ReadyQueue, greenlet: greenlet_module.greenlet | None, waiting_on: object, since: float
    ) -> None:
        if not cython.compiled:
            Deadline.__init__(self)
            self._next: Waiter | None = None
            self._previous: Waiter | None = None
        self.ref = True
        self.ready = ready
        self.greenlet = greenlet  # None once it left in another way
        self.waiting_on = waiting_on
        self.since = since  # loop time, as of the loop's last look at its clock
        self.outcome = WAITING
        self.value: object = None  # what it was woken with, or the exception it failed with
        self.parked = False  # whether its greenlet sleeps, so that ending the wait makes it ready

    @property
    def ended(self) -> bool:
        """Whether the wait was woken, timed out or failed."""
        return self.outcome != WAITING

    def wake(self, value: object = None) -> bool:
        """End the wait with `value`; False if something else ended it before. Never switches; any thread."""
        if not self._claim(WOKEN):
            return False
        self.value = value
        if self.parked:
            self._make_ready()
        return True

    def fail(self, exception: object) -> bool:
        """End the wait by raising `exception` (class or instance) in its greenlet; else as `wake`."""
        if not self._claim(FAILED):
            return False
        self.value = exception
        if self.parked:
            self._make_ready()
        return True

    def overrule(self, exception: BaseException) -> bool:
        """As `fail`, also where the wait has ended, but its greenlet has not gone on: what it was handed goes back.

        False where that greenlet runs, or another thread is just ending its wait. Its hub's thread only.
        """
        if self.fail(exception):
            return True
        if self.parked or self.greenlet is None:
            return False
        if self.outcome == FAILED:
            if isinstance(self.value, BaseException) and not (exception.__context__ or _led_to(self.value, exception)):
                exception.__context__ = self.value  # as where the one is raised while the other is dealt with
        elif self.outcome == WOKEN:
            self._hand_back()
        self.outcome = FAILED
        self.value = exception
        return True

    def fire(self, now: float) -> None:
        """The deadline has come: end the wait by timing out."""
        if self._claim(TIMED_OUT) and self.parked:
            self._make_ready()

    def __call__(self, source: object) -> None:
        """Be a link: whatever this is linked to calls it with itself, and that is the value."""
        self.wake(source)

    def fall_asleep(self) -> bool:
        """The greenlet is about to switch away; False, and it must not, if the wait has already ended."""
        if cython.compiled:
            if self.outcome == WAITING:
                self.parked = True
            return self.parked
        with _claiming:
            if self.outcome == WAITING:
                self.parked = True
            return self.parked

    def resume(self) -> None:
        """Let the greenlet go on, after `WaitQueue.claim` ended its wait. Never switches; any thread."""
        if self.parked:
            self._make_ready()

    def abandon(self) -> None:
        """The greenlet left its wait in another way, by a throw: whoever would still resume it must not.

        What it was handed before goes back to whom it came from.
        """
        if not self._claim(FAILED) and self.outcome == WOKEN and self.greenlet is not None:
            self._hand_back()
        self.greenlet = None

    def _hand_back(self) -> None:
        if isinstance(self.waiting_on, WaitEntry):
            self.waiting_on.on._hand_back(self.waiting_on, self.value)
        elif isinstance(self.waiting_on, MultiWait):
            self.waiting_on._hand_back(self.value)

    def _claim(self, outcome: int) -> bool:
        if cython.compiled:
            # The GIL is held from the test to the set: compiled code has no byte codes to be interrupted between.
            if self.outcome != WAITING:
                return False
            self.outcome = outcome
        else:
            with _claiming:
                if self.outcome != WAITING:
                    return False
                self.outcome = outcome
        if outcome != WOKEN and isinstance(self.waiting_on, WaitEntry):
            entry = self.waiting_on
            entry.leave()
        return True

    def _make_ready(self) -> None:
        self.parked = False
        if get_ident() == self.ready.thread_ident:
            self.ready.push(self)
        else:
            self.ready.push_threadsafe(self)

    def __repr__(self) -> str:
        state = ("waiting", "woken", "timed out", "failed")[self.outcome]
        return f"<Waiter {state} of {self.greenlet!r} on {self.waiting_on!r}>"


class Source:
    """What can be waited for in a queue, and hands something to those who wait.

    `_serve` and `_conclude` are for waits that may end at one of several places, in `select`.
    """

    __slots__ = ()

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """Whoever waited at `entry` was woken with `value` and cannot take it. Never switches; any thread."""

    def _serve(self, entry: WaitEntry, waiter: Waiter, stay: bool) -> bool:
        """Do now what `entry` is for, and have that end the wait of `waiter`; False if it cannot be done now.

        If it cannot, and with `stay`, queue up there. True also where the wait had ended before: then nothing is done.
        Raises what `_conclude` would where it can never be done. Never switches; the waiter's thread only.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be one of several to wait for")

    def _conclude(self, entry: WaitEntry, value: object) -> object:
        """The result of the wait at `entry`, woken with `value`; or raise that it was in vain."""
        return value


class WaitEntry:
    """The place of one wait in a WaitQueue. `on` is what is waited for, `item` what the waiter brought along."""

    __slots__ = ("_after", "_before", "_number", "_queue", "claimed", "item", "on", "purpose", "waiter")

    def __init__(self, on: Source, item: object = None, purpose: str = "") -> None:
        self._set(on, item, purpose)

    def _set(self, on: Source, item: object, purpose: str) -> None:
        if not cython.compiled:
            self._queue: WaitQueue | None = None
            self._before: WaitEntry | None = None
            self._after: WaitEntry | None = None
            self._number = 0  # of those that joined its queue
            self.waiter: Waiter | None = None  # while it is in a queue
        self.on = on
        self.item = item
        self.purpose = purpose  # where `on` can be waited for in several ways: which one, in words, for reports
        self.claimed = False  # whether it was this place by which the wait ended

    def claim(self, waiter: Waiter, value: object) -> bool:
        """End the wait of `waiter`, whose greenlet runs, by what is done here; False if it has ended already.

        Only if the result is True may that be done, and before anything else can run.
        """
        if not waiter._claim(WOKEN):
            return False
        self.claimed = True
        waiter.value = value
        return True

    def leave(self) -> None:
        """Leave the queue, if it is still in one."""
        queue = self._queue  # held: the queue's owner may have another by now, as after a fork
        if queue is not None:
            queue.remove(self)

    @property
    def owner(self) -> object:
        """Who owns what is waited for, if anybody does."""
        return getattr(self.on, "owner", None)

    @property
    def cross_thread(self) -> bool:
        """Whether other threads may end the wait."""
        return True

    def __repr__(self) -> str:
        return f"{self.purpose} {self.on!r}" if self.purpose else repr(self.on)


class MultiWait:
    """What is waited on where a wait may end at one of several places."""

    __slots__ = ()

    def _hand_back(self, value: object) -> None:
        """As `Source._hand_back`, of whatever place the wait ended at."""
        raise NotImplementedError(f"{type(self).__name__} does not say where it was woken")


class WaitQueue:
    """Those who wait for one thing, first come, first served; any thread. No method switches."""

    __slots__ = ("_added", "_first", "_last", "count")

    def __init__(self) -> None:
        self._first: WaitEntry | None = None
        self._last: WaitEntry | None = None
        self._added = 0  # so far
        self.count = 0

    def add(self, entry: WaitEntry, waiter: Waiter) -> None:
        """Have `waiter`, which has not ended, wait at `entry`, behind the others."""
        entry.waiter = waiter
        entry._queue = self
        self._added += 1
        entry._number = self._added
        last = self._last
        entry._before = last
        if last is None:
            self._first = entry
        else:
            last._after = entry
        self._last = entry
        self.count += 1

    def remove(self, entry: WaitEntry) -> None:
        """Take `entry` out, which is in this queue."""
        before = entry._before
        after = entry._after
        if before is None:
            self._first = after
        else:
            before._after = after
        if after is None:
            self._last = before
        else:
            after._before = before
        entry._before = entry._after = None
        entry._queue = None
        entry.waiter = None  # they refer to each other only for as long as the wait lasts
        self.count -= 1

    def claim(self, entry: WaitEntry, value: object) -> Waiter | None:
        """Take `entry` out and end the wait there with `value`; None if it has ended already.

        Nothing else runs before this returns. The caller then does what its waking stands for and calls `resume`.
        """
        waiter = entry.waiter
        if entry._queue is not self:
            return None  # it left while somebody else's code ran
        self.remove(entry)
        if waiter is None or not waiter._claim(WOKEN):
            return None
        entry.claimed = True
        waiter.value = value
        return waiter

    def wake(self, entry: WaitEntry, value: object) -> bool:
        """Take `entry` out and wake who waits there with `value`; False if that wait has ended already."""
        waiter = self.claim(entry, value)
        if waiter is None:
            return False
        if waiter.parked:
            waiter._make_ready()
        return True

    def first_but(self, own: Waiter) -> WaitEntry | None:
        """The first who still waits, other than at a place of `own`."""
        entry = self._first
        while entry is not None:
            waiter = entry.waiter
            if waiter is not own and waiter is not None and waiter.outcome == WAITING:
                return entry
            entry = entry._after
        return None

    def wake_first(self, value: object) -> bool:
        """Wake the first who still waits; False if nobody does."""
        while self._first is not None:
            if self.wake(self._first, value):
                return True
        return False

    def wake_all(self, value: object) -> None:
        """Wake all who wait now."""
        # Not those who come meanwhile: one of another thread may run, and wait again, before this is done.
        last = self._added
        while self._first is not None and self._first._number <= last:
            self.wake(self._first, value)

    def entries(self) -> list[WaitEntry]:
        """Those who wait now, first come first."""
        found = []
        entry = self._first
        while entry is not None:
            found.append(entry)
            entry = entry._after
        return found

    def __len__(self) -> int:
        return self.count


class WaiterList:
    """The waiters parked with one hub, oldest first: who must be reported, or unwound."""

    __slots__ = ("_first", "_last", "count")

    def __init__(self) -> None:
        self._first: Waiter | None = None
        self._last: Waiter | None = None
        self.count = 0

    def link(self, waiter: Waiter) -> None:
        """Append `waiter`, which is in no list."""
        last = self._last
        waiter._previous = last
        if last is None:
            self._first = waiter
        else:
            last._next = waiter
        self._last = waiter
        self.count += 1

    def unlink(self, waiter: Waiter) -> None:
        """Take `waiter` out, which is in this list."""
        before = waiter._previous
        after = waiter._next
        if before is None:
            self._first = after
        else:
            before._next = after
        if after is None:
            self._last = before
        else:
            after._previous = before
        waiter._next = waiter._previous = None
        self.count -= 1

    def snapshot(self) -> list[Waiter]:
        """The waiters that are in it at one moment, oldest first. Any thread, also while the hub runs."""
        found: list[Waiter] = []
        waiter = self._first
        while waiter is not None:
            found.append(waiter)
            waiter = waiter._next
        return found

    def __iter__(self) -> Iterator[Waiter]:
        waiter = self._first
        while waiter is not None:
            # The next one is read first, so that a loop's body may end this wait.
            after = waiter._next
            yield waiter
            waiter = after

    def __len__(self) -> int:
        return self.count


def _led_to(error: BaseException, another: BaseException) -> bool:
    """Whether `another` is `error`, or one that was dealt with when that was raised."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        if each is another:
            return True
        seen.add(id(each))
        each = each.__context__
    return False


def new_waiter(ready: ReadyQueue, greenlet: greenlet_module.greenlet, waiting_on: object, since: float) -> Waiter:
    """Waiter(...), without the detour by way of the type's call that compiled code would take for it."""
    waiter = Waiter.__new__(Waiter)
    waiter._begin(ready, greenlet, waiting_on, since)
    return waiter


def new_entry(on: Source, item: object, purpose: str) -> WaitEntry:
    """Place(...), likewise."""
    entry = WaitEntry.__new__(WaitEntry)
    entry._set(on, item, purpose)
    return entry


if not cython.compiled:
    atomic(WaitEntry, "leave")  # another thread may be waking it
    atomic(WaitQueue, "add")  # also where it is no part of a longer step
