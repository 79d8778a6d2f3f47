# cython: boundscheck=False, wraparound=False
"""The ready queue of one thread: a FIFO ring of entries that run next, and an inbox for other threads.

An entry is a woken waiter (the hub resumes its greenlet), a greenlet (the hub starts it) or a Callback (the hub
greenlet calls it). The queue treats all entries alike; the hub distinguishes them.

Only the owning thread touches the ring. Other threads append to the inbox, which the owner empties after each poll.
"""

from __future__ import annotations

from _collections import deque
from _thread import get_ident as _get_ident

from hubcore._base import uncompiled as cython

if not cython.compiled:
    from hubcore._capi.fallback import publish, put_item, take_item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from hubcore._core.observer import Observer

    class Wakeable(Protocol):
        """An object that sleeps until an entry is pushed, as a loop does."""

        def wake(self) -> None: ...


_FIRST_SIZE = 64  # every size of the ring is a power of two, so that an index is masked and not divided


class Callback:
    """A call that the hub greenlet makes once. Created by `Loop.run_callback`."""

    __slots__ = ("args", "callback", "source")

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.source: object = None  # the watcher whose callback it is
        self.callback: Callable[..., object] | None = callback
        self.args: tuple[object, ...] | None = args

    @property
    def pending(self) -> bool:
        """Whether the hub has yet to make the call."""
        return self.callback is not None

    def __bool__(self) -> bool:
        return self.callback is not None

    def stop(self) -> None:
        """Cancel the call. Never switches; does nothing once the call was made."""
        self.callback = None
        self.args = None

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    def run(self) -> None:
        """Make the call, unless it was stopped. An exception of the call propagates."""
        callback = self.callback
        args = self.args
        self.callback = None
        self.args = None
        if callback is not None and args is not None:
            callback(*args)

    def __repr__(self) -> str:
        if self.callback is None:
            return f"<Callback at {id(self):#x}, done or stopped>"
        return f"<Callback at {id(self):#x} {self.callback!r} args={self.args!r}>"


class ReadyQueue:
    """The entries that are ready to run in the owning thread (the one that made this queue), first in, first out."""

    __slots__ = (
        "_head", "_inbox", "_keep_first", "_limit", "_listener", "_loop", "_mask", "_moving", "_ring", "count",
        "observer", "picker", "thread_ident",
    )  # fmt: skip

    def __init__(self, loop: Wakeable | None, thread_ident: int | None = None) -> None:
        self._ring: list[object] = [None] * _FIRST_SIZE
        self._mask = _FIRST_SIZE - 1
        self._limit = _FIRST_SIZE  # entries from which on a push has more to do than to store: to grow, or to call
        self._listener: Callable[[], object] | None = None
        self.observer: Observer | None = None
        self._moving = False  # whether entries of other threads are being moved to the ring
        self._head = 0
        self.count: int = 0
        # No thread has the ident 0: a queue with that ident gets every entry by way of the inbox.
        self.thread_ident: int = _get_ident() if thread_ident is None else thread_ident
        self._loop = loop
        self._inbox: deque[object] = deque()
        # For tests of other orders. If set, it is called when two or more are ready, and returns the next one's index.
        self.picker: Callable[[ReadyQueue], int] | None = None
        self._keep_first = False  # whether the first entry was put there to be the next

    def push(self, entry: object) -> None:
        """Append `entry`. The owning thread only."""
        if self.count >= self._limit:
            self._make_room()
            if self.observer is not None:
                self.observer.pushed(entry, self._moving)
        put_item(self._ring, (self._head + self.count) & self._mask, entry)
        self.count += 1

    def push_first(self, entry: object) -> None:
        """Put `entry` before all others. The owning thread only."""
        if self.count >= self._limit:
            self._make_room()
        self._head = (self._head - 1) & self._mask
        put_item(self._ring, self._head, entry)
        self.count += 1
        self._keep_first = True

    def push_threadsafe(self, entry: object) -> None:
        """Append `entry` to the inbox and make a sleeping poll return. Any thread; not for signal handlers."""
        # deque.append is atomic, and the wake-up follows it: either the owner finds the entry when it empties the
        # inbox after this poll, or its next poll returns at once.
        self._inbox.append(entry)
        loop = self._loop
        if loop is not None:
            loop.wake()

    def drain_inbox(self) -> int:
        """Move the entries of other threads to the end of the ring; return their number. The owning thread only."""
        if not self._inbox:
            return 0
        # Entries that arrive meanwhile wait for the next pass: a busy thread must not keep the owner here.
        n = len(self._inbox)
        self._moving = True
        for _ in range(n):
            self.push(self._inbox.popleft())
        self._moving = False
        return n

    def pop(self) -> object:
        """Remove and return the first entry, or the one that `picker` picks; None if the ring is empty."""
        if self.count == 0:
            return None
        if self.picker is not None:
            self._bring_forward()
        entry = take_item(self._ring, self._head)
        self._head = (self._head + 1) & self._mask
        self.count -= 1
        return entry

    def _bring_forward(self) -> None:
        """Have the entry that `picker` picks be the first; the others keep their order."""
        if self._keep_first or self.count < 2:
            self._keep_first = False
            return
        picked = self.picker(self)  # type: ignore[misc]
        if not 0 <= picked < self.count:
            raise IndexError(f"{self.picker!r} picked entry {picked} of {self.count} that are ready")
        entry = self._ring[(self._head + picked) & self._mask]
        for i in range(picked, 0, -1):
            self._ring[(self._head + i) & self._mask] = self._ring[(self._head + i - 1) & self._mask]
        self._ring[self._head] = entry

    def snapshot(self) -> list[object]:
        """Return the present entries, the first to run first. Any thread, also while the owner runs."""
        found: list[object] = []
        for i in range(self.count):
            found.append(self._ring[(self._head + i) & self._mask])
        return found + list(self._inbox.copy())

    def disconnect(self) -> None:
        """Forget the loop: the inbox still accepts entries of other threads, but wakes no poll."""
        self._loop = None

    def listen(self, listener: Callable[[], object] | None) -> None:
        """Call `listener()` at each push of the owning thread; None: no longer. It must not raise or switch.

        For a loop that runs other code of its thread while it polls. Without a listener a push costs nothing more.
        """
        self._listener = listener
        self._set_limit()

    def observe(self, observer: Observer | None) -> None:
        """Notify `observer` of each entry that is appended; None: no observer any more. Any thread."""
        self.observer = observer
        self._set_limit()

    def _set_limit(self) -> None:
        self._limit = self._mask + 1 if self._listener is None and self.observer is None else 0

    def _make_room(self) -> None:
        listener = self._listener
        if listener is not None:
            listener()
        if self.count > self._mask:
            self._grow()

    def _grow(self) -> None:
        size = self._mask + 1
        new: list[object] = [None] * (size * 2)
        # The allocation may have run the garbage collector, and with it a finalizer whose push has grown the ring.
        if self._mask + 1 != size:
            return
        old = self._ring
        for i in range(size):
            new[i] = old[(self._head + i) & self._mask]
        self._ring = new
        self._head = 0
        self._mask = size * 2 - 1
        self._set_limit()

    def is_empty(self) -> bool:
        """Return whether both the ring and the inbox are empty."""
        return self.count == 0 and not self._inbox

    def __len__(self) -> int:
        return self.count + len(self._inbox)

    def __repr__(self) -> str:
        return f"<ReadyQueue of {self.count} and {len(self._inbox)} from other threads>"


publish("hubcore.loop", Callback)
