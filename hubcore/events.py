"""Events: hubcore notifies subscribers of patches, blocking greenlets and memory use.

    from hubcore import events
    events.subscribers.append(print)

hubcore calls each subscriber with each event, in the thread where the event happened. The monitor's events happen in
the monitor's own thread, so a subscriber must not wait, and has to reach a hub by `hub.loop.run_callback_threadsafe`.
"""

from __future__ import annotations

from hubcore import _patch_events
from hubcore._patch_events import DoNotPatch as DoNotPatch
from hubcore._patch_events import _Interface

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from greenlet import greenlet

    from hubcore._diagnostics.monitor import PeriodicMonitoringThread
    from hubcore.hub import Hub

__all__ = [
    "EventLoopBlocked",
    "IEventLoopBlocked",
    "IMemoryUsageThresholdExceeded",
    "IMemoryUsageUnderThreshold",
    "IPeriodicMonitorThread",
    "IPeriodicMonitorThreadStartedEvent",
    "MemoryUsageThresholdExceeded",
    "MemoryUsageUnderThreshold",
    "PeriodicMonitorThreadStartedEvent",
    "notify",
    "notify_and_call_entry_points",
    "subscribers",
]
__all__ += _patch_events.__all__

#: Callables, each called with every event. If one raises, the failure is logged and the others are called as usual.
subscribers: list[Callable[[object], object]] = []


def notify(event: object) -> None:
    """Call all subscribers with `event`. Any thread; never raises an Exception, but lets DoNotPatch pass."""
    for subscriber in tuple(subscribers):
        try:
            subscriber(event)
        except Exception as error:
            import logging

            logging.getLogger("hubcore").error("%r failed at %r", subscriber, event, exc_info=error)


def notify_and_call_entry_points(event: Any) -> None:
    """Call `notify`, then the entry points of the group `event.ENTRY_POINT_NAME`. Their exceptions propagate."""
    notify(event)
    from hubcore._base.entry_points import plugins

    for plugin in plugins(event.ENTRY_POINT_NAME):
        plugin(event)


class IPeriodicMonitorThread(_Interface):
    """A thread that watches a hub: `add_monitoring_function(function, period)`."""


class IPeriodicMonitorThreadStartedEvent(_Interface):
    """A monitor was started: `monitor`."""


class IEventLoopBlocked(_Interface):
    """A greenlet has blocked its hub."""


class IMemoryUsageThresholdExceeded(_Interface):
    """The process uses more memory than the limit."""


class IMemoryUsageUnderThreshold(_Interface):
    """The process, which had exceeded the limit, uses no more memory than that again."""


class PeriodicMonitorThreadStartedEvent(IPeriodicMonitorThreadStartedEvent):
    """`monitor` begins: a subscriber can add monitoring functions. Sent in the thread of its hub."""

    ENTRY_POINT_NAME = "hubcore.plugins.hub.periodic_monitor_thread_started"

    def __init__(self, monitor: PeriodicMonitoringThread) -> None:
        self.monitor = monitor

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.monitor!r}>"


class EventLoopBlocked(IEventLoopBlocked):
    """`greenlet` of `hub` has run for `blocking_time` seconds without letting others run, and still runs.

    `info` are the lines of the report, including its stack.
    """

    def __init__(self, greenlet: greenlet, blocking_time: float, info: list[str], *, hub: Hub | None = None) -> None:
        self.greenlet = greenlet
        self.blocking_time = blocking_time
        self.info = info
        self.hub = hub

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.greenlet!r} for {self.blocking_time:.3g} s in {self.hub!r}>"


class _MemoryUsageEvent:
    """The process uses `mem_usage` bytes; the limit is `max_allowed`; `memory_info` is psutil's result."""

    def __init__(self, mem_usage: int, max_allowed: int, memory_info: object) -> None:
        self.mem_usage = mem_usage
        self.max_allowed = max_allowed
        self.memory_info = memory_info

    def __repr__(self) -> str:
        return f"<{type(self).__name__} used={self.mem_usage} allowed={self.max_allowed} details={self.memory_info!r}>"


class MemoryUsageThresholdExceeded(_MemoryUsageEvent, IMemoryUsageThresholdExceeded):
    """The process uses `mem_usage` bytes, more than `max_allowed`."""


class MemoryUsageUnderThreshold(_MemoryUsageEvent, IMemoryUsageUnderThreshold):
    """The process uses `mem_usage` bytes, again no more than `max_allowed`; the peak was `max_usage`."""

    def __init__(self, mem_usage: int, max_allowed: int, memory_info: object, max_usage: int) -> None:
        super().__init__(mem_usage, max_allowed, memory_info)
        self.max_usage = max_usage


def __getattr__(name: str) -> Any:
    if name in _patch_events.__all__:
        return getattr(_patch_events, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
