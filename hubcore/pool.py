"""Group and Pool: greenlets that a caller can wait for, or kill, together. A Pool limits their number."""

from __future__ import annotations

from _weakref import ref as weak_reference
from operator import index
from queue import Full

from greenlet import GreenletExit, getcurrent
from greenlet import greenlet as _raw

from hubcore._base.hints import Any, Callable, Iterator, P, R
from hubcore._base.package import publish_all
from hubcore._core.raising import raise_here
from hubcore._sync.links import GroupLink
from hubcore._sync.locks import DummySemaphore, Semaphore
from hubcore._tasks.imap import IMap, IMapUnordered
from hubcore._tasks.map_methods import MappingMixin, pass_value
from hubcore.event import Event
from hubcore.greenlet import Greenlet
from hubcore.hub import kill

TYPE_CHECKING = False

__all__ = ["Group", "IMap", "IMapUnordered", "Pool", "PoolFull", "pass_value"]

Exit = type[BaseException] | BaseException


class PoolFull(Full):
    """Raised if a pool had no room in time; a subclass of queue.Full."""


class _Leave(GroupLink):
    """A link that removes a member that has ended from its group. It does not keep the group alive."""

    __slots__ = ("group",)

    def __init__(self, group: Group) -> None:
        self.group = weak_reference(group)

    def notify(self, source: Any) -> None:
        group = self.group()
        if group is not None:
            group._left(source)

    def notify_last(self, source: Any) -> None:
        group = self.group()
        if group is not None:
            group._note_if_empty()

    def __call__(self, source: Any) -> None:
        self.notify(source)
        self.notify_last(source)


class _Room(Semaphore):
    """The semaphore of a pool's room; reports show it as the target of a wait for room."""

    __slots__ = ("pool",)

    def __init__(self, pool: Pool, size: int) -> None:
        super().__init__(0)  # a semaphore made with 1 would be a lock, with an owner
        self.counter = size
        self.pool = weak_reference(pool)

    def __repr__(self) -> str:
        pool = self.pool()
        return super().__repr__() if pool is None else f"<room in {pool!r}>"


class Group(MappingMixin):
    """Greenlets that a caller can wait for or kill together. A greenlet that ends leaves the group.

    `Group(greenlets)` begins with those. All members belong to one thread.
    """

    #: The class of the greenlets that `spawn` makes.
    greenlet_class: type[Greenlet] = Greenlet

    def __init__(self, *args: Any) -> None:
        if len(args) == 1 and not isinstance(args[0], Greenlet):
            if not hasattr(args[0], "__iter__"):
                raise TypeError(f"Group() takes greenlets, or an iterable of greenlets, not {args[0]!r}")
            args = tuple(args[0])
        self.greenlets: set[Any] = set()
        self._empty = Event()
        self._empty.set()
        self._leave = _Leave(self)
        # The first failure that no join has raised; only one, so that a group that is never joined does not keep all.
        self._failure: BaseException | None = None
        self._dying: set[Any] = set()  # members that the group has killed
        for each in args:
            self.add(each)

    def add(self, greenlet: Any) -> None:
        """Make `greenlet` a member until it ends or is discarded. Never switches; no effect if it is a member."""
        if greenlet in self.greenlets:
            return
        if not isinstance(greenlet, _raw) and not hasattr(greenlet, "rawlink"):
            raise TypeError(f"only a greenlet can be a member of a group, not {greenlet!r}")
        self.greenlets.add(greenlet)
        self._empty.clear()
        if hasattr(greenlet, "rawlink"):  # a raw greenlet has no links, so it stays until it is discarded
            greenlet.rawlink(self._leave)

    def discard(self, greenlet: Any) -> None:
        """Remove `greenlet` from the members; it goes on. Never switches; no effect if it is not a member."""
        if hasattr(greenlet, "unlink"):
            greenlet.unlink(self._leave)
        self._take_out(greenlet)
        self._note_if_empty()

    def _left(self, greenlet: Any) -> None:
        """Remove a member that has ended, and record its failure."""
        error = getattr(greenlet, "exception", None)
        if error is not None and self._failure is None:
            self._failure = error
        self._take_out(greenlet)

    def _take_out(self, greenlet: Any) -> bool:
        if greenlet not in self.greenlets:
            return False
        self.greenlets.discard(greenlet)
        self._dying.discard(greenlet)
        return True

    def _note_if_empty(self) -> None:
        if not self.greenlets:
            self._empty.set()

    def start(self, greenlet: Any) -> None:
        """Add `greenlet`, which has not started, and start it."""
        self.add(greenlet)
        greenlet.start()

    if TYPE_CHECKING:  # with the default class

        def spawn(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Greenlet[R]:
            """Add and start a greenlet that runs `func(*args, **kwargs)`, and return it."""
            raise NotImplementedError

    else:

        def spawn(self, *args: Any, **kwargs: Any) -> Any:
            """Add and start a greenlet of `greenlet_class` made with these arguments, and return it.

            With the default class: `spawn(function, *args, **kwargs)`.
            """
            new = self.greenlet_class(*args, **kwargs)
            self.start(new)
            return new

    def join(self, timeout: float | None = None, raise_error: bool = False) -> bool:
        """Wait until there are no members, at most `timeout` seconds; return whether there are none.

        Switches unless there are none. With `raise_error`, then raise the exception of the first member that failed,
        also before this call, unless an earlier call has raised it.
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
        """Kill all members, and those that are added meanwhile; with `block`, wait until they have ended.

        A member is killed once: one that an earlier call has killed, and that still cleans up, is only waited for.
        Return after `timeout` seconds even if some have not. A member may kill its own group: it is killed last.
        """
        current = getcurrent()
        from hubcore.timeout import Timeout

        with Timeout(timeout if block else None, False):
            seen: set[Any] = set()
            while victims := [each for each in self.greenlets if each is not current and each not in seen]:
                for each in victims:
                    if each not in self._dying:
                        self._dying.add(each)
                        kill(each, exception)
                seen.update(victims)
                for each in victims if block else ():
                    if isinstance(each, Greenlet):
                        each.join()
        if current in self.greenlets:
            if block:
                raise_here(exception)
            kill(current, exception)

    def killone(
        self, greenlet: Any, exception: Exit = GreenletExit, block: bool = True, timeout: float | None = None
    ) -> None:
        """Kill `greenlet` if it is a member that the group has not killed before; else as `kill`."""
        if greenlet in self.greenlets and greenlet not in self._dying:
            self._dying.add(greenlet)
            greenlet.kill(exception, block, timeout)

    def full(self) -> bool:
        """Return False: a group has room for any number."""
        return False

    def wait_available(self, timeout: float | None = None) -> int | None:
        """Return None at once: there is always room."""
        return None

    def _is_inside(self) -> bool:
        return getcurrent() in self.greenlets

    def __len__(self) -> int:
        return len(self.greenlets)

    def __contains__(self, greenlet: object) -> bool:
        return greenlet in self.greenlets

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self.greenlets))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} of {len(self.greenlets)}>"


class Pool(Group):
    """A Group with room for `size` greenlets, or any number if that is None. Adding one more waits for room."""

    def __init__(self, size: int | None = None, greenlet_class: type[Greenlet] | None = None) -> None:
        try:
            too_small = size is not None and index(size) < 0
        except TypeError:
            raise TypeError(f"size must be an integer, or None for any number, not {size!r}") from None
        if too_small:
            raise ValueError(f"size must be >= 0, or None for any number, not {size!r}")
        if greenlet_class is not None and not hasattr(greenlet_class, "start"):
            raise TypeError(f"greenlet_class must be a class with a start() method, not {greenlet_class!r}")
        super().__init__()
        self.size = size
        if greenlet_class is not None:
            self.greenlet_class = greenlet_class
        # To let a pool grow by n, add n to the counter of this semaphore and to `size`.
        self._semaphore: Any = DummySemaphore()
        if size is not None:
            self._semaphore = _Room(self, size)

    def add(self, greenlet: Any, blocking: bool = True, timeout: float | None = None) -> None:
        """As Group.add, but wait for room, at most `timeout` seconds. Switches if it waits.

        PoolFull if there is no room in time, or at once if `blocking` is false.
        """
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
        """Add `greenlet`, which has not started, with these arguments of `add`, and start it."""
        self.add(greenlet, *args, **kwargs)
        greenlet.start()

    def _take_out(self, greenlet: Any) -> bool:
        removed = super()._take_out(greenlet)
        if removed:
            self._semaphore.release()
        return removed

    def full(self) -> bool:
        """Return whether there is no room."""
        return self.free_count() <= 0

    def free_count(self) -> int:
        """Return the number of greenlets that there is room for; 1 if for any number."""
        return 1 if self.size is None else max(0, self.size - len(self.greenlets))

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until there is room, at most `timeout` seconds; return how much. Switches unless there is room."""
        room: int = self._semaphore.wait(timeout)
        return room

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} of {len(self.greenlets)}, size {self.size}>"


publish_all(globals())
