"""Job: one call in a worker thread, and its result."""

from __future__ import annotations

import sys
from contextvars import copy_context

from hubcore._base import uncompiled as cython
from hubcore._base import worker_threads as _worker_threads
from hubcore._base.task_tracing import traced
from hubcore._base.worker_threads import here, running, start
from hubcore._sync.waitable import hub_of_main_thread
from hubcore._tasks.unretrieved import report_unread
from hubcore.event import AsyncResult
from hubcore.hub import get_hub_if_any

if not cython.compiled:
    from hubcore._base.hints import Any, Callable, T
    from hubcore._capi.fallback import atomic
    from hubcore.hub import hub_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub


class Job(AsyncResult["T"]):
    """A call of `function(*args, **kwargs)` in a worker thread, with the caller's context variables; also its result.

    Until the call ends, the job keeps the caller's hub alive and stops its virtual time. Then the worker calls
    `pool.job_ended(self)`, unless `pool` is None.
    """

    __slots__ = ("_args", "_context", "_function", "_kwargs", "hub_of_origin", "pool")

    def __init__(
        self, pool: Any, function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]
    ) -> None:
        AsyncResult.__init__(self)
        self.pool: Any = pool
        self._function: Callable[..., object] | None = function
        self._args: tuple[object, ...] | None = args
        self._kwargs: dict[str, object] | None = kwargs
        self._context: Any = copy_context()
        self.hub_of_origin: Hub | None = hub_here()
        if self.hub_of_origin is None:
            self.hub_of_origin = hub_of_main_thread()  # the call may use from_thread.run()

    def submit(self) -> None:
        """Give the call to a worker. RuntimeError if there is none and none can be started. Never waits."""
        hub = self.hub_of_origin
        if hub is not None:
            hub.loop.begin_job()
        try:
            start(_WorkerCall(self))
        except BaseException:
            if hub is not None:
                hub.loop.end_job()
            raise

    def drop(self) -> bool:
        """Drop the call if it has not begun: the caller no longer wants the result. Return whether it will not run.

        Never switches; any thread.
        """
        self._looked = True
        return self._claim_call() is not None

    def _claim_call(self) -> Callable[..., object] | None:
        """Return the function to the first caller, None to later ones."""
        function = self._function
        self._function = None
        return function

    def _run(self) -> None:
        """Make the call and deliver its result. Runs in a worker thread."""
        ident = here()
        function = self._claim_call()
        args: Any = self._args
        kwargs: Any = self._kwargs
        self._args = self._kwargs = None
        context, self._context = self._context, None
        result: Any = None
        failure: BaseException | None = None
        running[ident] = self
        try:
            if function is not None:
                if _worker_threads.instead_of_threads is None:
                    result = traced(context.run, function, *args, **kwargs)
                else:
                    result = context.run(function, *args, **kwargs)
        except BaseException as error:
            # Without this frame, which refers to the result and so to the error itself.
            trace = error.__traceback__
            trace = None if trace is None else trace.tb_next
            if trace is not None and trace.tb_frame.f_code is traced.__code__:
                trace = trace.tb_next  # likewise
            failure = error.with_traceback(trace)
            trace = None
        running.pop(ident, None)  # it may be gone: the call may have forked
        function = args = kwargs = context = None  # the call's arguments are freed before the waiters learn of its end
        if get_hub_if_any() is not None and _worker_threads.instead_of_threads is None:
            _destroy_hub()
        if failure is not None:
            self.set_exception(failure)
        else:
            self.set(result)
        failure = result = None
        if self.pool is not None:
            self.pool.job_ended(self)

    def __del__(self) -> None:
        error = self._unread()
        if error is not None and report_unread is not None:
            report_unread(self, error, self.hub_of_origin)


class _WorkerCall:
    """A worker calls this. It drops `job`, whose failure may be unread, before the hub learns of the end."""

    __slots__ = ("job",)

    def __init__(self, job: Job) -> None:
        self.job: Job | None = job

    def __call__(self) -> None:
        job = self.job
        self.job = None
        if job is None:
            return
        hub = job.hub_of_origin
        try:
            job._run()
        finally:
            job = None
            if hub is not None:
                hub.loop.end_job()


def _destroy_hub() -> None:
    """Destroy the hub that the call made for its thread: the thread serves other calls, so no greenlet stays there."""
    try:
        hub = get_hub_if_any()
        if hub is not None:
            hub.destroy()
    except BaseException:
        sys.excepthook(*sys.exc_info())


if not cython.compiled:
    atomic(Job, "_claim_call")
