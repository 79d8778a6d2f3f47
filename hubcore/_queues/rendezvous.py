"""Channel: a queue without storage. A putter waits until a getter takes its item."""

from __future__ import annotations

from _collections import deque
from queue import Empty, Full

from hubcore._base import uncompiled as cython
from hubcore._base.hints import class_getitem
from hubcore._core.deadlines import ended_by
from hubcore._core.waiter import GET, PUT, WaitQueue
from hubcore._queues.store import NOTHING as _NOTHING
from hubcore._sync.waitable import Waitable

if not cython.compiled:
    from hubcore._base.hints import Any, Generic, Self, T
    from hubcore._capi.fallback import atomic, publish
    from hubcore._core.waiter import WAITING, new_entry
    from hubcore._sync.waitable import check_timeout, park, waiter_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import WaitEntry, Waiter


class Channel(Waitable, Generic["T"]):
    """Hands each item straight from a putter to a getter; each waits for the other. Any thread."""

    __slots__ = ("_putters", "_returned")

    def __init__(self, maxsize: int = 1) -> None:
        if maxsize != 1:
            raise ValueError(f"maxsize of a Channel must be 1 (by convention: it stores no items), not {maxsize!r}")
        self._set_up()
        self._putters = WaitQueue()
        self._returned: list[Any] = []  # handed to getters that could not take them

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Hand `item` over to a getter. If none waits and `block` is true, wait for one, at most `timeout` seconds.

        Switches only if it waits. Full if no getter came.
        """
        if self._hand_over(item):
            return
        if not block:
            raise Full
        if timeout is not None:
            check_timeout(timeout)
        entry = new_entry(self, item, PUT)
        waiter = waiter_at(entry)
        if not self._join_putters(entry, waiter) and not park(waiter, timeout):
            raise ended_by(timeout, Full)

    def put_nowait(self, item: T) -> None:
        """`put(item, block=False)`: never switches."""
        self.put(item, False)

    def _hand_over(self, item: Any) -> bool:
        return self._waiters.wake_first(item)

    def _join_putters(self, entry: WaitEntry, waiter: Waiter) -> bool:
        if self._waiters.wake_first(entry.item):
            return True
        self._putters.add(entry, waiter)
        if self._links is not None:
            self._notify_links()
        return False

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Take an item from a putter. If none waits and `block` is true, wait for one, at most `timeout` seconds.

        Switches only if it waits. Empty if no putter came.
        """
        item = self._take()
        if item is not _NOTHING:
            return item
        if not block:
            raise Empty
        if timeout is not None:
            check_timeout(timeout)
        entry = new_entry(self, None, GET)
        waiter = waiter_at(entry)
        item = self._join_getters(entry, waiter)
        if item is not _NOTHING:
            return item
        if not park(waiter, timeout):
            raise ended_by(timeout, Empty)
        handed: Any = waiter.value
        return handed

    def get_nowait(self) -> T:
        """`get(block=False)`: never switches."""
        return self.get(False)

    def _take(self) -> Any:
        if self._returned:
            return self._returned.pop(0)
        putters = self._putters
        while putters._first is not None:
            entry = putters._first
            item = entry.item
            if putters.wake(entry, None):
                return item
        return _NOTHING

    def _join_getters(self, entry: WaitEntry, waiter: Waiter) -> Any:
        item = self._take()
        if item is _NOTHING:
            self._waiters.add(entry, waiter)
        return item

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """As Source._hand_back: the item goes to the next getter, or is kept for one."""
        if entry.purpose is GET:
            self._offer_again(value)

    def _offer_again(self, item: object) -> None:
        if not self._waiters.wake_first(item):
            self._returned.append(item)
            if self._links is not None:
                self._notify_links()

    def _serve(self, entry: WaitEntry, waiter: Waiter, stay: bool) -> bool:
        """As Source._serve."""
        if waiter.outcome != WAITING:
            return True
        if entry.purpose is PUT:
            other = self._waiters.first_but(waiter)
            if other is not None:
                if entry.claim(waiter, None):
                    self._waiters.wake(other, entry.item)
                return True
            if stay:
                self._putters.add(entry, waiter)
                if self._links is not None:
                    self._notify_links()
            return False
        if self._returned:
            if entry.claim(waiter, self._returned[0]):
                self._returned.pop(0)
            return True
        other = self._putters.first_but(waiter)
        if other is not None:
            if entry.claim(waiter, other.item):
                self._putters.wake(other, None)
            return True
        if stay:
            self._waiters.add(entry, waiter)
        return False

    @property
    def getters(self) -> deque[WaitEntry]:
        """The wait entries of the getters, in the order in which they came."""
        return deque(self._waiters.entries())

    @property
    def putters(self) -> deque[WaitEntry]:
        """The wait entries of the putters, in the order in which they came."""
        return deque(self._putters.entries())

    @property
    def balance(self) -> int:
        """The number of waiting putters minus the number of waiting getters."""
        return self._putters.count - self._waiters.count

    def ready(self) -> bool:
        """Return whether a putter offers an item."""
        return self._putters.count > 0 or len(self._returned) > 0

    def qsize(self) -> int:
        """Return 0: a Channel stores no items."""
        return 0

    def empty(self) -> bool:
        """Return True: a Channel stores no items."""
        return True

    def full(self) -> bool:
        """Return True: a Channel stores no items."""
        return True

    def next(self) -> T:
        """Return the next item, for programs that iterate by hand. Switches unless a putter waits."""
        return self.__next__()

    def __iter__(self) -> Self:
        """Iterate over the items as they come, until an item is StopIteration."""
        return self

    def __next__(self) -> T:
        item = self.get()
        if item is StopIteration:
            raise item
        return item

    __class_getitem__ = class_getitem

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} {self._waiters.count} getting, {self._putters.count} putting>"


publish("hubcore.queue", Channel)

if not cython.compiled:
    atomic(Channel, "_hand_over", "_join_putters", "_take", "_join_getters", "_offer_again", "_serve")
