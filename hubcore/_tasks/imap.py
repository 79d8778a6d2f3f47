"""imap: an iterator over the results of calls that run concurrently, fed by its own greenlet.

The feeder reads the input, starts a task for each item when there is room, and puts the tasks, in order or as they end,
into a queue. The iterator takes them from there. The feeder has no reference to the iterator.
"""

from __future__ import annotations

import sys

from greenlet import GreenletExit

from hubcore._base.argument_checks import check_function
from hubcore._base.hints import Any, Callable, Generic, Iterable, Self, T_co
from hubcore._queues.simple_queue import SimpleQueue
from hubcore._sync.links import DirectLink
from hubcore._sync.locks import room_for
from hubcore.exceptions import Cancelled
from hubcore.greenlet import Greenlet, spawn


class _Failure:
    """The result of an attempt that failed: the caller of the mapping raises it, so no hub has to report it."""

    __slots__ = ("exception",)

    def __init__(self, exception: BaseException) -> None:
        self.exception = exception


class Attempt:
    """The callable that is spawned for each item in place of the function."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[..., object]) -> None:
        check_function(function, "the function to map")
        self.function = function

    def __call__(self, *args: object) -> object:
        try:
            return self.function(*args)
        except (Cancelled, GreenletExit, KeyboardInterrupt, SystemExit):
            raise  # these do not concern the mapping alone
        except BaseException as error:
            return _Failure(error)

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", None) or repr(self.function)


def outcome(task: Any) -> Any:
    """Return the result of the attempt in `task`, or raise its failure. Switches unless `task` has ended."""
    value = None
    try:
        value = task.get()
        if type(value) is not _Failure:
            return value
        raise value.exception
    finally:
        del value, task  # the traceback of the exception refers to this frame


class _End:
    """The mark after the last task: the number of tasks, and the exception that ended the input, if one did."""

    __slots__ = ("error", "started")

    def __init__(self) -> None:
        self.started = 0
        self.error: BaseException | None = None


class _IntoQueue(DirectLink):
    """A link that puts each task that has ended into `queue`."""

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


class IMapUnordered(Generic["T_co"]):
    """The iterator of `imap_unordered`. If it is dropped, the calls go on, except those that `maxsize` holds back."""

    _ordered = False

    def __init__(
        self, start: Callable[..., Any], function: Callable[..., T_co], items: Iterable[Any], maxsize: int | None = None
    ) -> None:
        if maxsize is not None and not isinstance(maxsize, int):
            raise TypeError(f"maxsize must be an integer, or None for any number, not {maxsize!r}")
        if maxsize is not None and maxsize < 1:
            raise ValueError(f"maxsize must be >= 1, or None for any number, not {maxsize!r}")
        attempt = Attempt(function)
        self._tasks = SimpleQueue()  # tasks that have ended; in the ordered iterator: all tasks, in their order
        self._room = None if maxsize is None else room_for(maxsize)
        self._taken = 0
        self._end: _End | None = None  # once it has come
        self._feeder = spawn(_feed, start, attempt, items, self._tasks, self._room, self._ordered)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
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
                self._tasks.put(self._end)  # for other callers that iterate over the same object
            try:
                result: T_co = outcome(task)
                return result
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
        # At the end of the process modules may have lost their names.
        if getattr(self, "_room", None) is not None and not process_ends():
            self._feeder.kill(block=False)


class IMap(IMapUnordered["T_co"]):
    """The iterator of `imap`."""

    _ordered = True
