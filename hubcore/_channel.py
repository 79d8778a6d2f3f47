"""Channel: a queue that holds nothing. Whoever puts waits until somebody gets."""

from __future__ import annotations

from _collections import deque
from queue import Empty, Full

import cython

from hubcore._awaitable import Waitable
from hubcore._park import GET, PUT, WaitQueue

if not cython.compiled:
    from hubcore._awaitable import check_timeout, park, waiter_at
    from hubcore._park import WAITING, new_entry
    from hubcore._uncompiled import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import GenericAlias
    from typing import Any, Self

    from hubcore._park import WaitEntry, Waiter

_NOTHING = object()


class Channel(Waitable):
    """Hands each item from who puts it straight to who gets it; each waits for the other. Any thread."""

    __slots__ = ("_putters", "_returned")

    def __init__(self, maxsize: int = 1) -> None:
        if maxsize != 1:
            raise ValueError(f"a Channel holds no items, and so has a maxsize of 1 by convention, not {maxsize!r}")
        self._set_up()
        self._putters = WaitQueue()
        self._returned: list[Any] = []  # handed to somebody who could not take them

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Hand `item` to who gets. Switches if nobody waits for it and `block` is true, `timeout` seconds at most.

        Full if nobody has come.
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
            raise Full

    def put_nowait(self, item: Any) -> None:
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

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item from who puts. Switches if nobody offers one and `block` is true, `timeout` seconds at most.

        Empty if nobody has come.
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
            raise Empty
        return waiter.value

    def get_nowait(self) -> Any:
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
        """As Source._hand_back: the item goes to the next who gets, or waits for one."""
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
        """Those who wait to get, first come first."""
        return deque(self._waiters.entries())

    @property
    def putters(self) -> deque[WaitEntry]:
        """Those who wait to put, first come first."""
        return deque(self._putters.entries())

    @property
    def balance(self) -> int:
        """How many wait to put, less how many wait to get."""
        return self._putters.count - self._waiters.count

    def ready(self) -> bool:
        """Whether somebody offers an item."""
        return self._putters.count > 0 or len(self._returned) > 0

    def qsize(self) -> int:
        """0: it holds nothing."""
        return 0

    def empty(self) -> bool:
        """True: it holds nothing."""
        return True

    def full(self) -> bool:
        """True: it holds nothing."""
        return True

    def next(self) -> Any:
        """The next item: for programs that iterate by hand."""
        return self.__next__()

    def __iter__(self) -> Self:
        """The items as they come, until StopIteration itself is one."""
        return self

    def __next__(self) -> Any:
        item = self.get()
        if item is StopIteration:
            raise item
        return item

    @classmethod
    def __class_getitem__(cls, item: object) -> GenericAlias:
        from types import GenericAlias

        return GenericAlias(cls, item)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} {self._waiters.count} getting, {self._putters.count} putting>"


if not cython.compiled:
    atomic(Channel, "_hand_over", "_join_putters", "_take", "_join_getters", "_offer_again", "_serve")
