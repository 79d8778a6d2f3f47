"""Store: holds a queue's items; a subclass may store them in its own way.

Storing may run foreign code: it compares items, or a subclass overrides the storage methods. Other threads, finalizers
and other greenlets may then enter the store meanwhile. For such queues a guard admits one thread at a time. A call from
inside that thread finds the store busy: a re-entrant put is deferred, and the holder of the guard stores the item when
it finishes.
"""

from __future__ import annotations

from _collections import deque

from hubcore._base import uncompiled as cython
from hubcore._base.hints import Any, Generic, Iterable, T, class_getitem
from hubcore._base.originals import RLock
from hubcore._sync.waitable import Waitable

if not cython.compiled:
    from hubcore._sync.steps import count_step_if_patched, count_try_if_patched

#: The result in place of an item if there is none.
NOTHING = object()


class Store(Waitable, Generic["T"]):
    """Holds items, first in, first out.

    Subclasses may override the methods up to `_restore`. Most of these have the names that the standard library's queue
    calls.
    """

    __slots__ = ("_busy", "_deferred", "_guard", "_items")

    __class_getitem__ = class_getitem

    def _set_up_store(self, items: Iterable[T]) -> None:
        self._busy = False
        self._deferred: list[Any] = []
        self._guard = RLock() if _stores_by_foreign_code(type(self)) else None
        self._items: Any = self._create_queue(items)

    def _init(self, maxsize: int | None) -> None:
        """Finish the making of a queue: a subclass may set `self.queue` to its own container of items."""

    def _create_queue(self, items: Iterable[T] = ()) -> Any:
        """Return a container that holds `items`."""
        return deque(items)

    def _qsize(self) -> int:
        """Return the number of stored items."""
        return len(self._items)

    def qsize(self) -> int:
        """Return the number of items."""
        count_step_if_patched()
        return self._qsize()

    def empty(self) -> bool:
        """Return whether there is no item."""
        count_step_if_patched()
        return self._qsize() == 0

    def _put(self, item: T) -> None:
        """Store `item`."""
        self._items.append(item)

    def _get(self) -> T:
        """Remove and return the next item. The caller knows that there is one."""
        return self._items.popleft()

    def _peek(self) -> T:
        """Return the next item, and keep it. The caller knows that there is one."""
        return self._items[0]

    def _restore(self, item: T) -> None:
        """Store an item that was taken but not delivered, as the next item if the order allows that."""
        if self._guard is None:
            self._items.appendleft(item)
        else:
            self._store(item)  # by the subclass's own method, for any container

    def _store(self, item: T) -> None:
        if self._guard is None:
            self._put(item)
            return
        with self._guard:
            if self._busy:
                self._deferred.append(item)
                return
            self._busy = True
            try:
                self._put(item)
            finally:
                self._end_turn()

    def _take(self) -> Any:
        """Remove and return the next item; NOTHING if there is none, or the store is busy."""
        if self._guard is None:
            return self._get() if self._qsize() else NOTHING
        with self._guard:
            if self._busy or not self._qsize():
                return NOTHING
            self._busy = True
            try:
                return self._get()
            finally:
                self._end_turn()

    def _end_turn(self) -> None:
        try:
            while self._deferred:
                self._put(self._deferred.pop(0))
        except BaseException:
            self._end_turn()  # an item that cannot be compared must not hold back the items behind it
            raise
        self._busy = False


def tried(error: type[Exception]) -> type[Exception]:
    """Return `error`, which a call that does not wait raises. May switch if threads are greenlets (`_sync.steps`)."""
    count_try_if_patched()
    return error


# The kinds of queue whose storing runs no Python code, only the interpreter's own.
_trusted: set[type] = {Store}
HOOKS = ("_create_queue", "_get", "_init", "_peek", "_put", "_qsize", "_restore")


def trust(*kinds: type) -> None:
    """Declare that `kinds` store their items without running Python code, so they need no guard."""
    _trusted.update(kinds)


def _stores_by_foreign_code(kind: type) -> bool:
    if kind in _trusted:
        return False
    base = next(each for each in kind.__mro__ if each in _trusted)
    return any([getattr(kind, name) is not getattr(base, name) for name in HOOKS])
