"""imap: an iterator of the results of calls that go on meanwhile, fed by a greenlet of its own.

The feeder reads the input, starts a task for each item as there is room, and puts the tasks, in order or as they end,
into a queue that the iterator takes them from. It does not refer to the iterator.
"""

from __future__ import annotations

import sys

from greenlet import GreenletExit

from hubcore._links import DirectLink
from hubcore._locks import room_for
from hubcore._simple_queue import SimpleQueue
from hubcore.exceptions import Cancelled
from hubcore.greenlet import Greenlet, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Self


class _Failure:
    """What an attempt that failed returns: whoever maps raises it, so that nobody else needs to report it."""

    __slots__ = ("exception",)

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception


class Attempt:
    """What is spawned for each item in place of the function."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., object]) -> None:
        if not callable(function):
            raise TypeError(f"only something callable can be mapped, not {function!r}")
        self.function = function

    def __call__(self, *args: object) -> object:
        try:
            return self.function(*args)
        except (Cancelled, GreenletExit, KeyboardInterrupt, SystemExit):
            raise  # not the business of the mapping alone
        except BaseException as error:
            return _Failure(error)

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", None) or repr(self.function)


def outcome(task: Any) -> Any:
    """What the attempt that `task` made came to: its result, or it is raised. Switches unless `task` has ended."""
    value = None
    try:
        value = task.get()
        if type(value) is not _Failure:
            return value
        raise value.exception
    finally:
        del value, task  # the traceback of what was raised refers to this frame


class _End:
    """Comes after the last task: how many there were, and what ended the input if it was not its end."""

    __slots__ = ("error", "started")

    def __init__(self) -> None:
        self.started = 0
        self.error: BaseException | None = None


class _IntoQueue(DirectLink):
    """Puts each task that has ended into `queue`."""

    __slots__ = ("queue",)

    def __init__(self, queue: SimpleQueue) -> None:
        self.queue = queue

    def notify(self, source: Any) -> None:
        self.queue.put(source)

    __call__ = notify


def _feed(
    start: Callable[..., Any], attempt: Attempt, items: Iterable[Any], tasks: SimpleQueue, room: Any, ordered: bool
) -> None:
    end = _End()
    link = _IntoQueue(tasks)
    source = iter(items)
    try:
        while True:
            if room is not None:
                room.acquire()
            try:
                item = next(source)
            except StopIteration:
                break
            task = start(attempt, *item)
            end.started += 1
            if ordered:
                tasks.put(task)
            else:
                task.rawlink(link)
    except BaseException as error:
        end.error = error
        if not isinstance(error, Exception):
            raise
    finally:
        tasks.put(end)


class IMapUnordered:
    """The iterator of `imap_unordered`. If it is dropped, calls go on, except where `maxsize` holds them back."""

    _ordered = False

    def __init__(
        self, start: Callable[..., Any], function: Callable[..., Any], items: Iterable[Any], maxsize: int | None = None
    ) -> None:
        if maxsize is not None and not isinstance(maxsize, int):
            raise TypeError(f"maxsize is a whole number of results, or None for any number, not {maxsize!r}")
        if maxsize is not None and maxsize < 1:
            raise ValueError(f"maxsize is {maxsize!r}; it takes 1 or more, or None for any number of results")
        attempt = Attempt(function)
        self._tasks = SimpleQueue()  # those that ended; the ordered kind's: all, in their order
        self._room = None if maxsize is None else room_for(maxsize)
        self._taken = 0
        self._end: _End | None = None  # once it came
        self._feeder = spawn(_feed, start, attempt, items, self._tasks, self._room, self._ordered)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while self._end is None or self._taken < self._end.started:
            task = self._tasks.get()
            if isinstance(task, _End):
                self._end = task
                continue
            if not task.ready():
                self._wait_for(task)
            self._taken += 1
            if self._room is not None:
                self._room.release()
            if self._end is not None and self._taken == self._end.started:
                self._tasks.put(self._end)  # for others who iterate over the same
            try:
                return outcome(task)
            finally:
                del task
        if self._tasks.empty():
            self._tasks.put(self._end)
        error, self._end.error = self._end.error, None
        if error is None:
            raise StopIteration
        try:
            raise error
        finally:
            del error

    next = __next__

    def _wait_for(self, task: Any) -> None:
        try:
            if isinstance(task, Greenlet):
                task.join()
            else:
                task.wait()
        except BaseException:
            self._tasks.queue.appendleft(task)  # the next call waits for it again
            raise

    def __del__(self, process_ends: Callable[[], bool] = sys.is_finalizing) -> None:
        if getattr(self, "_room", None) is not None and not process_ends():  # then modules may have lost their names
            self._feeder.kill(block=False)


class IMap(IMapUnordered):
    """The iterator of `imap`."""

    _ordered = True
