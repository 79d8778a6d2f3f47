"""Group and Pool: greenlets that are waited for, or ended, together; a Pool has room for a number of them."""

from __future__ import annotations

from _weakref import ref as weak_reference
from operator import index
from queue import Full

from greenlet import GreenletExit, getcurrent
from greenlet import greenlet as _raw

from hubcore._imap import IMap, IMapUnordered
from hubcore._links import DirectLink
from hubcore._locks import DummySemaphore, Semaphore
from hubcore._mapping import MappingMixin, pass_value
from hubcore.event import Event
from hubcore.greenlet import Greenlet
from hubcore.hub import kill, spawn_raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Exit = type[BaseException] | BaseException

__all__ = ["Group", "IMap", "IMapUnordered", "Pool", "PoolFull", "pass_value"]


class PoolFull(Full):
    """A pool had no room in time; a kind of queue.Full."""


class _Leave(DirectLink):
    """Tells a group that a member has ended. A group that nobody has any more need not be told."""

    __slots__ = ("group",)

    def __init__(self, group: Group) -> None:
        self.group = weak_reference(group)

    def notify(self, source: Any) -> None:
        group = self.group()
        if group is not None:
            group._left(source)

    __call__ = notify


class _CallBack(DirectLink):
    """Starts a greenlet that calls `callback(source)`."""

    __slots__ = ("callback",)

    def __init__(self, callback: pass_value) -> None:
        self.callback = callback

    def notify(self, source: Any) -> None:
        spawn_raw(self.callback, source)

    __call__ = notify


class _Room(Semaphore):
    """What who waits for room in a pool waits on, and what reports call it."""

    __slots__ = ("pool",)

    def __init__(self, pool: Pool, size: int) -> None:
        super().__init__(0)  # not of 1, which would be a lock, with an owner
        self.counter = size
        self.pool = weak_reference(pool)

    def __repr__(self) -> str:
        pool = self.pool()
        return super().__repr__() if pool is None else f"<room in {pool!r}>"


class Group(MappingMixin):
    """Greenlets that run, and can be waited for or killed together. One that ends leaves the group.

    `Group(greenlets)` begins with those. For greenlets of one thread.
    """

    #: What `spawn` makes.
    greenlet_class: type[Greenlet] = Greenlet

    def __init__(self, *args: Any) -> None:
        if len(args) == 1 and not isinstance(args[0], Greenlet):
            if not hasattr(args[0], "__iter__"):
                raise TypeError(f"a group begins with greenlets, or with what gives them, not with {args[0]!r}")
            args = tuple(args[0])
        self.greenlets: set[Any] = set()
        self._empty = Event()
        self._empty.set()
        self._leave = _Leave(self)
        # The first failure that no join raised; only one, so that a group that nobody joins does not keep them all.
        self._failure: BaseException | None = None
        for each in args:
            self.add(each)

    def add(self, greenlet: Any) -> None:
        """Have `greenlet` be a member until it ends or is discarded. Never switches; harmless if it is one."""
        if greenlet in self.greenlets:
            return
        if not isinstance(greenlet, _raw) and not hasattr(greenlet, "rawlink"):
            raise TypeError(f"the members of a group are greenlets, not {greenlet!r}")
        self.greenlets.add(greenlet)
        self._empty.clear()
        if hasattr(greenlet, "rawlink"):  # a raw greenlet tells nobody of its end: it stays until it is discarded
            greenlet.rawlink(self._leave)

    def discard(self, greenlet: Any) -> None:
        """Have `greenlet` be a member no more; it goes on. Harmless if it is none."""
        if hasattr(greenlet, "unlink"):
            greenlet.unlink(self._leave)
        self._remove(greenlet)

    def _left(self, greenlet: Any) -> None:
        """A member has ended."""
        error = getattr(greenlet, "exception", None)
        if error is not None and self._failure is None:
            self._failure = error
        self._remove(greenlet)

    def _remove(self, greenlet: Any) -> bool:
        if greenlet not in self.greenlets:
            return False
        self.greenlets.discard(greenlet)
        if not self.greenlets:
            self._empty.set()
        return True

    def start(self, greenlet: Any) -> None:
        """Add `greenlet`, which was not started, and start it."""
        self.add(greenlet)
        greenlet.start()

    def spawn(self, *args: Any, **kwargs: Any) -> Any:
        """Add and start a greenlet of `greenlet_class` with these arguments: `spawn(function, *args, **kwargs)`."""
        new = self.greenlet_class(*args, **kwargs)
        self.start(new)
        return new

    def join(self, timeout: float | None = None, raise_error: bool = False) -> bool:
        """Wait until there are no members, `timeout` seconds at most; whether that came. Switches unless it is so.

        With `raise_error`, raise then what the first member that failed raised, also one that did before this call, if
        no other call raised it.
        """
        empty = self._empty.wait(timeout)
        if raise_error and self._failure is not None:
            failure, self._failure = self._failure, None
            try:
                raise failure
            finally:
                del failure
        return empty

    def kill(self, exception: Exit = GreenletExit, block: bool = True, timeout: float | None = None) -> None:
        """Kill all members, and those that come meanwhile; with `block`, wait until they have ended.

        Returns after `timeout` seconds, whether they have or not. A member may kill its own group: it is the last.
        """
        current = getcurrent()
        from hubcore.timeout import Timeout

        with Timeout(timeout if block else None, False):
            killed: set[Any] = set()
            while victims := [each for each in self.greenlets if each is not current and each not in killed]:
                for each in victims:
                    kill(each, exception)
                killed.update(victims)
                for each in victims if block else ():
                    if isinstance(each, Greenlet):
                        each.join()
        if current in self.greenlets:
            if block:
                raise exception
            kill(current, exception)

    def killone(
        self, greenlet: Any, exception: Exit = GreenletExit, block: bool = True, timeout: float | None = None
    ) -> None:
        """Kill `greenlet` if it is a member; else as `kill`."""
        if greenlet in self.greenlets:
            greenlet.kill(exception, block, timeout)

    def full(self) -> bool:
        """False: there is room for any number."""
        return False

    def wait_available(self, timeout: float | None = None) -> int | None:
        """Nothing to wait for: there is room."""
        return None

    def _is_inside(self) -> bool:
        return getcurrent() in self.greenlets

    def _call_back(self, task: Any, callback: pass_value) -> None:
        # Started before the group knows that `task` has ended: who joins the group finds that it was called.
        task.unlink(self._leave)
        task.rawlink(_CallBack(callback))
        task.rawlink(self._leave)

    def __len__(self) -> int:
        return len(self.greenlets)

    def __contains__(self, greenlet: object) -> bool:
        return greenlet in self.greenlets

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.greenlets))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} of {len(self.greenlets)}>"


class Pool(Group):
    """A Group with room for `size` greenlets, any number if that is None: who adds one more waits for room."""

    def __init__(self, size: int | None = None, greenlet_class: type[Greenlet] | None = None) -> None:
        try:
            too_small = size is not None and index(size) < 0
        except TypeError:
            raise TypeError(
                f"a pool's size is a whole number of greenlets, or None for any number; not {size!r}"
            ) from None
        if too_small:
            raise ValueError(f"a pool has room for 0 greenlets or more, not {size!r}")
        if greenlet_class is not None and not hasattr(greenlet_class, "start"):
            raise TypeError(f"greenlet_class is a class such as Greenlet, whose objects start, not {greenlet_class!r}")
        super().__init__()
        self.size = size
        if greenlet_class is not None:
            self.greenlet_class = greenlet_class
        # To let a pool grow by n, add n to this one's counter and to `size`.
        self._semaphore: Any = DummySemaphore()
        if size is not None:
            self._semaphore = _Room(self, size)

    def add(self, greenlet: Any, blocking: bool = True, timeout: float | None = None) -> None:
        """As Group.add, once there is room: PoolFull if there is none within `timeout` seconds, or not `blocking`."""
        if not self._semaphore.acquire(blocking, timeout):
            raise PoolFull(f"{self!r} has no room")
        try:
            if greenlet in self.greenlets:
                self._semaphore.release()
            else:
                super().add(greenlet)
        except BaseException:
            self._semaphore.release()
            raise

    def start(self, greenlet: Any, *args: Any, **kwargs: Any) -> None:
        """Add `greenlet`, which was not started, as `add` does with these arguments, and start it."""
        self.add(greenlet, *args, **kwargs)
        greenlet.start()

    def _remove(self, greenlet: Any) -> bool:
        removed = super()._remove(greenlet)
        if removed:
            self._semaphore.release()
        return removed

    def full(self) -> bool:
        """Whether there is no room."""
        return self.free_count() <= 0

    def free_count(self) -> int:
        """How many more there is room for; 1 if for any number."""
        return 1 if self.size is None else max(0, self.size - len(self.greenlets))

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until there is room, `timeout` seconds at most; how much there is then. Switches unless there is."""
        room: int = self._semaphore.wait(timeout)
        return room

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} of {len(self.greenlets)}, size {self.size}>"
