# cython: boundscheck=False, wraparound=False
"""What runs next in one thread: a FIFO ring of entries, and an inbox for other threads.

An entry is a woken waiter (resume its greenlet), a greenlet (start it) or a Callback (the hub greenlet calls it). The
queue does not know the difference; the hub does.

Only the owning thread touches the ring; other threads append to the inbox, which the owner empties after each poll.
"""

from __future__ import annotations

from _collections import deque
from _thread import get_ident as _get_ident

import cython

if not cython.compiled:
    from hubcore._uncompiled import put_item, take_item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from hubcore.loop import Loop

    class Wakeable(Protocol):
        """What sleeps until something is pushed, as a loop does."""

        def wake(self) -> None: ...


_FIRST_SIZE = 64  # a power of two, as every size of the ring is: an index is masked, not divided


class Callback:
    """A call that the hub greenlet is to make, once. Made by `Loop.run_callback`."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args: tuple[object, ...] | None = args

    @property
    def pending(self) -> bool:
        """Whether the call is still to be made."""
        return self.callback is not None

    def __bool__(self) -> bool:
        return self.callback is not None

    def stop(self) -> None:
        """Forget the call. Never switches; harmless when the call was made."""
        self.callback = None
        self.args = None

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()

    def run(self) -> None:
        """Make the call, unless it was stopped; whatever it raises comes out."""
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
    """The entries that are ready to run in the thread that made this queue, first in, first out."""

    __slots__ = ("_head", "_inbox", "_loop", "_mask", "_ring", "count", "thread_ident")

    def __init__(self, loop: Loop | Wakeable | None, thread_ident: int | None = None) -> None:
        self._ring: list[object] = [None] * _FIRST_SIZE
        self._mask = _FIRST_SIZE - 1
        self._head = 0
        self.count = 0
        # 0 is no thread's: whatever is pushed then comes by the inbox.
        self.thread_ident = _get_ident() if thread_ident is None else thread_ident
        self._loop = loop
        self._inbox: deque[object] = deque()

    def push(self, entry: object) -> None:
        """Append `entry`. The owning thread only."""
        if self.count > self._mask:
            self._grow()
        put_item(self._ring, (self._head + self.count) & self._mask, entry)
        self.count += 1

    def push_first(self, entry: object) -> None:
        """Put `entry` before all others. The owning thread only."""
        if self.count > self._mask:
            self._grow()
        self._head = (self._head - 1) & self._mask
        put_item(self._ring, self._head, entry)
        self.count += 1

    def push_threadsafe(self, entry: object) -> None:
        """Append `entry` to the inbox and make a sleeping poll return. Any thread; not for signal handlers."""
        # deque.append is atomic, and the wake-up comes after it: either this poll's owner sees the entry when it
        # empties the inbox, or the poll after that returns at once.
        self._inbox.append(entry)
        loop = self._loop
        if loop is not None:
            loop.wake()

    def drain_inbox(self) -> int:
        """Move what other threads sent to the end of the ring; return how many. The owning thread only."""
        if not self._inbox:
            return 0
        # What arrives meanwhile waits for the next pass: a busy thread must not keep this one here.
        n = len(self._inbox)
        for _ in range(n):
            self.push(self._inbox.popleft())
        return n

    def pop(self) -> object:
        """Remove and return the first entry; None if there is none."""
        if self.count == 0:
            return None
        entry = take_item(self._ring, self._head)
        self._head = (self._head + 1) & self._mask
        self.count -= 1
        return entry

    def snapshot(self) -> list[object]:
        """The entries that are there at one moment, first come first. Any thread, also while the owner runs."""
        found: list[object] = []
        for i in range(self.count):
            found.append(self._ring[(self._head + i) & self._mask])
        return found + list(self._inbox.copy())

    def disconnect(self) -> None:
        """Forget the loop: what other threads still send is kept, but wakes nobody."""
        self._loop = None

    def _grow(self) -> None:
        size = self._mask + 1
        new: list[object] = [None] * (size * 2)
        # That may have run the garbage collector, and with it a finalizer that pushed something and so came here first.
        if self._mask + 1 != size:
            return
        old = self._ring
        for i in range(size):
            new[i] = old[(self._head + i) & self._mask]
        self._ring = new
        self._head = 0
        self._mask = size * 2 - 1

    def is_empty(self) -> bool:
        """Whether there is nothing, from no thread."""
        return self.count == 0 and not self._inbox

    def __len__(self) -> int:
        return self.count + len(self._inbox)

    def __repr__(self) -> str:
        return f"<ReadyQueue of {self.count} and {len(self._inbox)} from other threads>"
