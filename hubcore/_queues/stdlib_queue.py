"""The queues that replace those in the standard library's `queue` under patching.

They are hubcore's queues with the internals of the standard library's that programs rely on: `maxsize` is the value
given, by default 0; `_init` makes the container of the items; the owner of `mutex` calls a subclass's `_init`,
`_qsize`, `_put` and `_get`, which may notify the conditions.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import ceil
from sys import maxsize as _MOST
from sys import version_info

from hubcore._base import uncompiled as cython
from hubcore._base.hints import Any, Iterable, T
from hubcore._core.waiter import WaitQueue
from hubcore._queues.joinable_queue import Queue as _Queue
from hubcore._queues.simple_queue import SimpleQueue as SimpleQueue
from hubcore._queues.store import HOOKS, trust

if not cython.compiled:
    from hubcore._sync.steps import count_step_if_patched


class Queue(_Queue["T"]):
    """As the standard library's Queue, with the further arguments and methods of hubcore's."""

    __slots__ = ("_given", "_own_flag")

    def __init__(self, maxsize: Any = 0, items: Iterable[T] = (), unfinished_tasks: int | None = None) -> None:
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
            self._conditions_here()  # from now on every call takes the lock

    def _init(self, maxsize: Any) -> None:
        """Make an empty container for the items."""
        self._items = self._create_queue()

    @property
    def maxsize(self) -> Any:
        """The maximum number of items, as given; 0 or less, or None, for any number. It may be set."""
        return self._given

    @maxsize.setter
    def maxsize(self, value: Any) -> None:
        self._bound = self._bound_for(value)
        self._given = value
        self._satisfy()

    def _bound_for(self, maxsize: Any) -> int:
        # The standard library only compares it: infinity is a valid size there, and a queue of size 1.5 holds two.
        if isinstance(maxsize, float):
            maxsize = ceil(maxsize) if 0 < maxsize < _MOST else 0
        elif isinstance(maxsize, int) and maxsize > _MOST:
            maxsize = 0
        return _Queue._bound_for(self, maxsize)

    def qsize(self) -> int:
        """Return the number of items."""
        if self._conditions is None:
            count_step_if_patched()
            return self._qsize()
        with self._conditions.mutex:
            return self._qsize()

    @property
    def is_shutdown(self) -> bool:
        """Whether the queue was shut down. It may be set; before CPython 3.13 only a subclass uses a value set here."""
        return self._shut_down if self._own_flag is None else self._own_flag

    @is_shutdown.setter
    def is_shutdown(self, value: Any) -> None:
        if version_info < (3, 13):
            self._own_flag = value
        elif value:
            self.shutdown()
        else:
            self._shut_down = False


class LifoQueue(Queue["T"]):
    """Last in, first out."""

    __slots__ = ()

    def _create_queue(self, items: Iterable[T] = ()) -> Any:
        return list(items)

    def _get(self) -> T:
        return self._items.pop()

    def _peek(self) -> T:
        return self._items[-1]

    def _restore(self, item: T) -> None:
        self._store(item)


class PriorityQueue(Queue["T"]):
    """The smallest item first. Items are compared with `<`."""

    __slots__ = ()

    def _create_queue(self, items: Iterable[T] = ()) -> Any:
        heap: list[Any] = list(items)
        heapify(heap)
        return heap

    def _put(self, item: T) -> None:
        heappush(self._items, item)

    def _get(self) -> T:
        return heappop(self._items)

    def _restore(self, item: T) -> None:
        self._store(item)


trust(Queue, LifoQueue)
_KINDS = (Queue, LifoQueue, PriorityQueue)


def _brings_hooks(kind: type) -> bool:
    if kind in _KINDS:
        return False
    base = next(each for each in kind.__mro__ if each in _KINDS)
    return any([getattr(kind, name) is not getattr(base, name) for name in HOOKS])


__implements__ = ["LifoQueue", "PriorityQueue", "Queue", "SimpleQueue"]
