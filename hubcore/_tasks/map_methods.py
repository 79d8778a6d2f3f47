"""map, imap, apply and their relatives, for classes with `spawn(function, *args)`: groups, pools, thread pools."""

from __future__ import annotations

from _collections import deque

from hubcore._base.argument_checks import check_callback, check_function, refuse_copy
from hubcore._base.hints import A, Any, Callable, Iterable, Iterator, Mapping, NoReturn, R
from hubcore._sync.links import SpawnedLink
from hubcore._tasks.imap import Attempt, IMap, IMapUnordered, outcome
from hubcore.event import AsyncResult
from hubcore.greenlet import Greenlet, spawn
from hubcore.hub import get_hub_if_any


class pass_value:
    """A link that calls `callback(source.value)` if `source` was successful. It equals its callback."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[Any], object]) -> None:
        self.callback: Callable[[Any], object] = callback

    def __call__(self, source: Any) -> None:
        if source.successful():
            self.callback(source.value)

    def __hash__(self) -> int:
        return hash(self.callback)

    def __eq__(self, other: object) -> bool:
        return bool(self.callback == getattr(other, "callback", other))

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "callback"), name)

    def __repr__(self) -> str:
        return f"<pass_value to {self.callback!r}>"


class _Input:
    """The items to map. An exception of the iterable ends them; it is raised when the calls before it have ended."""

    __slots__ = ("error", "left")

    def __init__(self, iterable: Iterable[Any]) -> None:
        self.left = iter(iterable)
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self.left
        except Exception as error:
            self.error = error


class MappingMixin:
    """Calls in the tasks of a pool. `spawn` returns a task with `ready()` and `get()`: a greenlet, or a result."""

    __slots__ = ()

    def spawn(self, func: Callable[..., object], *args: Any, **kwargs: Any) -> Any:
        """Start `func(*args, **kwargs)` and return its task; may wait until there is room."""
        raise NotImplementedError(f"{type(self).__name__} must define spawn()")

    def full(self) -> bool:
        """Return whether `spawn` would have to wait."""
        return False

    def _is_inside(self) -> bool:
        """Return whether the caller is itself one of the tasks, which must not wait for room."""
        return False

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """TypeError: a copy would share the tasks and the room."""
        refuse_copy(self)

    def apply(
        self, func: Callable[..., R], args: Iterable[Any] | None = None, kwds: Mapping[str, Any] | None = None
    ) -> R:
        """Call `func(*args, **kwds)` in a task; return its result, or raise its exception. Switches.

        In one of the tasks themselves, call it there at once.
        """
        if self._is_inside():
            check_function(func, "func")
            return func(*(args or ()), **(kwds or {}))
        result: R = self.spawn(func, *(args or ()), **(kwds or {})).get()
        return result

    def apply_cb(
        self,
        func: Callable[..., R],
        args: Iterable[Any] | None = None,
        kwds: Mapping[str, Any] | None = None,
        callback: Callable[[R], object] | None = None,
    ) -> R:
        """As `apply`; also start `callback(result)` in a greenlet of its own."""
        check_callback(callback)
        result = self.apply(func, args, kwds)
        if callback is not None:
            spawn(callback, result)
        return result

    def apply_async(
        self,
        func: Callable[..., R],
        args: Iterable[Any] | None = None,
        kwds: Mapping[str, Any] | None = None,
        callback: Callable[[R], object] | None = None,
    ) -> AsyncResult[R] | Greenlet[R]:
        """As `spawn`, but never wait for room: a new greenlet does. `callback(result)` is called after success.

        Return the object that will have the result: that greenlet, or the task of `spawn`.
        """
        check_callback(callback)
        if self.full():
            return spawn(self.apply_cb, func, args, kwds, callback)
        task: AsyncResult[R] | Greenlet[R] = self.spawn(func, *(args or ()), **(kwds or {}))
        if callback is not None:
            self._call_back(task, pass_value(callback))
        return task

    def _call_back(self, task: Any, callback: pass_value) -> None:
        """Call `callback(task)` in a greenlet of its own once `task` has ended, before later waiters for it go on."""
        task.rawlink(SpawnedLink(callback))

    def map(self, func: Callable[[A], R], iterable: Iterable[A]) -> list[R]:
        """Return `[func(item) for item in iterable]`, with each call in a task. Switches.

        The calling greenlet reads items when there is room for them. If calls fail, raise the exception of the first
        one in the order of the items, when the calls before it have ended; the other calls are still made. If the
        caller is killed or times out, no further call starts; those under way go on.
        """
        attempt = Attempt(func)
        items = _Input(iterable)
        under_way: deque[Any] = deque()
        results: list[R] = []
        try:
            for item in items:
                under_way.append(self.spawn(attempt, item))
                while under_way and under_way[0].ready():
                    results.append(outcome(under_way.popleft()))
        except Exception:
            self._start_the_rest(attempt, items)
            raise
        while under_way:
            results.append(outcome(under_way.popleft()))
        if items.error is not None:
            raise items.error
        return results

    def _start_the_rest(self, attempt: Attempt, items: _Input) -> None:
        """Make the calls for the items that are left, and ignore their results."""
        if get_hub_if_any() is None:
            self._start_all(attempt, items)
        else:
            spawn(self._start_all, attempt, items)

    def _start_all(self, attempt: Attempt, items: _Input) -> None:
        for item in items.left:
            self.spawn(attempt, item)

    def map_cb(
        self, func: Callable[[A], R], iterable: Iterable[A], callback: Callable[[list[R]], object] | None = None
    ) -> list[R]:
        """As `map`; also call `callback(results)`."""
        check_callback(callback)
        results = self.map(func, iterable)
        if callback is not None:
            callback(results)
        return results

    def map_async(
        self, func: Callable[[A], R], iterable: Iterable[A], callback: Callable[[list[R]], object] | None = None
    ) -> Greenlet[list[R]]:
        """Return a new greenlet that runs `map_cb`. Never switches."""
        check_callback(callback)
        return spawn(self.map_cb, func, iterable, callback)

    def imap(self, func: Callable[..., R], *iterables: Iterable[Any], maxsize: int | None = None) -> IMap[R]:
        """Return an iterator over `func(*items)` for the zipped items of `iterables`, in their order.

        Calls start at once, as far as there is room. At most `maxsize` calls are under way or have a result that was
        not taken yet. Each step may switch, and raises the exception of its call; the next step goes on after it.
        """
        return IMap(self.spawn, func, zip(*iterables, strict=False), maxsize)

    def imap_unordered(
        self, func: Callable[..., R], *iterables: Iterable[Any], maxsize: int | None = None
    ) -> IMapUnordered[R]:
        """As `imap`, but the results come in the order in which the calls end."""
        return IMapUnordered(self.spawn, func, zip(*iterables, strict=False), maxsize)
