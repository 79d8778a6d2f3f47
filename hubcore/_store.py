"""Store: what a queue keeps its items in, and how a subclass may do that its own way.

Storing may run anybody's code, where items are compared or a subclass brings its own: other threads, finalizers and
other greenlets may come here meanwhile. Where it may, a guard lets one thread in, and whoever comes from within finds
the store busy: what is put then is late, and stored by who is busy with it, at the end of its turn.
"""

from __future__ import annotations

from _collections import deque

from hubcore._awaitable import Waitable
from hubcore._originals import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

#: Instead of an item: there is none.
NOTHING = object()


class Store(Waitable):
    """Holds items, first in, first out.

    The methods up to `_restore` are a subclass's to override, most of them under the names that the standard library's
    queue calls.
    """

    __slots__ = ("_busy", "_deferred", "_guard", "_items")

    def _set_up_store(self, items: Iterable[Any]) -> None:
        self._busy = False
        self._deferred: list[Any] = []
        self._guard = RLock() if _stores_by_foreign_code(type(self)) else None
        self._items: Any = self._create_queue(items)

    def _init(self, maxsize: int | None) -> None:
        """Called last when a queue is made: a subclass may set `self.queue` to what it stores items in."""

    def _create_queue(self, items: Iterable[Any] = ()) -> Any:
        """What holds the items."""
        return deque(items)

    def _qsize(self) -> int:
        """How many are stored."""
        return len(self._items)

    def _put(self, item: Any) -> None:
        """Store `item`."""
        self._items.append(item)

    def _get(self) -> Any:
        """Remove and return the next item; there is one."""
        return self._items.popleft()

    def _peek(self) -> Any:
        """The next item; there is one."""
        return self._items[0]

    def _restore(self, item: Any) -> None:
        """Store an item that was taken and cannot be used, to be the next again where that can be."""
        if self._guard is None:
            self._items.appendleft(item)
        else:
            self._store(item)  # in the subclass's own way, whatever it stores in

    def _store(self, item: Any) -> None:
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
        """The next item, removed; NOTHING if there is none, or none can be taken now."""
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
            self._end_turn()  # one that cannot be compared must not keep back those behind it
            raise
        self._busy = False


# The kinds of queue whose storing runs nobody's code but the interpreter's own.
_trusted: set[type] = {Store}
HOOKS = ("_create_queue", "_get", "_init", "_peek", "_put", "_qsize", "_restore")


def trust(*kinds: type) -> None:
    """Say that `kinds` store their items without running Python code."""
    _trusted.update(kinds)


def _stores_by_foreign_code(kind: type) -> bool:
    if kind in _trusted:
        return False
    base = next(each for each in kind.__mro__ if each in _trusted)
    return any([getattr(kind, name) is not getattr(base, name) for name in HOOKS])
