"""Queues whose consumers say when they are done: FIFO, LIFO and by priority."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import cython

from hubcore._park import WaitQueue
from hubcore._queue_conditions import Conditions, Part, settle_weakly
from hubcore._simple_queue import SimpleQueue
from hubcore._store import trust

if not cython.compiled:
    from hubcore._awaitable import park, waiter_at
    from hubcore._park import new_entry
    from hubcore._uncompiled import atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

    from hubcore._park import WaitEntry, Waiter


class UnboundQueue(SimpleQueue):
    """A SimpleQueue for any number of items. gevent's name."""

    __slots__ = ()


class Queue(SimpleQueue):
    """A SimpleQueue whose consumers say when they are done with an item, so that `join` can wait for that.

    For programs that know how the standard library's is built there are its lock and its conditions. As long as
    somebody has `mutex`, all others who put, get or say that they are done wait, also where they otherwise never do.
    """

    __slots__ = ("_joiners",)

    mutex = Part("mutex", "The lock; who has it may do anything with `queue`. May be acquired again by who has it.")
    not_empty = Part("not_empty", "A Condition on `mutex`, notified when an item was stored.")
    not_full = Part("not_full", "A Condition on `mutex`, notified when an item was taken.")
    all_tasks_done = Part("all_tasks_done", "A Condition on `mutex`, notified when `unfinished_tasks` has become 0.")

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

    @unfinished_tasks.setter
    def unfinished_tasks(self, value: int) -> None:
        self._unfinished = value
        if self._unfinished == 0:
            self._tell_joiners()

    def task_done(self) -> None:
        """Say that an item that was got is done with. ValueError if that was said for all of them."""
        if self._conditions is None:
            self._finish_one()
        else:
            with self._conditions.mutex:
                self._finish_one()

    def _finish_one(self) -> None:
        if self._unfinished <= 0:
            raise ValueError("task_done() called too many times")
        self._unfinished -= 1
        if self._unfinished == 0:
            self._tell_joiners()

    def _tell_joiners(self) -> None:
        self._joiners.wake_all(None)
        if self._conditions is not None:
            self._conditions.all_tasks_done._wake_all()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until every item was got and is done with, `timeout` seconds at most; whether that came. Switches."""
        if self._unfinished == 0:
            return True
        entry = new_entry(self, None, "join")
        waiter = waiter_at(entry)
        return self._join_joiners(entry, waiter) or park(waiter, timeout)

    def _join_joiners(self, entry: WaitEntry, waiter: Waiter) -> bool:
        if self._unfinished == 0:
            return True
        self._joiners.add(entry, waiter)
        return False

    def shutdown(self, immediate: bool = False) -> None:
        """Refuse further items: `put` raises ShutDown, `get` once nothing is left. Wakes who waits in vain.

        With `immediate`, drop the items that are there; they count as done with.
        """
        if self._conditions is None:
            self._shut_and_tell(immediate)
        else:
            with self._conditions.mutex:
                self._shut_and_tell(immediate)

    def _shut_and_tell(self, immediate: bool) -> None:
        self._shut(immediate)
        if self._unfinished == 0:
            self._tell_joiners()
        if self._conditions is not None:
            self._conditions.not_empty._wake_all()
            self._conditions.not_full._wake_all()

    def _conditions_here(self) -> Conditions:
        if self._conditions is None:
            made = Conditions(settle_weakly(self))
            if self._conditions is None:  # nor has another thread made them meanwhile
                self._conditions = made
        there: Conditions = self._conditions
        return there

    def _settle(self) -> None:
        self._satisfy()

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
    atomic(Queue, "_finish_one", "_join_joiners")
