"""Queues whose consumers report finished items (`task_done`, `join`): FIFO, LIFO and by priority."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from hubcore._base import uncompiled as cython
from hubcore._core.waiter import WaitQueue
from hubcore._queues.conditions import Conditions, Part, settle_weakly
from hubcore._queues.simple_queue import SimpleQueue
from hubcore._queues.store import trust

if not cython.compiled:
    from hubcore._base.hints import Any, Iterable, Self, T
    from hubcore._capi.fallback import atomic, publish
    from hubcore._core.waiter import new_entry
    from hubcore._sync.waitable import park, waiter_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import WaitEntry, Waiter


class UnboundQueue(SimpleQueue["T"]):
    """A SimpleQueue for any number of items. gevent's name."""

    __slots__ = ()


class Queue(SimpleQueue["T"]):
    """A SimpleQueue whose consumers call `task_done` for each finished item, so that `join` can wait for the last one.

    It has the lock and the conditions of the standard library's queue, for programs that use those. While `mutex` has
    an owner, `put`, `get` and `task_done` of other callers wait, even if they would otherwise never wait.
    """

    __slots__ = ("_joiners",)

    mutex: Part = Part("mutex", "The lock. Its owner may do anything with `queue`, and may acquire it again.")
    not_empty: Part = Part("not_empty", "A Condition on `mutex`, notified when an item has been stored.")
    not_full: Part = Part("not_full", "A Condition on `mutex`, notified when an item has been taken.")
    all_tasks_done: Part = Part("all_tasks_done", "A Condition on `mutex`, notified when `unfinished_tasks` becomes 0.")

    def __init__(
        self, maxsize: int | None = None, items: Iterable[T] = (), unfinished_tasks: int | None = None
    ) -> None:
        self._joiners = WaitQueue()
        self._begin(maxsize, items)
        self._unfinished = self._qsize() if unfinished_tasks is None else unfinished_tasks

    @property
    def unfinished_tasks(self) -> int:
        """The number of items that were put and for which `task_done` was not called yet."""
        return self._unfinished

    @unfinished_tasks.setter
    def unfinished_tasks(self, value: int) -> None:
        self._unfinished = value
        if self._unfinished == 0:
            self._tell_joiners()

    def task_done(self) -> None:
        """Report one item as finished. ValueError if all items that were put are finished already."""
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
        """Wait until every item is finished, at most `timeout` seconds; return whether they are. Switches."""
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
        """Refuse further items: `put` raises ShutDown, and so does `get` once no item is left. Never switches.

        Waiters that can get or put nothing any more are woken with ShutDown. With `immediate`, drop the stored items;
        they count as finished.
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
            if self._conditions is None:  # unless another thread has made them meanwhile
                self._conditions = made
        there: Conditions = self._conditions
        return there

    def _settle(self) -> None:
        self._satisfy()

    def copy(self) -> Self:
        """Return a queue of the same kind with the same size, items and number of unfinished tasks."""
        return type(self)(self.maxsize, self._items, self._unfinished)


class JoinableQueue(Queue["T"]):
    """The same as Queue. gevent's older name."""

    __slots__ = ()


class LifoQueue(Queue["T"]):
    """Last in, first out."""

    __slots__ = ()

    def _create_queue(self, items: Iterable[T] = ()) -> Any:
        return list(items)

    def _put(self, item: T) -> None:
        self._items.append(item)

    def _get(self) -> T:
        return self._items.pop()

    def _peek(self) -> T:
        return self._items[-1]

    def _restore(self, item: T) -> None:
        self._items.append(item)


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

    def _peek(self) -> T:
        return self._items[0]

    def _restore(self, item: T) -> None:
        self._store(item)


trust(UnboundQueue, Queue, JoinableQueue, LifoQueue)

publish("hubcore.queue", UnboundQueue)
publish("hubcore.queue", Queue)
publish("hubcore.queue", JoinableQueue)
publish("hubcore.queue", LifoQueue)
publish("hubcore.queue", PriorityQueue)

if not cython.compiled:
    atomic(Queue, "_finish_one", "_join_joiners")
