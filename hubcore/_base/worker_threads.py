"""Native worker threads for calls that block, shared by the whole process: the system's name look-up, thread pools.

They are plain threads of the interpreter and have no hub. A call starts a new thread if none is idle; a thread ends
after 10 seconds without work. Worker threads do not keep the process alive. The thread that became idle last gets the
next call.
"""

from __future__ import annotations

import os
import sys
from _collections import deque

from greenlet import getcurrent

from hubcore._base.hints import Callable
from hubcore._base.originals import RLock, allocate_lock, get_ident, start_new_thread
from hubcore._base.task_tracing import forget, traced

TYPE_CHECKING = False
if TYPE_CHECKING:
    Call = Callable[[], object]
    Done = Callable[[object, BaseException | None], object]
else:  # text, which `typing.get_type_hints` evaluates
    Call = "Callable[[], object]"
    Done = "Callable[[object, BaseException | None], object]"

_IDLE_SECONDS = 10.0


class _Worker:
    """A thread that waits for its next call. The submitter takes it from `_idle`, sets `call` and releases `bell`."""

    __slots__ = ("bell", "call", "ident")

    def __init__(self) -> None:
        self.ident = get_ident()
        self.bell = allocate_lock()
        self.bell.acquire()
        self.call: Call | None = None


# Lists, because each operation on them is atomic: a finalizer may submit work at any moment.
_idle: list[_Worker] = []
_starting: list[object] = []  # one item for each thread that was started and does not run yet
_quiet: set[int] = set()  # idents of other threads of hubcore, which wake no greenlet
_all: list[Workers] = []
#: If set, it is called with each call instead of a thread that makes it: simulations have no native threads.
instead_of_threads: Callable[[Call], object] | None = None
#: The present call of each worker thread, by thread ident, if the call has registered itself.
running: dict[int, object] = {}


def idle_thread_idents() -> set[int]:
    """Return the idents of idle worker threads, and of other threads that serve hubcore and wake no greenlet."""
    return {worker.ident for worker in tuple(_idle)} | _quiet


def here() -> int:
    """Return the caller's key in `running`: the ident of its thread or, in a simulation, of its greenlet."""
    return get_ident() if instead_of_threads is None else id(getcurrent())


def generation() -> object:
    """Return an object that identifies this process's threads: a forked child has another one."""
    return _idle


def any_starting() -> bool:
    """Return whether a thread was started for a call and does not run yet."""
    return bool(_starting)


def start_thread(function: Callable[..., object], args: tuple[object, ...]) -> int:
    """Start a native thread that calls `function(*args)`; return its ident. RuntimeError if none can be started."""
    # Fact: until CPython 3.12, `threading` takes the thread that first imports it for the main thread, for which the
    # process waits at its end. Consequence: the import is here, because a worker thread would import it with logging.
    import threading as threading

    if instead_of_threads is not None:
        instead_of_threads(lambda: function(*args))
        return get_ident()

    return start_new_thread(function, args)


def start_other_thread(function: Callable[..., object], args: tuple[object, ...]) -> int:
    """As `start_thread`, for a thread that may wake greenlets: it counts as such even before it runs."""
    _starting.append(None)
    try:
        return start_thread(_begin, (function, args))
    except BaseException:
        _starting.pop()
        raise


def _begin(function: Callable[..., object], args: tuple[object, ...]) -> None:
    if _starting:
        _starting.pop()
    function(*args)


def start(call: Call) -> None:
    """Have a worker thread call `call()`, which must not raise. Never waits; any thread.

    RuntimeError if no thread is idle and none can be started.
    """
    if instead_of_threads is not None:
        instead_of_threads(call)
        return
    try:
        worker = _idle.pop()
    except IndexError:
        _starting.append(None)
        try:
            start_thread(_work, (call, _idle))
        except BaseException:
            _starting.pop()
            raise
        return
    worker.call = call
    worker.bell.release()


def _work(call: Call | None, idle: list[_Worker]) -> None:
    worker = _Worker()
    if _starting:
        _starting.pop()
    while call is not None:
        try:
            call()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        if not forget():
            return
        call = None  # an idle thread must not keep the call's objects alive
        if idle is not _idle:
            return  # this thread has forked; the child has none of the parent's workers
        idle.append(worker)
        if not worker.bell.acquire(True, _IDLE_SECONDS):
            try:
                idle.remove(worker)
                return
            except ValueError:
                worker.bell.acquire()  # a submitter has just taken this worker, and is about to release the bell
        call = worker.call
        worker.call = None


def will_wake_nobody(ident: int, so: bool = True) -> None:
    """Register the thread `ident`, which serves hubcore, as one that wakes no greenlet; `so` False undoes that."""
    if so:
        _quiet.add(ident)
    else:
        _quiet.discard(ident)


class Workers:
    """At most `limit` threads at a time that run jobs, first come, first served. Any thread may submit."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"the number of worker threads must be 1 or more, not {limit!r}")
        self.limit = limit
        self._forget()
        _all.append(self)

    def _forget(self) -> None:
        self._jobs: deque[tuple[Call, Done]] = deque()
        self._lock = RLock()  # a finalizer may submit
        self._threads = 0

    def submit(self, call: Call, done: Done) -> None:
        """Run `call()` in a worker, then `done(result, None)` or `done(None, exception)` in the same one. Never waits.

        RuntimeError if there is no worker and none can be started.
        """
        job = (call, done)
        with self._lock:
            self._jobs.append(job)
            if self._threads >= self.limit:
                return
            self._threads += 1
        try:
            start(self._work)
        except RuntimeError as error:
            with self._lock:
                self._threads -= 1
                if self._threads or job not in self._jobs:
                    return  # another worker will run the job, or has taken it
                self._jobs.remove(job)
                others = tuple(self._jobs)  # jobs of other threads, which relied on this worker
                self._jobs.clear()
            for _, others_done in others:
                others_done(None, error)
            raise

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._threads -= 1
                    return
                call, done = self._jobs.popleft()
            result: object = None
            error: BaseException | None = None
            try:
                result = traced(call)
            except BaseException as raised:
                error = raised
            try:
                done(result, error)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            del call, done, result, error


def _after_fork_in_child() -> None:
    # A forked child has none of the parent's threads, so the parent's lists, locks and counts do not hold.
    global _idle
    _idle = []
    _starting.clear()
    running.clear()
    _quiet.clear()
    for workers in _all:
        workers._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
