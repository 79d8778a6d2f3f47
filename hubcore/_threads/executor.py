"""ThreadPoolExecutor: concurrent.futures on native threads; greenlets wait for its futures cooperatively."""

from __future__ import annotations

import itertools
import sys
from concurrent import futures
from contextvars import copy_context
from queue import Empty

from hubcore._base import worker_threads as _worker_threads
from hubcore._base.hints import Any, Callable, Iterable, P, R
from hubcore._base.originals import RLock, original, saved
from hubcore._base.task_tracing import traced
from hubcore.event import Event
from hubcore.hub import get_hub_if_any
from hubcore.queue import SimpleQueue as CooperativeQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    Initializer = Callable[..., object]
    _StandardFuture = futures.Future[Any]
else:
    _StandardFuture = futures.Future

# The threads are native, also under patching, and so is the queue that they wait on.
_new_queue: Any = original("queue", "SimpleQueue")
_numbers = itertools.count()


class Future(futures.Future["R"]):
    """A standard Future. A greenlet that waits for it parks, and hubcore.wait() accepts it."""

    def __init__(self) -> None:
        super().__init__()
        self._ended = Event()
        # Until the call ends, it keeps the submitter's hub alive and stops its virtual time.
        hub = get_hub_if_any()
        self._loops = [] if hub is None else [hub.loop]
        for loop in self._loops:
            loop.begin_job()

    def _announce(self) -> None:
        self._ended.set()
        try:
            loop = self._loops.pop()
        except IndexError:
            return
        loop.end_job()

    def set_result(self, result: R) -> None:
        try:
            super().set_result(result)
        finally:
            self._announce()

    def set_exception(self, exception: BaseException | None) -> None:
        try:
            super().set_exception(exception)
        finally:
            self._announce()

    def cancel(self) -> bool:
        """As the standard one: return True if the call had not begun and never will."""
        cancelled = super().cancel()
        if cancelled:
            self._announce()
        return cancelled

    def result(self, timeout: float | None = None) -> R:
        """Wait for the result and return it, or raise the exception. TimeoutError after `timeout` seconds.

        Switches in a greenlet unless it is ready; a thread without a hub blocks.
        """
        self._wait(timeout)
        try:
            return super().result(0)
        finally:
            del self  # the exception's traceback refers to this frame

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end; return the exception or None. Else as `result`."""
        self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        if not self.done() and not self._ended.wait(None if timeout is None else max(0.0, timeout)):
            raise futures.TimeoutError

    # For hubcore.wait() and iwait().

    def ready(self) -> bool:
        """The same as `done`."""
        return self.done()

    @property
    def cross_thread(self) -> bool:
        """Whether another thread may wake its waiters: always."""
        return True

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """As Event.rawlink; `callback` gets this future."""
        self._ended.rawlink(_Link(callback, self))

    def unlink(self, callback: object) -> None:
        """Undo a `rawlink`."""
        self._ended.unlink(_Link(callback, self))


class _Link:
    def __init__(self, callback: Any, future: Future[Any]) -> None:
        self.callback = callback
        self.future = future

    def __call__(self, source: object) -> None:
        self.callback(self.future)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Link) and bool(self.callback == other.callback)

    __hash__ = None  # type: ignore[assignment]


class _Call:
    __slots__ = ("args", "context", "function", "future", "kwargs")

    def __init__(self, future: Future[Any], function: Any, args: Any, kwargs: Any) -> None:
        self.future = future
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.context = copy_context()

    def run(self) -> None:
        """Make the call. Runs in a worker."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            if _worker_threads.instead_of_threads is None:
                result = traced(self.context.run, self.function, *self.args, **self.kwargs)
            else:
                result = self.context.run(self.function, *self.args, **self.kwargs)
        except BaseException as error:
            self.future.set_exception(error)
            del self  # the traceback refers to this frame
        else:
            self.future.set_result(result)


class ThreadPoolExecutor(futures.ThreadPoolExecutor):
    """The standard library's ThreadPoolExecutor, on native threads that do not keep the process from ending.

    Each call gets a copy of the submitter's context variables. Any thread may submit and wait.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: Initializer | None = None,
        initargs: Iterable[Any] = (),
    ) -> None:
        if max_workers is not None and not isinstance(max_workers, int):
            raise TypeError(f"max_workers must be an integer, or None, not {max_workers!r}")
        super().__init__(max_workers, thread_name_prefix, initializer, tuple(initargs))
        self._limit: int = self._max_workers
        self._prefix = thread_name_prefix or f"hubcore-executor-{next(_numbers)}"
        self._shared = _Shared(initializer, tuple(initargs))
        self._generation = _worker_threads.generation()

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Call `fn(*args, **kwargs)` in a thread; return its Future. Never waits. RuntimeError after `shutdown`."""
        shared = self._shared_here()
        with shared.lock:
            if shared.broken:
                from concurrent.futures.thread import BrokenThreadPool

                raise BrokenThreadPool("A thread initializer failed, the thread pool is not usable anymore")
            if shared.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            future: Future[R] = Future()
            shared.calls.put(_Call(future, fn, args, kwargs))
            shared.waiting += 1
            if shared.waiting > shared.idle and len(shared.ends) < self._limit:
                end = Event()
                name = f"{self._prefix}_{len(shared.ends)}"
                shared.ends.append(end)
                try:
                    _start(name, shared, end)
                except RuntimeError:
                    shared.ends.remove(end)
                    if not shared.ends:
                        shared.waiting -= 1
                        shared.calls.get()
                        future.cancel()
                        raise
        return future

    def _shared_here(self) -> _Shared:
        if (
            self._generation is not _worker_threads.generation()
        ):  # forked: the threads and their calls are not in the child
            self._generation = _worker_threads.generation()
            self._shared = self._shared.anew()
        return self._shared

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls. With `cancel_futures`, cancel the calls that have not begun.

        With `wait`, wait for the rest; this switches.
        """
        shared = self._shared_here()
        with shared.lock:  # so that the end mark comes behind every accepted call
            shared.closed = True
        shared.close(cancel_futures)
        if not wait:
            return
        hub = get_hub_if_any()
        if hub is not None:
            hub.loop.begin_external(False)  # the threads end in real time
        try:
            for end in list(shared.ends):
                end.wait()
        finally:
            if hub is not None:
                hub.loop.end_external(False)

    def kill(self, wait: bool = True, **kwargs: Any) -> None:
        """gevent's name for `shutdown`."""
        self.shutdown(wait, **kwargs)

    def __del__(self, process_ends: Callable[[], bool] = sys.is_finalizing) -> None:
        shared = getattr(self, "_shared", None)
        if shared is not None and not process_ends():  # then modules may have lost their names
            shared.close(False)


class _Shared:
    """The state shared by an executor and its threads; so the threads do not keep the executor alive."""

    def __init__(self, initializer: Initializer | None, initargs: tuple[Any, ...]) -> None:
        self.initializer = initializer
        self.initargs = initargs
        self.lock = RLock()  # a finalizer may submit
        simulated = _worker_threads.instead_of_threads is not None  # then the workers are greenlets
        self.calls: Any = CooperativeQueue() if simulated else _new_queue()
        self.ends: list[Event] = []  # one for each thread, set when it ends
        self.idle = 0
        self.waiting = 0  # calls that no thread has taken yet
        self.closed = False
        self.broken = False

    def anew(self) -> _Shared:
        """Return a copy for a forked child, where there are no threads yet."""
        new = _Shared(self.initializer, self.initargs)
        new.closed = self.closed
        new.broken = self.broken
        return new

    def close(self, cancel: bool) -> None:
        """Let the threads end once no calls are left."""
        self.closed = True
        if cancel:
            self.cancel_all(None)
        else:
            self.calls.put(None)

    def cancel_all(self, error: BaseException | None) -> None:
        """Cancel all calls that no thread has taken, or fail them with `error`."""
        while True:
            try:
                call = self.calls.get_nowait()
            except Empty:
                break  # the threads may take calls meanwhile
            if call is None:
                continue
            if error is None:
                call.future.cancel()
            elif call.future.set_running_or_notify_cancel():
                call.future.set_exception(error)
        if self.closed:
            self.calls.put(None)  # this loop may have taken the end mark


def _start(name: str, shared: _Shared, end: Event) -> None:
    """Start a native thread with that name. RuntimeError if none can be started."""
    if "_thread" in saved:  # patched: a threading.Thread is a greenlet
        _worker_threads.start_thread(_named_work, (name, shared, end))
    else:
        from threading import Thread

        Thread(target=_work, args=(shared, end), name=name, daemon=True).start()


def _named_work(name: str, shared: _Shared, end: Event) -> None:
    _work(shared, end, name)


def _work(shared: _Shared, end: Event, name: str = "") -> None:
    try:
        if name:
            from threading import current_thread

            current_thread().name = name
        if shared.initializer is not None:
            try:
                shared.initializer(*shared.initargs)
            except BaseException:
                _break(shared)
                return
        while True:
            with shared.lock:
                shared.idle += 1
            call = shared.calls.get()
            with shared.lock:
                shared.idle -= 1
                if call is not None:
                    shared.waiting -= 1
            if call is None:
                shared.calls.put(None)  # for the next thread
                if shared.closed:
                    return
                continue
            call.run()
            del call
    finally:
        end.set()


def _break(shared: _Shared) -> None:
    from concurrent.futures.thread import BrokenThreadPool
    from logging import getLogger

    getLogger("hubcore").critical("the initializer of an executor's thread failed", exc_info=True)
    with shared.lock:
        shared.broken = True
    shared.cancel_all(BrokenThreadPool("A thread initializer failed, the thread pool is not usable anymore"))


ThreadPoolExecutor.__module__ = "hubcore.threadpool"
