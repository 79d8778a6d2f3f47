"""ThreadPool: blocking calls in native threads, with a limit. Also `concurrent.futures` on native threads.

All pools of the process share its worker threads: a ThreadPool is only a limit. Every hub and plain threads may use it.
Two calls of one pool may run in two different threads, even if its limit is 1.
"""

from __future__ import annotations

import os

from hubcore._base import worker_threads as _worker_threads
from hubcore._base.argument_checks import check_function
from hubcore._base.hints import A, Any, Callable, Iterable, Mapping, P, R
from hubcore._base.package import publish_all
from hubcore._sync.locks import room_for
from hubcore._tasks.map_methods import MappingMixin
from hubcore._threads.job import Job
from hubcore.hub import Hub as _Hub
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._threads.executor import ThreadPoolExecutor
    from hubcore.hub import Hub

__all__ = ["ThreadPool", "ThreadPoolExecutor", "ThreadResult"]


class ThreadPool(MappingMixin):
    """Runs at most `maxsize` calls at a time in native threads.

    `idle_task_timeout` has no effect; gevent has it. Idle threads belong to no pool, and end after some seconds.
    """

    #: gevent's names; hubcore has no such objects.
    manager = None
    fork_watcher = None

    def __init__(self, maxsize: int, hub: Hub | None = None, idle_task_timeout: float = -1) -> None:
        self._maxsize = _checked(maxsize)
        if hub is not None and not isinstance(hub, _Hub):
            raise TypeError(f"hub must be a Hub (get_hub() in its thread), or None, not {hub!r}")
        self._hub = hub
        self._size = 0
        self._begin()

    def _begin(self) -> None:
        self.pid: int = os.getpid()
        self._generation = _worker_threads.generation()
        self._jobs: set[Job] = set()
        self._semaphore = room_for(self._maxsize)

    def _look_for_fork(self) -> None:
        if self._generation is not _worker_threads.generation():
            self._begin()  # in a forked child: the parent's calls do not run here

    def spawn(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Call `func(*args, **kwargs)` in a thread; return its result, an AsyncResult. Wait while the pool is full.

        Switches if it waits; a thread without a hub blocks. Any thread. The call gets a copy of the caller's context
        variables.
        """
        check_function(func, "func")
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
        """Remove `job`, one of this pool's, which has ended. The worker calls this."""
        # In one atomic step: `join` removes it, too, if the worker has not done so yet.
        try:
            self._jobs.remove(job)
        except KeyError:
            return  # `join` has removed it, or it is a job of the parent process
        self._semaphore.release()

    def apply(
        self, func: Callable[..., R], args: Iterable[Any] | None = None, kwds: Mapping[str, Any] | None = None
    ) -> R:
        """Call `func(*args, **kwds)` in a thread; return its result, or raise its exception. Switches.

        In one of the pool's own calls, call it there at once. If the caller is killed or times out, the result is
        dropped, and so is the call if it has not begun.
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
            del job  # the traceback of its exception refers to this frame

    def map(self, func: Callable[[A], R], iterable: Iterable[A]) -> list[R]:
        """As MappingMixin.map. In one of the pool's own calls, make the calls there, one after the other."""
        if self._is_inside():
            return [func(item) for item in iterable]
        return super().map(func, iterable)

    def _is_inside(self) -> bool:
        return getattr(_worker_threads.running.get(_worker_threads.here()), "pool", None) is self

    def join(self) -> None:
        """Wait until no call is under way. Switches unless there is none."""
        self._look_for_fork()
        while jobs := tuple(self._jobs):
            for job in jobs:
                job.wait()
                self.job_ended(job)

    def kill(self) -> None:
        """The same as `join`: the pool does not own the threads. The pool remains usable."""
        self._size = 0
        self.join()

    @property
    def maxsize(self) -> int:
        """The maximum number of calls at a time. It may be set; with 0 no further call begins."""
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
        """The number of calls under way, or the number set, from 0 to `maxsize`, if that is larger."""
        return max(len(self), self._size)

    @size.setter
    def size(self, value: int) -> None:
        if not isinstance(value, int):
            raise TypeError(f"size must be an integer, not {value!r}")
        if not 0 <= value <= self._maxsize:
            raise ValueError(f"size must be from 0 to maxsize, which is {self._maxsize}, not {value!r}")
        self._size = value

    def adjust(self) -> None:
        """Do nothing: threads come and go with the work."""

    @property
    def hub(self) -> Hub:
        """The hub given to the constructor, else the calling thread's. The pool belongs to no hub."""
        return self._hub if self._hub is not None else get_hub()

    @property
    def task_queue(self) -> _TaskQueue:
        """A view of the calls under way, under the names of gevent's queue of tasks."""
        return _TaskQueue(self)

    def full(self) -> bool:
        """Return whether `spawn` would have to wait."""
        self._look_for_fork()
        return self._semaphore.counter <= 0

    def __len__(self) -> int:
        """Return the number of calls under way."""
        self._look_for_fork()
        return sum([not job.ready() for job in tuple(self._jobs)])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x}, {len(self)} of {self._maxsize} calls under way>"


class _TaskQueue:
    def __init__(self, pool: ThreadPool) -> None:
        self._pool = pool

    @property
    def unfinished_tasks(self) -> int:
        """The number of calls under way."""
        return len(self._pool)

    def qsize(self) -> int:
        """Return 0: a call gets a thread at once."""
        return 0

    __len__ = qsize


class ThreadResult:
    """Carries one value or failure from any thread to `receiver(self)`, called in `hub` after `call_when_ready()`.

    For programs that use this class of gevent's. hubcore needs none: any thread can set any AsyncResult.
    """

    def __init__(
        self, receiver: Callable[[Any], object], hub: Hub, call_when_ready: Callable[[], object] | None = None
    ) -> None:
        self.receiver: Callable[[Any], object] | None = receiver
        self.hub: Hub | None = hub
        self.context: object = None
        self.value: Any = None
        self.exc_info: Any = ()
        self.async_watcher: None = None
        self._call_when_ready = call_when_ready
        hub.loop.begin_job()

    @property
    def exception(self) -> BaseException | None:
        """The exception it failed with, or None."""
        return self.exc_info[1] if self.exc_info else None

    def set(self, value: object) -> None:
        """Set the value and deliver it. Never switches; any thread; once."""
        self.value = value
        self._deliver()

    def handle_error(self, context: object, exc_info: Any) -> None:
        """Set a failure, in the form of sys.exc_info(); else as `set`."""
        self.context = context
        self.exc_info = exc_info
        self._deliver()

    def successful(self) -> bool:
        """Return whether there is no failure."""
        return self.exception is None

    def destroy_in_main_thread(self) -> None:
        """Drop the receiver, so that it is not called. No effect if it was called already."""
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
        raise TypeError(f"maxsize must be an integer, not {maxsize!r}")
    if maxsize < 0:
        raise ValueError(f"maxsize must be >= 0, not {maxsize!r}")
    return maxsize


def pool_class_for(hub: Hub) -> type[ThreadPool]:
    """Return the default of a hub's `threadpool_class`."""
    return ThreadPool


def pool_for(hub: Hub) -> Any:
    """Return the default of a hub's `threadpool`."""
    return hub.threadpool_class(hub.threadpool_size, hub=hub)


if not TYPE_CHECKING:  # or checkers would take every name

    def __getattr__(name: str) -> object:
        # Imported late: the standard library's concurrent.futures takes longer to import than hubcore.
        if name == "ThreadPoolExecutor":
            from hubcore._threads import executor as _executor

            return _executor.ThreadPoolExecutor
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


publish_all(globals())
