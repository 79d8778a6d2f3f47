"""Native threads for calls that block, shared by the whole process: the system's name look-up, thread pools.

They are plain threads of the interpreter: they have no hub, are made when there is work and none is idle, end after a
while without, and do not keep the process from ending. The one that became idle last is the first to get work.
"""

from __future__ import annotations

import os
import sys
from _collections import deque

from hubcore._originals import RLock, allocate_lock, get_ident, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Call = Callable[[], object]
    Done = Callable[[object, BaseException | None], object]

_IDLE_SECONDS = 10.0


class _Worker:
    """A thread that waits for its next call. Whoever takes it from `_idle` sets `call` and rings."""

    __slots__ = ("bell", "call", "ident")

    def __init__(self) -> None:
        self.ident = get_ident()
        self.bell = allocate_lock()
        self.bell.acquire()
        self.call: Call | None = None


# Lists, because each of their steps is atomic: work may be submitted by a finalizer, at any moment.
_idle: list[_Worker] = []
_starting: list[object] = []  # one for each thread that was started and does not run yet
_quiet: set[int] = set()  # threads of other kinds that will wake nobody
_all: list[Workers] = []
#: What each worker thread is at, by thread ident, where the call noted itself.
running: dict[int, object] = {}


def idle_thread_idents() -> set[int]:
    """The idents of worker threads that have nothing to do, and of others that serve hubcore and will wake nobody."""
    return {worker.ident for worker in tuple(_idle)} | _quiet


def generation() -> object:
    """An object that is another one in a forked child."""
    return _idle


def any_starting() -> bool:
    """Whether a thread was started for a call and does not run yet."""
    return bool(_starting)


def start_thread(function: Callable[..., object], args: tuple[object, ...]) -> int:
    """Start a native thread that calls `function(*args)`; its ident. RuntimeError if that cannot be."""
    # Until CPython 3.12 the thread that imports it first is its main thread, which the process waits for when it ends.
    # That must be none of these, which would import it with logging.
    import threading as threading

    return start_new_thread(function, args)


def start_other_thread(function: Callable[..., object], args: tuple[object, ...]) -> int:
    """As `start_thread`, for a thread that may wake others, and counts as such before the system has it run."""
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

    RuntimeError if there is no idle thread and none can be started.
    """
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
    _be_traced()
    while call is not None:
        try:
            call()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        call = None  # so that nothing of it lives on while the thread waits
        if idle is not _idle:
            return  # this thread forked, and in the child nothing is left of those it belonged to
        idle.append(worker)
        if not worker.bell.acquire(True, _IDLE_SECONDS):
            try:
                idle.remove(worker)
                return
            except ValueError:
                worker.bell.acquire()  # somebody has just taken it, and is about to ring
        call = worker.call
        worker.call = None


def _be_traced() -> None:
    # As threading's threads: by what threading.settrace and setprofile were given, a debugger or coverage's tracer.
    threading = sys.modules["threading"]  # see start_thread
    trace, profile = threading.gettrace(), threading.getprofile()
    if trace is not None:
        sys.settrace(trace)
    if profile is not None:
        sys.setprofile(profile)


def will_wake_nobody(ident: int, so: bool = True) -> None:
    """Say that the thread `ident`, which serves hubcore, will wake nobody; `so` False takes that back."""
    if so:
        _quiet.add(ident)
    else:
        _quiet.discard(ident)


class Workers:
    """At most `limit` threads at a time that run jobs, first come, first served. Any thread may submit."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"there cannot be {limit!r} worker threads; it takes 1 or more")
        self.limit = limit
        self._forget()
        _all.append(self)

    def _forget(self) -> None:
        self._jobs: deque[tuple[Call, Done]] = deque()
        self._lock = RLock()  # a finalizer may submit
        self._threads = 0

    def submit(self, call: Call, done: Done) -> None:
        """Run `call()` in a worker, then `done(result, None)` or `done(None, exception)` in the same. Never waits.

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
                    return  # another worker is there for it, or was
                self._jobs.remove(job)
                others = tuple(self._jobs)  # of threads that relied on this one's worker
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
                result = call()
            except BaseException as raised:
                error = raised
            try:
                done(result, error)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            del call, done, result, error


def _after_fork_in_child() -> None:
    # The threads are not in the child, whatever the lists, locks and counts of the parent say.
    global _idle
    _idle = []
    _starting.clear()
    running.clear()
    _quiet.clear()
    for workers in _all:
        workers._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
