"""The monitor: a native thread that watches one hub, and reports a greenlet that blocks it.

It adds no cost to a switch. The hub counts its polls, and the entries that it has taken from the ready queue since; the
monitor reads these two numbers periodically (`Hub.progress`). If they have not changed for `config.max_blocking_time`
and the hub does not sleep in a poll, the running greenlet has not let others run for that long. Only then does the
monitor determine which greenlet runs. Times are real times here, also if the hub's clock is virtual.
"""

from __future__ import annotations

import os
from _weakref import ref as weak_reference
from time import monotonic

from greenlet import getcurrent

from hubcore import config, events
from hubcore._base.originals import allocate_lock, get_ident
from hubcore._base.worker_threads import start_thread, will_wake_nobody
from hubcore._diagnostics.blocking import Blocking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._core.scheduler import Scheduler

    Function = Callable[[Any], object]

_PATIENCE = 2.0  # seconds that `end` waits for the thread


class _Job:
    """A monitoring function and its due time. Without a period, `config.max_blocking_time` determines the period."""

    __slots__ = ("due", "function", "period")

    def __init__(self, function: Function, period: float | None) -> None:
        self.function = function
        self.period = period
        self.due = monotonic()


class PeriodicMonitoringThread(events.IPeriodicMonitorThread):
    """Calls monitoring functions in a native thread of its own for as long as `hub` lives. The hub makes it.

    It keeps neither the hub nor the process alive, and does not count as a thread that may still wake a greenlet.
    """

    #: The shortest and the longest single sleep of the thread, in seconds.
    min_sleep_time: float = 0.005
    inactive_sleep_time: float = 2.0
    #: How often it looks within `config.max_blocking_time`; with 2, a blocking greenlet is reported before it has run
    #: for twice the limit.
    looks_per_limit: int = 2
    #: The shortest period of the memory check, in seconds.
    min_memory_monitor_period = 2

    def __init__(self, hub: Scheduler) -> None:
        self._hub = weak_reference(hub)
        self.should_run: bool = True
        self._pid = os.getpid()
        self._bell = allocate_lock()  # a release makes the thread check its jobs anew
        self._bell.acquire()
        self._ended = allocate_lock()
        self._ended.acquire()
        self._jobs: list[_Job] = []
        self._blocking = Blocking()
        self._memory_limit_passed = False
        self._most_memory = 0
        self._process: Any = None
        self._jobs.append(_Job(self.monitor_blocking, None))
        if config.deadlock_check_period:
            self.install_monitor_deadlocks(config.deadlock_check_period)
        if config.max_memory_usage and self.can_monitor_memory_usage():
            self.install_monitor_memory_usage()
        self.monitor_thread_ident: int = 0
        self.monitor_thread_ident = start_thread(self._run, ())

    def announce(self) -> None:
        """Notify the subscribers of `hubcore.events` of its start. Called once, by the hub that it watches."""
        events.notify(events.PeriodicMonitorThreadStartedEvent(self))

    @property
    def hub(self) -> Scheduler | None:
        """The hub that it watches; None once the hub is freed."""
        return self._hub()

    @property
    def alive(self) -> bool:
        """Whether it watches: false once it was killed, and in a forked child."""
        return self.should_run and self._pid == os.getpid()

    # Monitoring functions.

    def add_monitoring_function(self, function: Function, period: float | None) -> None:
        """Call `function(hub)` every `period` seconds, in the monitor's thread; with the period None, stop calling it.

        A function that was added before gets the new period. If a function raises, the monitor reports the failure and
        calls it again at its next time. Any thread. TypeError if `function` is not callable, ValueError if `period` is
        not above 0.
        """
        if not callable(function):
            raise TypeError(f"a monitoring function must be callable, not {function!r}")
        if period is not None and not period > 0:
            raise ValueError(f"the period of a monitoring function must be above 0 seconds, not {period!r}")
        jobs = [job for job in self._jobs if job.function != function]
        if period is not None:
            jobs.append(_Job(function, period))
        self._jobs = jobs
        self._ring()

    def monitoring_functions(self) -> list[Function]:
        """Return the functions that it calls."""
        return [job.function for job in self._jobs]

    def _period(self, job: _Job) -> float:
        if job.period is not None:
            return job.period
        # While a greenlet blocks, the duration in EventLoopUnblocked is as exact as the period.
        parts = self.looks_per_limit if self._blocking.present is None else max(10, self.looks_per_limit)
        return max(self.min_sleep_time, config.max_blocking_time / parts)

    # Blocking.

    def monitor_blocking(self, hub: Scheduler) -> bool:
        """Report the greenlet that runs in `hub`, if it has run for longer than the limit; return whether it did so."""
        return self._blocking.look(hub)

    def ignore_current_greenlet_blocking(self) -> None:
        """Exclude the calling greenlet from reports from now on."""
        self._blocking.ignored.add(getcurrent())

    def monitor_current_greenlet_blocking(self) -> None:
        """Undo `ignore_current_greenlet_blocking`."""
        self._blocking.ignored.discard(getcurrent())

    # Deadlocks.

    def install_monitor_deadlocks(self, period: float) -> None:
        """Search for deadlocks every `period` seconds, and log each once."""
        self.add_monitoring_function(self.monitor_deadlocks, period)

    def monitor_deadlocks(self, hub: Scheduler) -> int:
        """Log the deadlocks of all threads that were not logged before; return their number."""
        from hubcore._diagnostics.blocking import log_deadlocks

        return log_deadlocks()

    # Memory.

    def can_monitor_memory_usage(self) -> bool:
        """Return whether psutil is installed, which the memory check needs."""
        from importlib.util import find_spec

        return find_spec("psutil") is not None

    def install_monitor_memory_usage(self) -> None:
        """Check the memory every `config.memory_monitor_period` seconds. RuntimeError if psutil is not installed."""
        if not self.can_monitor_memory_usage():
            raise RuntimeError("the memory monitor needs psutil, which is not installed: pip install psutil")
        period = max(float(self.min_memory_monitor_period), config.memory_monitor_period)
        self.add_monitoring_function(self.monitor_memory_usage, period)

    def monitor_memory_usage(self, _hub: Scheduler) -> int:
        """Notify the subscribers when the process exceeds `config.max_memory_usage` bytes, and when it no longer does.

        Return the bytes in use; -1 if there is no limit.
        """
        limit = config.max_memory_usage
        if not limit:
            return -1
        if self._process is None:
            import psutil  # type: ignore[import-not-found,import-untyped,unused-ignore]

            self._process = psutil.Process()
        info = self._process.memory_full_info()
        used: int = info.uss
        if used > limit:
            self._most_memory = max(self._most_memory, used)
            if not self._memory_limit_passed:
                self._memory_limit_passed = True
                events.notify(events.MemoryUsageThresholdExceeded(used, limit, info))
        elif self._memory_limit_passed:
            self._memory_limit_passed = False
            most, self._most_memory = self._most_memory, 0
            events.notify(events.MemoryUsageUnderThreshold(used, limit, info, most))
        return used

    # The thread.

    def kill(self) -> None:
        """Stop watching; the thread ends soon after. Any thread; never waits; a second call does nothing."""
        self.should_run = False
        self._ring()

    def end(self) -> None:
        """Call `kill`, and block the calling thread until the monitor's thread has ended, 2 seconds at most."""
        self.kill()
        if self._pid == os.getpid() and get_ident() != self.monitor_thread_ident:
            if self._ended.acquire(True, _PATIENCE):
                self._ended.release()

    def _ring(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it was rung already

    def _run(self) -> None:
        ident = get_ident()
        will_wake_nobody(ident)
        try:
            while self.should_run:
                self._bell.acquire(True, self._until_next())
                hub = self._hub()
                if hub is None or hub.destroyed:
                    break
                if self.should_run:
                    self._call_what_is_due(hub)
                del hub
        finally:
            self.should_run = False
            will_wake_nobody(ident, False)
            self._ended.release()

    def _until_next(self) -> float:
        now = monotonic()
        earliest = min([job.due - now for job in self._jobs] + [self.inactive_sleep_time])
        return max(self.min_sleep_time, earliest)

    def _call_what_is_due(self, hub: Scheduler) -> None:
        for job in self._jobs:
            now = monotonic()
            if not self.should_run:
                break
            if job.due > now:
                continue
            try:
                job.function(hub)
            except Exception as error:
                from hubcore._diagnostics.describe import report_failure

                report_failure(job.function, type(error), error, error.__traceback__)
            finally:
                job.due = now + self._period(job)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'watching' if self.alive else 'ended'} {self.hub!r}>"
