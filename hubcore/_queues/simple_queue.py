"""SimpleQueue: the base of the other queues.

`put` to a queue that is not full never switches; a finalizer may do it. Waiters are served first come, first served: an
item goes straight to the first getter, and free room to the first putter.
"""

from __future__ import annotations

from queue import Empty, Full

from hubcore._base import uncompiled as cython
from hubcore._core.deadlines import ended_by
from hubcore._core.waiter import GET, PUT, WaitQueue
from hubcore._queues.store import NOTHING as _NOTHING
from hubcore._queues.store import Store, tried, trust

if not cython.compiled:
    from hubcore._base.hints import Any, Iterable, Self, T
    from hubcore._capi.fallback import atomic, publish
    from hubcore._core.waiter import WAITING, new_entry
    from hubcore._sync.steps import count_step_if_patched
    from hubcore._sync.waitable import check_timeout, park, waiter_at

try:
    from queue import ShutDown as ShutDown  # type: ignore[attr-defined,unused-ignore]
except ImportError:  # before CPython 3.13

    class ShutDown(Exception):  # type: ignore[no-redef]
        """Raised by a queue that was shut down: `put` can add no more items, or `get` finds none left."""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import WaitEntry, Waiter

_PEEK = object()  # the item of a waiter in `peek`, which does not take the queue's item
_SHUT_DOWN = object()  # wakes the waiters that can get or put nothing any more


class SimpleQueue(Store["T"]):
    """First in, first out, with at most `maxsize` items, or any number if that is None. Initially holds `items`."""

    __slots__ = ("_bound", "_conditions", "_putters", "_shut_down", "_unfinished")

    def __init__(self, maxsize: int | None = None, items: Iterable[T] = ()) -> None:
        self._begin(maxsize, items)

    def _begin(self, maxsize: int | None, items: Iterable[Any]) -> None:
        self._set_up()
        self._putters = WaitQueue()
        self._shut_down = False
        self._unfinished = 0
        self._conditions: Any = None  # of a Queue whose user has asked for one of them
        self._bound = self._bound_for(maxsize)
        self._set_up_store(items)
        self._init(maxsize)

    # Putting.

    def put(self, item: T, block: bool = True, timeout: float | None = None) -> None:
        """Append `item`. If the queue is full and `block` is true, wait for room, at most `timeout` seconds.

        Switches only if it waits. Full if there is no room; ShutDown after a shutdown.
        """
        if timeout is not None and block and self._bound >= 0:
            check_timeout(timeout)
        if self._conditions is not None:
            self._put_exclusively(item, block, timeout)
            return
        if self._try_put(item):
            return
        if not block:
            raise tried(Full)
        self._put_later(item, timeout)

    def put_nowait(self, item: T) -> None:
        """`put(item, block=False)`: never switches."""
        if self._conditions is not None:
            self._put_exclusively(item, False, None)
        elif not self._try_put(item):
            raise tried(Full)

    def _try_put(self, item: Any) -> bool:
        """Hand `item` over to the first getter, or store it; False if the queue is full."""
        if self._shut_down:
            self._raise_shut_down(False)
        if self._guard is not None:
            with self._guard:  # from the test to the storing: both may run foreign code
                return self._offer_guarded(item)
        if self._bound >= 0 and self._qsize() >= self._bound:
            return False
        self._deliver(item)
        return True

    def _offer_guarded(self, item: Any) -> bool:
        if not self._has_room():
            return False
        self._deliver(item)
        if self._putters.count:
            self._serve_putters()  # storing may have run code that put and waits, and serving getters makes room
        return True

    def _has_room(self) -> bool:
        return self._bound < 0 or self._qsize() + len(self._deferred) < self._bound

    def _deliver(self, item: Any) -> None:
        # Counted first: the getter may call task_done() before this method ends.
        self._unfinished += 1
        if self._guard is None:
            if self._waiters.count and len(self._items) == 0 and self._hand_over(item):
                return
            self._put(item)
        else:
            try:
                self._store(item)
            except BaseException:
                self._unfinished -= 1
                raise
        if self._waiters.count:
            self._serve_getters()
        if self._links is not None and self._qsize():
            self._notify_links()
        if self._conditions is not None and self._qsize():
            self._conditions.not_empty._wake(1)

    def _hand_over(self, item: Any) -> bool:
        """Hand `item` over to the first getter, and show it to the waiters in `peek` before that one."""
        waiters = self._waiters
        while waiters._first is not None:
            entry = waiters._first
            only_looks = entry.item is _PEEK
            if waiters.wake(entry, item) and not only_looks:
                return True
        return False

    def _serve_getters(self) -> None:
        """Give stored items to the getters."""
        waiters = self._waiters
        while waiters._first is not None and self._qsize():
            entry = waiters._first
            try:
                if entry.item is _PEEK:
                    waiters.wake(entry, self._peek())
                    continue
                item = self._take()
            except BaseException as error:
                # A subclass's error: it belongs to the getter, as if that had called the method, not to the putter.
                waiter: Any = entry.waiter
                if waiter is None or not waiter.fail(error):
                    raise
                entry.leave()  # also if the waiter has entries in other queues
                continue
            if item is _NOTHING:
                break  # the caller that holds the store serves them when it finishes
            if not self._hand_over(item):
                self._restore(item)

    def _put_later(self, item: Any, timeout: float | None) -> None:
        entry = new_entry(self, item, PUT)
        waiter = waiter_at(entry)
        if not self._join_putters(entry, waiter) and not park(waiter, timeout):
            raise ended_by(timeout, Full)
        self._end_put(waiter)

    def _put_exclusively(self, item: Any, block: bool, timeout: float | None) -> None:
        with self._conditions.mutex:
            if self._try_put(item):
                return
            if not block:
                raise Full
            entry = new_entry(self, item, PUT)
            waiter = waiter_at(entry)
            if self._join_putters(entry, waiter):
                return
        if not park(waiter, timeout):
            raise ended_by(timeout, Full)
        self._end_put(waiter)

    def _end_put(self, waiter: Waiter) -> None:
        if waiter.value is None:
            return
        if waiter.value is _SHUT_DOWN:
            self._raise_shut_down(False)
        failure: Any = waiter.value  # of storing the item
        raise failure

    def _join_putters(self, entry: WaitEntry, waiter: Waiter) -> bool:
        """Put the item if there is room now, else queue up; return whether it was put."""
        if self._try_put(entry.item):
            return True
        self._putters.add(entry, waiter)
        return False

    def _serve_putters(self) -> None:
        """Accept the items of putters while there is room."""
        putters = self._putters
        while putters._first is not None and self._has_room():
            entry = putters._first
            waiter = putters.claim(entry, None)
            if waiter is not None:
                # Before the putter's thread can go on, and before other code can run in between.
                try:
                    self._deliver(entry.item)
                except BaseException as error:
                    waiter.value = error  # a subclass's error: it belongs to the putter, not to the caller
                waiter.resume()

    # Getting.

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Remove and return the next item. If there is none and `block` is true, wait, at most `timeout` seconds.

        Switches only if it waits. Empty if there is no item; ShutDown if none can come any more.
        """
        if timeout is not None and block:
            check_timeout(timeout)
        if self._conditions is not None:
            return self._get_exclusively(block, timeout)
        item = self._take_and_admit()
        if item is _NOTHING:
            item = self._get_later(None, block, timeout)
        return item

    def get_nowait(self) -> T:
        """`get(block=False)`: never switches."""
        if self._conditions is not None:
            return self._get_exclusively(False, None)
        item = self._take_and_admit()
        return self._get_later(None, False, None) if item is _NOTHING else item

    def peek(self, block: bool = True, timeout: float | None = None) -> T:
        """As `get`, but the item stays in the queue."""
        if timeout is not None and block:
            check_timeout(timeout)
        if self._qsize():
            return self._peek()
        return self._get_later(_PEEK, block, timeout)

    def peek_nowait(self) -> T:
        """`peek(block=False)`: never switches."""
        return self.peek(False)

    def _take_and_admit(self) -> Any:
        if self._guard is None:
            item = self._get() if self._qsize() else _NOTHING
            if self._putters.count:
                self._serve_putters()
            return item
        with self._guard:
            item = self._take()
            if self._waiters.count:
                self._serve_getters()  # getters that queued up while the store was busy
            if self._putters.count:
                self._serve_putters()
        return item

    def _get_later(self, purpose: object, block: bool, timeout: float | None) -> Any:
        if self._shut_down:
            self._raise_shut_down(True)
        if not block:
            raise tried(Empty)
        entry = new_entry(self, purpose, GET)
        waiter = waiter_at(entry)
        item = self._join_getters(entry, waiter)
        return self._end_get(waiter, timeout) if item is _NOTHING else item

    def _get_exclusively(self, block: bool, timeout: float | None) -> Any:
        with self._conditions.mutex:
            item = self._take_and_admit()
            if item is _NOTHING and self._shut_down:
                self._raise_shut_down(True)
            if item is _NOTHING and not block:
                raise Empty
            if item is _NOTHING:
                entry = new_entry(self, None, GET)
                waiter = waiter_at(entry)
                item = self._join_getters(entry, waiter)
            if item is not _NOTHING:
                if self._has_room():
                    self._conditions.not_full._wake(1)
                return item
        return self._end_get(waiter, timeout)

    def _end_get(self, waiter: Waiter, timeout: float | None) -> Any:
        if not park(waiter, timeout):
            raise ended_by(timeout, Empty)
        item = waiter.value
        if item is _SHUT_DOWN:
            self._raise_shut_down(True)
        return item

    def _join_getters(self, entry: WaitEntry, waiter: Waiter) -> Any:
        """Return an item if there is one now; else queue up and return _NOTHING."""
        if self._qsize():
            item = self._peek() if entry.item is _PEEK else self._take_and_admit()
            if item is not _NOTHING:
                return item
        if self._shut_down:
            self._raise_shut_down(True)
        self._waiters.add(entry, waiter)
        return _NOTHING

    def _hand_back(self, entry: WaitEntry, value: object) -> None:
        """As Source._hand_back: the item becomes the next again, even if the queue is full by now. An item that was put
        stays.
        """
        if entry.item is None and entry.purpose is GET and value is not _SHUT_DOWN:
            self._take_back(value)

    def _take_back(self, item: Any) -> None:
        self._restore(item)
        self._satisfy()

    def _satisfy(self) -> None:
        """Serve the waiters: there may be new items, or new room."""
        if self._waiters.count:
            self._serve_getters()
        if self._putters.count:
            self._serve_putters()
        if self._links is not None and self._qsize():
            self._notify_links()

    # As a case of `select`.

    def _serve(self, entry: WaitEntry, waiter: Waiter, stay: bool) -> bool:
        """As Source._serve."""
        if waiter.outcome != WAITING:
            return True
        if entry.purpose is PUT:
            return self._serve_putter(entry, waiter, stay)
        item = self._take()
        if item is _NOTHING:
            if self._shut_down:
                self._raise_shut_down(True)
            if stay:
                self._waiters.add(entry, waiter)
            return False
        if not entry.claim(waiter, item):
            self._take_back(item)  # taking it ran foreign code, and the wait ended otherwise meanwhile
        if self._putters.count:
            self._serve_putters()
        if self._guard is not None and self._waiters.count:
            self._serve_getters()
        return True

    def _serve_putter(self, entry: WaitEntry, waiter: Waiter, stay: bool) -> bool:
        if self._shut_down:
            self._raise_shut_down(False)
        if not self._has_room():
            if stay:
                self._putters.add(entry, waiter)
            return False
        if entry.claim(waiter, None):
            self._deliver(entry.item)
        return True

    def _conclude(self, entry: WaitEntry, value: object) -> object:
        """As Source._conclude."""
        if value is _SHUT_DOWN:
            self._raise_shut_down(entry.purpose is not PUT)
        if entry.purpose is PUT and value is not None:
            failure: Any = value  # of storing the item
            raise failure
        return value

    # The end.

    def _raise_shut_down(self, getting: bool) -> None:
        raise ShutDown(f"{self!r} was shut down" + (", and no item is left in it" if getting else ""))

    @property
    def is_shutdown(self) -> bool:
        """Whether the queue was shut down."""
        return self._shut_down

    def _shut(self, immediate: bool) -> None:
        """Refuse further items; with `immediate`, drop the stored ones. Waiters that can go on no more get ShutDown."""
        self._shut_down = True
        dropped: Any = []
        if immediate and self._guard is None:
            dropped, self._items = self._items, self._create_queue()
        elif immediate:
            dropped, self._deferred = self._deferred, []
            item = self._take()
            while item is not _NOTHING:
                dropped.append(item)
                item = self._take()
        self._unfinished = max(0, self._unfinished - len(dropped))
        if self._qsize() == 0:
            self._waiters.wake_all(_SHUT_DOWN)
        self._putters.wake_all(_SHUT_DOWN)

    # State.

    @property
    def maxsize(self) -> int | None:
        """The maximum number of items, or None for any number. Setting it accepts items of putters if there is room."""
        return None if self._bound < 0 else self._bound

    @maxsize.setter
    def maxsize(self, value: int | None) -> None:
        self._bound = self._bound_for(value)
        self._serve_putters()

    @property
    def queue(self) -> Any:
        """The container of the items: a deque, or a list."""
        return self._items

    @queue.setter
    def queue(self, items: Any) -> None:
        self._items = items
        self._satisfy()

    def _bound_for(self, maxsize: Any) -> int:
        """Return the bound that `maxsize` stands for; -1 for none."""
        return _checked(maxsize)

    def ready(self) -> bool:
        """Return whether there is an item."""
        return self._qsize() > 0

    def full(self) -> bool:
        """Return whether it holds `maxsize` items."""
        count_step_if_patched()
        return self._bound >= 0 and self._qsize() >= self._bound

    def copy(self) -> Self:
        """Return a queue of the same kind with the same size and items."""
        return type(self)(self.maxsize, self._items)

    def __len__(self) -> int:
        return self._qsize()

    def __bool__(self) -> bool:
        """Return True, even if it is empty, as the standard library's queue."""
        return True

    def __iter__(self) -> Self:
        """Iterate over the items as they come, until an item is StopIteration or the queue is shut down and empty."""
        return self

    def __next__(self) -> T:
        try:
            item = self.get()
        except ShutDown:
            raise StopIteration from None
        if item is StopIteration:
            raise item
        return item

    def __repr__(self) -> str:
        bound = "" if self._bound < 0 else f" of {self._bound}"
        state = ", shut down" if self._shut_down else ""
        getters, putters = self._waiters.count, self._putters.count
        return (
            f"<{type(self).__name__} at {id(self):#x} {self._qsize()}{bound} items, "
            f"{getters} getting, {putters} putting{state}>"
        )


def _checked(maxsize: int | None) -> int:
    """Return the bound that `maxsize` stands for; -1 for none. 0 and less mean none, as in the standard library."""
    if maxsize is None:
        return -1
    if not hasattr(maxsize, "__index__"):
        raise TypeError(f"maxsize must be an integer, or None for any number, not {maxsize!r}")
    return maxsize if maxsize > 0 else -1


trust(SimpleQueue)
publish("hubcore.queue", SimpleQueue)

if not cython.compiled:
    atomic(SimpleQueue, "_try_put", "_join_putters", "_join_getters", "_take_and_admit", "_take_back", "_shut")
    atomic(SimpleQueue, "_serve_putters", "_serve_getters", "_satisfy", "_serve")
