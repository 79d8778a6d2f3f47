"""Queues whose consumers say when they are done: FIFO, LIFO and by priority."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import cython

from hubcore._park import WaitQueue
from hubcore._simple_queue import SimpleQueue
from hubcore._store import trust

if not cython.compiled:
    from hubcore._awaitable import park, waiter_at
    from hubcore._park import new_place
    from hubcore._uncompiled import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

    from hubcore._park import Place, Waiter


class UnboundQueue(SimpleQueue):
    """A SimpleQueue for any number of items. gevent's name."""

    __slots__ = ()


class Queue(SimpleQueue):
    """A SimpleQueue whose consumers say when they are done with an item, so that `join` can wait for that."""

    __slots__ = ("_joiners",)

    def __init__(
        self, maxsize: int | None = None, items: Iterable[Any] = (), unfinished_tasks: int | None = None
    ) -> None:
        self._joiners = WaitQueue()
        self._begin(maxsize, items)
        self._unfinished = self._qsize() if unfinished_tasks is None else unfinished_tasks

    @property
    def unfinished_tasks(self) -> int:
        """How many items were put for which `task_done` was not called yet."""
        return self._unfinished

    def task_done(self) -> None:
        """Say that an item that was got is done with. ValueError if that was said for all of them."""
        if self._unfinished <= 0:
            raise ValueError("task_done() called too many times")
        self._unfinished -= 1
        if self._unfinished == 0:
            self._joiners.wake_all(None)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until every item was got and is done with, `timeout` seconds at most; whether that came. Switches."""
        if self._unfinished == 0:
            return True
        place = new_place(self, None, "join")
        waiter = waiter_at(place)
        return self._join_joiners(place, waiter) or park(waiter, timeout)

    def _join_joiners(self, place: Place, waiter: Waiter) -> bool:
        if self._unfinished == 0:
            return True
        self._joiners.add(place, waiter)
        return False

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse further items: `put` raises ShutDown, `get` once nothing is left. Wakes who waits in vain.

        With `immediate`, drop the items that are there; they count as done with.
        """
        self._shut(immediate)
        if self._unfinished == 0:
            self._joiners.wake_all(None)

    def copy(self) -> Self:
        """A queue of the same kind, size, items and number of unfinished tasks."""
        return type(self)(self.maxsize, self._items, self._unfinished)


class JoinableQueue(Queue):
    """The same as Queue. gevent's older name."""

    __slots__ = ()


class LifoQueue(Queue):
    """Last in, first out."""

    __slots__ = ()

    def _create_queue(self, items: Iterable[Any] = ()) -> Any:
        return list(items)

    def _put(self, item: Any) -> None:
        self._items.append(item)

    def _get(self) -> Any:
        return self._items.pop()

    def _peek(self) -> Any:
        return self._items[-1]

    def _restore(self, item: Any) -> None:
        self._items.append(item)


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

    def _peek(self) -> Any:
        return self._items[0]

    def _restore(self, item: Any) -> None:
        self._store(item)


trust(UnboundQueue, Queue, JoinableQueue, LifoQueue)

if not cython.compiled:
    atomic(Queue, "task_done", "_join_joiners")
