"""A pool for Celery's workers: each task is a greenlet.

    hubcore celery -A project worker -c 500

patches the standard library and starts Celery with this pool. By hand, in a program that patches first:
CELERY_CUSTOM_WORKER_POOL=hubcore.celery:TaskPool celery -A project worker -P custom -c 500.

Time limits, soft and hard, are raised in the task where it waits; a task that computes without waiting is not ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

try:
    from billiard.einfo import ExceptionInfo
    from billiard.exceptions import Terminated
    from celery.concurrency.base import BasePool, apply_target
    from celery.exceptions import SoftTimeLimitExceeded
    from celery.signals import celeryd_init
    from celery.utils.timer2 import Timer as _ThreadTimer
    from kombu.asynchronous.timer import Entry
    from kombu.asynchronous.timer import Timer as _Schedule
except ImportError as _error:
    raise ImportError(f"hubcore.celery is a pool of Celery, which is not installed: {_error}") from _error

from greenlet import GreenletExit, getcurrent

from hubcore.greenlet import Greenlet
from hubcore.hub import sleep
from hubcore.pool import Pool
from hubcore.timeout import Timeout

__all__ = ["TaskPool", "Timer"]

_SIGTERM = 15  # what a task that was ended is said to have got


class Schedule(_Schedule):
    """Entries that are due at a time, each waited for by a greenlet of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._waiting: set[Greenlet] = set()

    def _enter(self, eta: float, priority: Any, entry: Any, push: Any = None) -> Any:
        waiting = Greenlet.spawn_later(max(0.0, eta - time.monotonic()), self._due, entry)
        self._waiting.add(waiting)
        waiting.rawlink(self._waiting.discard)
        entry.waiting = waiting
        return entry

    def _due(self, entry: Entry) -> None:
        self._waiting.discard(getcurrent())
        if not entry.canceled:
            self.apply_entry(entry)  # type: ignore[no-untyped-call]

    def clear(self) -> None:
        """Forget all entries."""
        waiting, self._waiting = self._waiting, set()
        for each in waiting:
            each.kill(block=False)

    @property
    def queue(self) -> list[Greenlet]:
        """What is waited for."""
        return list(self._waiting)


class _Entry(Entry):
    __slots__ = ("waiting",)

    def cancel(self) -> None:
        """Forget it."""
        self.canceled = True  # type: ignore[misc] # a slot of Celery's class
        waiting = getattr(self, "waiting", None)
        if waiting is not None and waiting is not getcurrent():
            waiting.kill(block=False)


Schedule.Entry = _Entry


class Timer(_ThreadTimer):  # type: ignore[misc]
    """Celery's timer, for ETAs, retries and rate limits, by greenlets instead of a thread."""

    Schedule = Schedule
    Entry = _Entry

    def ensure_started(self) -> None:
        """Nothing: entries wait by themselves."""

    def stop(self) -> None:
        """Forget all entries."""
        self.schedule.clear()

    def start(self) -> None:
        """Nothing, as `ensure_started`."""

    def _do_enter(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.schedule, method)(*args, **kwargs)


class Task(Greenlet):
    """A greenlet that runs a task."""

    def terminate(self, signal: Any = None) -> None:
        """End it where it waits. Called by Celery when the task is revoked."""
        self.kill(block=False)


class TaskPool(BasePool):  # type: ignore[misc]
    """Runs each of Celery's tasks in a greenlet, `limit` at a time."""

    Timer = Timer
    signal_safe = False
    is_green = True
    task_join_will_block = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pool: Pool | None = None
        self._running: dict[int, Any] = {}

    def on_start(self) -> None:
        """Begin. Called by Celery."""
        self._pool = Pool(self.limit, greenlet_class=Task)

    def on_stop(self) -> None:
        """Wait until all tasks have ended. Called by Celery at a warm shutdown. Switches."""
        if self._pool is not None:
            self._pool.join()

    def on_terminate(self) -> None:
        """End all tasks where they wait. Called by Celery at a cold shutdown. Switches."""
        if self._pool is not None:
            self._pool.kill(timeout=1.0)

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        error_callback: Callable[..., Any] | None = None,
        timeout: float | None = None,
        timeout_callback: Callable[..., Any] | None = None,
        soft_timeout: float | None = None,
        **more: Any,
    ) -> Greenlet:
        """Run `target(*args, **kwargs)` once there is room. Called by Celery. Switches while there is none."""
        if self._pool is None:
            raise RuntimeError("the pool was not started")
        limits = (
            timeout or self.options.get("timeout"),
            soft_timeout or self.options.get("soft_timeout"),
            timeout_callback,
        )
        run: tuple[Any, ...] = (target, args or (), kwargs or {}, callback, accept_callback, error_callback, limits)
        spawn: Any = self._pool.spawn
        task: Greenlet = spawn(self._run, *run)
        return task

    def _run(
        self,
        target: Callable[..., Any],
        args: Any,
        kwargs: Any,
        callback: Any,
        accept_callback: Any,
        error_callback: Any,
        limits: tuple[float | None, float | None, Any],
    ) -> None:
        number = id(getcurrent())
        self._running[number] = getcurrent()
        timeout, soft_timeout, timeout_callback = limits
        hard = Timeout(timeout)
        hard.start()
        try:
            apply_target(
                _softly(target, soft_timeout, timeout_callback),
                args,
                kwargs,
                callback,
                accept_callback,
                getpid=lambda: number,
                propagate=(Timeout, GreenletExit),
            )
        except Timeout as error:
            if error is not hard:
                raise
            if timeout_callback is not None:
                timeout_callback(False, timeout)
        except GreenletExit:
            if error_callback is not None:
                try:
                    raise Terminated(_SIGTERM)
                except Terminated:
                    error_callback(ExceptionInfo())
        finally:
            hard.cancel()
            self._running.pop(number, None)

    def terminate_job(self, pid: int, signal: Any = None) -> None:
        """End the task that accepted with `pid`, where it waits. Called by Celery."""
        task = self._running.get(pid)
        if task is not None:
            task.kill(block=False)
            sleep(0)

    def spawn_n(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Greenlet:
        """Run something of the worker's own beside the tasks. Called by Celery."""
        return Greenlet.spawn(function, *args, **kwargs)

    def grow(self, n: int = 1) -> None:
        """Have room for `n` more tasks."""
        self._resize(n)

    def shrink(self, n: int = 1) -> None:
        """Have room for `n` fewer tasks; those that run go on."""
        self._resize(-n)

    def _resize(self, n: int) -> None:
        if self._pool is None or self._pool.size is None or self._pool.size + n < 0:
            raise ValueError(f"a pool of {self.limit} cannot change by {n}")
        self.limit += n
        self._pool.size += n
        self._pool._semaphore.counter += n

    @property
    def num_processes(self) -> int:
        """How many tasks there is room for."""
        return int(self.limit)

    def _get_info(self) -> dict[str, Any]:
        found: dict[str, Any] = super()._get_info()
        running = 0 if self._pool is None else len(self._pool)
        return found | {"max-concurrency": self.limit, "running-greenlets": running, "processes": [os.getpid()]}


def _softly(target: Callable[..., Any], seconds: float | None, callback: Any) -> Callable[..., Any]:
    """`target` with a SoftTimeLimitExceeded after `seconds`, of which `callback` is told."""
    if not seconds:
        return target

    def run(*args: Any, **kwargs: Any) -> Any:
        telling = Greenlet.spawn_later(seconds, callback, True, seconds) if callback is not None else None
        try:
            with Timeout(seconds, SoftTimeLimitExceeded(seconds)):
                return target(*args, **kwargs)
        finally:
            if telling is not None:
                telling.kill(block=False)

    return run


@celeryd_init.connect(weak=False)  # type: ignore[untyped-decorator]
def _without_its_own_loop(instance: Any = None, options: Any = None, **more: Any) -> None:
    """Have a worker with this pool read its messages by blocking calls, which are cooperative, not by kombu's loop."""
    pool = (options or {}).get("pool_cls") or (options or {}).get("pool")
    if isinstance(pool, type) and issubclass(pool, TaskPool):
        instance.should_use_eventloop = lambda: False
