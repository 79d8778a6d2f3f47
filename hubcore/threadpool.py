"""ThreadPool: blocking calls in native threads, so many at a time; `concurrent.futures` on native threads, too.

The threads are the whole process's, and shared: a ThreadPool is a limit, and may be used from every hub and from plain
threads. Two calls of one pool may run in two threads, also where its limit is 1.
"""

from __future__ import annotations

import os

from hubcore import _workers
from hubcore._job import Job
from hubcore._locks import room_for
from hubcore._mapping import MappingMixin
from hubcore._originals import get_ident
from hubcore.hub import Hub as _Hub
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from hubcore._executor import ThreadPoolExecutor
    from hubcore.hub import Hub

__all__ = ["ThreadPool", "ThreadPoolExecutor", "ThreadResult"]


class ThreadPool(MappingMixin):
    """Runs at most `maxsize` calls at a time in native threads.

    `idle_task_timeout` is accepted for gevent's sake: idle threads belong to no pool, and end after some seconds.
    """

    #: gevent's names for what there is none of here.
    manager = None
    fork_watcher = None

    def __init__(self, maxsize: int, hub: Hub | None = None, idle_task_timeout: float = -1) -> None:
        self._maxsize = _checked(maxsize)
        if hub is not None and not isinstance(hub, _Hub):
            raise TypeError(f"hub is a Hub (get_hub() of its thread), or None, not {hub!r}")
        self._hub = hub
        self._size = 0
        self._begin()

    def _begin(self) -> None:
        self.pid = os.getpid()
        self._generation = _workers.generation()
        self._jobs: set[Job] = set()
        self._semaphore = room_for(self._maxsize)

    def _look_for_fork(self) -> None:
        if self._generation is not _workers.generation():
            self._begin()  # the parent's calls are not under way here

    def spawn(self, func: Callable[..., object], *args: Any, **kwargs: Any) -> Job:
        """Call `func(*args, **kwargs)` in a thread; its result, an AsyncResult. Waits while the pool is full.

        Any thread; a thread without a hub blocks. The call sees a copy of the caller's context variables.
        """
        if not callable(func):
            raise TypeError(f"a thread runs something callable, not {func!r}")
        self._look_for_fork()
        self._semaphore.acquire()
        try:
            job = Job(self, func, args, kwargs)
        except BaseException:
            self._semaphore.release()
            raise
        self._jobs.add(job)
        try:
            job.submit()
        except BaseException:
            self.job_ended(job)
            raise
        return job

    def job_ended(self, job: Job) -> None:
        """For the worker: `job`, one of this pool's, has ended."""
        # In one step: `join` says so, too, of a job whose worker is about to.
        try:
            self._jobs.remove(job)
        except KeyError:
            return  # it was said before, or is one of the parent process's
        self._semaphore.release()

    def apply(
        self, func: Callable[..., Any], args: Iterable[Any] | None = None, kwds: Mapping[str, Any] | None = None
    ) -> Any:
        """`func(*args, **kwds)` in a thread; its result, or what it raises. Waits.

        From within one of the pool's own calls: called there, at once. If the caller is killed or times out, the
        result is dropped, and so is the call if it has not begun.
        """
        if self._is_inside():
            return func(*(args or ()), **(kwds or {}))
        job = self.spawn(func, *(args or ()), **(kwds or {}))
        try:
            return job.get()
        except BaseException:
            job.drop()
            raise
        finally:
            del job  # the traceback of what it failed with refers to this frame

    def map(self, func: Callable[[Any], Any], iterable: Iterable[Any]) -> list[Any]:
        """As MappingMixin.map. From within one of the pool's own calls: called there, one after the other."""
        if self._is_inside():
            return [func(item) for item in iterable]
        return super().map(func, iterable)

    def _is_inside(self) -> bool:
        return getattr(_workers.running.get(get_ident()), "pool", None) is self

    def join(self) -> None:
        """Wait until no call is under way. Switches unless it is so."""
        self._look_for_fork()
        while jobs := tuple(self._jobs):
            for job in jobs:
                job.wait()
                self.job_ended(job)

    def kill(self) -> None:
        """The same as `join`: the threads are not the pool's to end. The pool can be used on."""
        self._size = 0
        self.join()

    @property
    def maxsize(self) -> int:
        """How many calls may run at a time; may be set. With 0 none begins any more."""
        return self._maxsize

    @maxsize.setter
    def maxsize(self, value: int) -> None:
        self._look_for_fork()
        more = _checked(value) - self._maxsize
        self._maxsize = value
        self._size = min(self._size, value)
        self._semaphore.grow(more)

    @property
    def size(self) -> int:
        """How many threads it has: as many as calls are under way, or what was set, 0 to `maxsize`."""
        return max(len(self), self._size)

    @size.setter
    def size(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError(f"the size of a pool is a whole number, not {value!r}")
        if not 0 <= value <= self._maxsize:
            raise ValueError(f"the size of this pool is 0 to {self._maxsize}, its maxsize, not {value!r}")
        self._size = value

    def adjust(self) -> None:
        """Nothing to do: threads come and go with the work."""

    @property
    def hub(self) -> Hub:
        """The hub that it was made with, else the calling thread's: it belongs to none."""
        return self._hub if self._hub is not None else get_hub()

    @property
    def task_queue(self) -> _TaskQueue:
        """A view of what is under way, under the names that gevent's queue of tasks has."""
        return _TaskQueue(self)

    def full(self) -> bool:
        """Whether `spawn` would have to wait."""
        self._look_for_fork()
        return self._semaphore.counter <= 0

    def __len__(self) -> int:
        """How many calls are under way."""
        self._look_for_fork()
        return sum([not job.ready() for job in tuple(self._jobs)])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x}, {len(self)} of {self._maxsize} calls under way>"


class _TaskQueue:
    def __init__(self, pool: ThreadPool) -> None:
        self._pool = pool

    @property
    def unfinished_tasks(self) -> int:
        """How many calls are under way."""
        return len(self._pool)

    def qsize(self) -> int:
        """0: a call has a thread from the beginning."""
        return 0

    __len__ = qsize


class ThreadResult:
    """Carries one value or failure from any thread to `receiver(self)`, called in `hub`, as `call_when_ready` says.

    gevent's own go-between; here for programs that use it: any AsyncResult can be set in any thread.
    """

    def __init__(
        self, receiver: Callable[[Any], object], hub: Hub, call_when_ready: Callable[[], object] | None = None
    ) -> None:
        self.receiver: Callable[[Any], object] | None = receiver
        self.hub: Hub | None = hub
        self.context: object = None
        self.value: Any = None
        self.exc_info: Any = ()
        self.async_watcher = None
        self._call_when_ready = call_when_ready
        hub.loop.begin_job()

    @property
    def exception(self) -> BaseException | None:
        """What it failed with, or None."""
        return self.exc_info[1] if self.exc_info else None

    def set(self, value: object) -> None:
        """Give the value. Any thread; once."""
        self.value = value
        self._deliver()

    def handle_error(self, context: object, exc_info: Any) -> None:
        """Give a failure instead."""
        self.context = context
        self.exc_info = exc_info
        self._deliver()

    def successful(self) -> bool:
        """Whether there is no failure."""
        return self.exception is None

    def destroy_in_main_thread(self) -> None:
        """Forget the receiver: it is not called any more. Harmless if it was."""
        hub, self.hub = self.hub, None
        self.receiver = None
        if hub is not None:
            hub.loop.end_job()

    def _deliver(self) -> None:
        if self.hub is not None:
            self.hub.loop.run_callback_threadsafe(self._on_ready)

    def _on_ready(self) -> None:
        receiver = self.receiver
        self.destroy_in_main_thread()
        if self._call_when_ready is not None:
            self._call_when_ready()
        if receiver is not None:
            receiver(self)


def _checked(maxsize: int) -> int:
    if isinstance(maxsize, bool) or not isinstance(maxsize, int):
        raise TypeError(f"maxsize is a whole number, not {maxsize!r}")
    if maxsize < 0:
        raise ValueError(f"maxsize is {maxsize!r}; it takes 0 or more")
    return maxsize


def pool_class_for(hub: Hub) -> type[ThreadPool]:
    """What a hub's `threadpool_class` is, unless it is set."""
    return ThreadPool


def pool_for(hub: Hub) -> Any:
    """What a hub's `threadpool` is, unless it is set."""
    return hub.threadpool_class(hub.threadpool_size, hub=hub)


def __getattr__(name: str) -> object:
    # The standard library's concurrent.futures takes longer to import than hubcore.
    if name == "ThreadPoolExecutor":
        from hubcore import _executor

        return _executor.ThreadPoolExecutor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
