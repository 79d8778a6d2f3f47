"""The queues that take the place of those in the standard library's `queue`.

They are hubcore's, and what programs know of how the standard library's are built is as there: `maxsize` is what was
given, 0 where nothing was; `_init` makes what holds the items; a subclass's `_init`, `_qsize`, `_put` and `_get` are
called by who has `mutex`, and may notify the conditions.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import ceil
from sys import maxsize as _MOST
from sys import version_info

from hubcore._park import WaitQueue
from hubcore._simple_queue import SimpleQueue as SimpleQueue
from hubcore._store import HOOKS, trust
from hubcore._task_queue import Queue as _Queue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class Queue(_Queue):
    """As the standard library's, and as hubcore's, whose further arguments and methods it has."""

    __slots__ = ("_given", "_own_flag")

    def __init__(self, maxsize: Any = 0, items: Iterable[Any] = (), unfinished_tasks: int | None = None) -> None:
        self._given = maxsize
        self._own_flag: Any = None
        self._joiners = WaitQueue()
        self._begin(maxsize, ())
        self._unfinished = 0
        for item in items:
            self._store(item)
            self._unfinished += 1
        if unfinished_tasks is not None:
            self._unfinished = unfinished_tasks
        if _brings_hooks(type(self)):
            self._conditions_here()  # from now on everything is done by who has the lock

    def _init(self, maxsize: Any) -> None:
        """Make what holds the items, with none in it."""
        self._items = self._create_queue()

    @property
    def maxsize(self) -> Any:
        """What was given: how many items it holds at most; 0 or less, or None, for any number. May be set."""
        return self._given

    @maxsize.setter
    def maxsize(self, value: Any) -> None:
        self._bound = self._bound_for(value)
        self._given = value
        self._satisfy()

    def _bound_for(self, maxsize: Any) -> int:
        # The standard library only compares it: infinity is a size there, and so is 1.5, which holds two.
        if isinstance(maxsize, float):
            maxsize = ceil(maxsize) if 0 < maxsize < _MOST else 0
        elif isinstance(maxsize, int) and maxsize > _MOST:
            maxsize = 0
        return _Queue._bound_for(self, maxsize)

    def qsize(self) -> int:
        """How many items there are."""
        if self._conditions is None:
            return self._qsize()
        with self._conditions.mutex:
            return self._qsize()

    @property
    def is_shutdown(self) -> bool:
        """Whether it was shut down. May be set; before CPython 3.13 that is a subclass's own affair."""
        return self._shut_down if self._own_flag is None else self._own_flag

    @is_shutdown.setter
    def is_shutdown(self, value: Any) -> None:
        if version_info < (3, 13):
            self._own_flag = value
        elif value:
            self.shutdown()
        else:
            self._shut_down = False


class LifoQueue(Queue):
    """Last in, first out."""

    __slots__ = ()

    def _create_queue(self, items: Iterable[Any] = ()) -> Any:
        return list(items)

    def _get(self) -> Any:
        return self._items.pop()

    def _peek(self) -> Any:
        return self._items[-1]

    def _restore(self, item: Any) -> None:
        self._store(item)


class PriorityQueue(Queue):
    """The smallest item first. Items are compared with `<`."""

    __slots__ = ()

    def _create_queue(self, items: Iterable[Any] = ()) -> Any:
        heap = list(items)
        heapify(heap)
        return heap

    def _put(self, item: Any) -> None:
        heappush(self._items, item)

    def _get(self) -> Any:
        return heappop(self._items)

    def _restore(self, item: Any) -> None:
        self._store(item)


trust(Queue, LifoQueue)
_KINDS = (Queue, LifoQueue, PriorityQueue)


def _brings_hooks(kind: type) -> bool:
    if kind in _KINDS:
        return False
    base = next(each for each in kind.__mro__ if each in _KINDS)
    return any([getattr(kind, name) is not getattr(base, name) for name in HOOKS])


__implements__ = ["LifoQueue", "PriorityQueue", "Queue", "SimpleQueue"]
