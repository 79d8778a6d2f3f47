"""Waiter: one wait of one greenlet, which ends exactly once.

A greenlet that has to wait makes a Waiter, hands it to its waker, and parks with it (`Hub.park`). The wait ends by the
first of

    wake(value)       the waker; any thread             -> park returns True, `waiter.value` is the value
    fire              its deadline                      -> park returns False
    fail(exception)   a kill, a Timeout, a cancellation -> park raises the exception

The first of these claims the waiter. The others become no-ops: `wake` and `fail` return whether they were first. Hence
the rule for a waker that hands something over: the waiter has taken it only if `wake` returned True. If it returned
False, the waker keeps the value and tries the next waiter. So nothing is lost when a wake-up and a kill cross.

A waiter in a queue has a WaitEntry there, which is its `waiting_on`. A wait that ends in any way other than by a
wake-up takes its entry out at once, so a queue holds only waiters that still wait. If a greenlet is woken and an
exception is then thrown into it (`greenlet.throw`), its waiter hands back the value that the waker gave.
"""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore._core.deadlines import Deadline

if not cython.compiled:
    from _thread import allocate_lock
    from _thread import get_ident as get_ident

    from hubcore._base.hints import Any, Iterator
    from hubcore._capi.fallback import atomic

    WAITING, WOKEN, TIMED_OUT, FAILED = range(4)
    # Uncompiled, another thread may run between any two byte codes, so a claim needs a lock.
    _claiming = allocate_lock()

TYPE_CHECKING = False
if TYPE_CHECKING:
    import greenlet as greenlet_module

    from hubcore._core.ready_queue import ReadyQueue

#: The purposes by which a queue or channel distinguishes its two kinds of wait entry.
GET = "get from"
PUT = "put to"


class Waiter(Deadline):
    """One wait of `greenlet`, whose thread's ready queue is `ready`. Reports name `waiting_on`."""

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
        self.ready: ReadyQueue = ready
        self.greenlet = greenlet  # None once the greenlet has left the wait without a wake-up
        self.waiting_on: object = waiting_on
        self.since: float = since  # loop time, as of the loop's last reading of its clock
        self.outcome: int = WAITING
        self.value: object = None  # the waker's value, or the exception that the wait fails with
        self.parked: bool = False  # whether the greenlet sleeps, so that the end of the wait makes it ready

    @property
    def ended(self) -> bool:
        """Whether the wait was woken, timed out or failed."""
        return self.outcome != WAITING

    def wake(self, value: object = None) -> bool:
        """End the wait with `value`; return False if the wait had ended before. Never switches; any thread."""
        if not self._claim(WOKEN):
            return False
        self.value = value
        if self.parked:
            self._make_ready()
        return True

    def fail(self, exception: object) -> bool:
        """End the wait by raising `exception` (class or instance) in its greenlet; otherwise as `wake`."""
        if not self._claim(FAILED):
            return False
        self.value = exception
        if self.parked:
            self._make_ready()
        return True

    def overrule(self, exception: BaseException) -> bool:
        """As `fail`, but also end a wait that was woken and whose greenlet has not resumed: hand back the value.

        Return False if the greenlet runs, or if another thread is ending the wait at this moment. The hub's thread
        only.
        """
        if self.fail(exception):
            return True
        if self.parked or self.greenlet is None:
            return False
        if self.outcome == FAILED:
            if isinstance(self.value, BaseException) and not (exception.__context__ or _led_to(self.value, exception)):
                exception.__context__ = self.value  # as if it were raised while the other is handled
        elif self.outcome == WOKEN:
            self._hand_back()
        self.outcome = FAILED
        self.value = exception
        return True

    def _fire(self, now: float) -> None:
        """End the wait by a timeout: its deadline has come."""
        if self._claim(TIMED_OUT) and self.parked:
            self._make_ready()

    def __call__(self, source: object) -> None:
        """Serve as a link: the object that the waiter is linked to passes itself, and that becomes the value."""
        self.wake(source)

    def fall_asleep(self) -> bool:
        """Mark the greenlet as parked, before it switches away; False if the wait has ended: it must not switch."""
        if cython.compiled:
            if self.outcome == WAITING:
                self.parked = True
            return self.parked
        with _claiming:
            if self.outcome == WAITING:
                self.parked = True
            return self.parked

    def resume(self) -> None:
        """Make the greenlet ready, after `WaitQueue.claim` ended its wait. Never switches; any thread."""
        if self.parked:
            self._make_ready()

    def abandon(self) -> None:
        """End the wait of a greenlet that has left it by another way, a throw: no waker can resume it any more.

        A value that a waker had handed over goes back to its source.
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
            # The GIL is held from the test to the set: compiled code has no byte codes between which a thread is
            # interrupted.
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
    """An object with a queue of waiters, to which it hands over values or permits.

    `_serve` and `_conclude` are for waits that may end at one of several entries, in `select`.
    """

    __slots__ = ()

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """Take back `value`: the waiter at `entry` was woken with it and cannot take it. Never switches; any thread."""

    def _serve(self, entry: WaitEntry, waiter: Waiter, stay: bool) -> bool:
        """Perform the operation of `entry` at once, which ends the wait of `waiter`; False if it is not possible now.

        If it is not, and `stay` is true, add `entry` to the queue. If the wait had ended before, do nothing and return
        True. If the operation can never succeed, raise what `_conclude` would. Never switches; the waiter's thread
        only.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot take part in a wait for several objects")

    def _conclude(self, entry: WaitEntry, value: object) -> object:
        """Return the result of the wait at `entry`, woken with `value`; raise if the operation failed."""
        return value


class WaitEntry:
    """A waiter's place in a WaitQueue. `on` is the Source it waits for, `item` the value that the waiter brings."""

    __slots__ = ("_after", "_before", "_number", "_queue", "claimed", "item", "on", "purpose", "waiter")

    def __init__(self, on: Source, item: object = None, purpose: str = "") -> None:
        self._set(on, item, purpose)

    def _set(self, on: Source, item: object, purpose: str) -> None:
        if not cython.compiled:
            self._queue: WaitQueue | None = None
            self._before: WaitEntry | None = None
            self._after: WaitEntry | None = None
            self._number = 0  # counts the entries that joined its queue
            self.waiter: Waiter | None = None  # while it is in a queue
        self.on = on
        self.item = item
        self.purpose = purpose  # if `on` supports several kinds of wait: which one, in words, for reports
        self.claimed = False  # whether the wait ended at this entry

    def claim(self, waiter: Waiter, value: object) -> bool:
        """End the wait of `waiter`, whose greenlet runs, at this entry; False if the wait has ended already.

        The caller performs the operation only if the result is True, and before any other code can run.
        """
        if not waiter._claim(WOKEN):
            return False
        self.claimed = True
        waiter.value = value
        return True

    def leave(self) -> None:
        """Leave the queue, if this entry is in one."""
        queue = self._queue  # a reference of its own: the source may have replaced its queue, as after a fork
        if queue is not None:
            queue.remove(self)

    @property
    def owner(self) -> object:
        """The owner of the source, if it has one."""
        return getattr(self.on, "owner", None)

    @property
    def cross_thread(self) -> bool:
        """Whether other threads may end the wait."""
        return True

    def __repr__(self) -> str:
        return f"{self.purpose} {self.on!r}" if self.purpose else repr(self.on)


class MultiWait:
    """The `waiting_on` of a wait that may end at one of several entries."""

    __slots__ = ()

    def _hand_back(self, value: object) -> None:
        """As `Source._hand_back`, for the entry at which the wait ended."""
        raise NotImplementedError(f"{type(self).__name__} does not implement _hand_back()")


class WaitQueue:
    """The waiters for one source, first come, first served; any thread. No method switches."""

    __slots__ = ("_added", "_first", "_last", "count")

    def __init__(self) -> None:
        self._first: WaitEntry | None = None
        self._last: WaitEntry | None = None
        self._added = 0  # entries that have ever joined
        self.count = 0

    def add(self, entry: WaitEntry, waiter: Waiter) -> None:
        """Append `entry` for `waiter`, whose wait has not ended."""
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
        """Remove `entry`, which is in this queue."""
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
        entry.waiter = None  # entry and waiter refer to each other only while the wait lasts
        self.count -= 1

    def claim(self, entry: WaitEntry, value: object) -> Waiter | None:
        """Remove `entry` and end its wait with `value`; return the waiter, or None if the wait has ended already.

        No other code runs before this returns. The caller then completes the operation and calls `Waiter.resume`.
        """
        waiter = entry.waiter
        if entry._queue is not self:
            return None  # it left the queue while other code ran
        self.remove(entry)
        if waiter is None or not waiter._claim(WOKEN):
            return None
        entry.claimed = True
        waiter.value = value
        return waiter

    def wake(self, entry: WaitEntry, value: object) -> bool:
        """Remove `entry` and wake its waiter with `value`; return False if the wait has ended already."""
        waiter = self.claim(entry, value)
        if waiter is None:
            return False
        if waiter.parked:
            waiter._make_ready()
        return True

    def first_but(self, own: Waiter) -> WaitEntry | None:
        """Return the first entry whose waiter still waits and is not `own`; None if there is none."""
        entry = self._first
        while entry is not None:
            waiter = entry.waiter
            if waiter is not own and waiter is not None and waiter.outcome == WAITING:
                return entry
            entry = entry._after
        return None

    def wake_first(self, value: object) -> bool:
        """Wake the first waiter that still waits; return False if there is none."""
        while self._first is not None:
            if self.wake(self._first, value):
                return True
        return False

    def wake_all(self, value: object) -> None:
        """Wake all present waiters."""
        # Later entries stay: a woken waiter of another thread may run, and wait again, before this loop ends.
        last = self._added
        while self._first is not None and self._first._number <= last:
            self.wake(self._first, value)

    def claim_all(self, value: object, claimed: list[Any]) -> None:
        """As `wake_all`, but resume no waiter: append each and its number in the queue to `claimed`.

        No other code runs before this returns.
        """
        last = self._added
        while self._first is not None and self._first._number <= last:
            number = self._first._number
            waiter = self.claim(self._first, value)
            if waiter is not None:
                claimed.append(waiter)
                claimed.append(number)

    def entries(self) -> list[WaitEntry]:
        """Return the present entries, in the order in which they joined."""
        found = []
        entry = self._first
        while entry is not None:
            found.append(entry)
            entry = entry._after
        return found

    def __len__(self) -> int:
        return self.count


class WaiterList:
    """The waiters that are parked with one hub, oldest first: those that reports name and `Hub.destroy` unwinds."""

    __slots__ = ("_first", "_last", "count")

    def __init__(self) -> None:
        self._first: Waiter | None = None
        self._last: Waiter | None = None
        self.count: int = 0

    def link(self, waiter: Waiter) -> None:
        """Append `waiter`, which must be in no list."""
        last = self._last
        waiter._previous = last
        if last is None:
            self._first = waiter
        else:
            last._next = waiter
        self._last = waiter
        self.count += 1

    def unlink(self, waiter: Waiter) -> None:
        """Remove `waiter`, which is in this list."""
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
        """Return the present waiters, oldest first. Any thread, also while the hub runs."""
        found: list[Waiter] = []
        waiter = self._first
        while waiter is not None:
            found.append(waiter)
            waiter = waiter._next
        return found

    def __iter__(self) -> Iterator[Waiter]:
        waiter = self._first
        while waiter is not None:
            # The next waiter is read first, so that the body of the caller's loop may end this wait.
            after = waiter._next
            yield waiter
            waiter = after

    def __len__(self) -> int:
        return self.count


def _led_to(error: BaseException, another: BaseException) -> bool:
    """Return whether `another` is `error` or stands in its chain of contexts."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        if each is another:
            return True
        seen.add(id(each))
        each = each.__context__
    return False


def new_waiter(ready: ReadyQueue, greenlet: greenlet_module.greenlet, waiting_on: object, since: float) -> Waiter:
    """Return Waiter(...), without the call of the type that compiled code would make for it."""
    waiter = Waiter.__new__(Waiter)
    waiter._begin(ready, greenlet, waiting_on, since)
    return waiter


def new_entry(on: Source, item: object, purpose: str) -> WaitEntry:
    """Return WaitEntry(...), likewise."""
    entry = WaitEntry.__new__(WaitEntry)
    entry._set(on, item, purpose)
    return entry


if not cython.compiled:
    atomic(WaitEntry, "leave")  # another thread may be waking its waiter
    atomic(WaitQueue, "add")  # also outside a longer atomic step
