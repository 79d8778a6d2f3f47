"""Events that hubcore tells of, to whoever wants to know.

    from hubcore import events
    events.subscribers.append(print)

A subscriber is called with each event, in the thread where that happened: those of the monitor in its own thread, so a
subscriber must not wait, and reaches a hub by `hub.loop.run_callback_threadsafe`.
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

    from hubcore._monitor import PeriodicMonitoringThread
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

#: Called with every event. One that raises is reported, and the others are called all the same.
subscribers: list[Callable[[object], object]] = []


def notify(event: object) -> None:
    """Tell all subscribers of `event`. Any thread; never raises an Exception, but lets a DoNotPatch pass."""
    for subscriber in tuple(subscribers):
        try:
            subscriber(event)
        except Exception as error:
            import logging

            logging.getLogger("hubcore").error("%r failed at %r", subscriber, event, exc_info=error)


def notify_and_call_entry_points(event: Any) -> None:
    """`notify`, and call the entry points of the group `event.ENTRY_POINT_NAME`. What those raise comes out."""
    notify(event)
    from hubcore._plugins import plugins

    for plugin in plugins(event.ENTRY_POINT_NAME):
        plugin(event)


class IPeriodicMonitorThread(_Interface):
    """A thread that watches a hub: `add_monitoring_function(function, period)`."""


class IPeriodicMonitorThreadStartedEvent(_Interface):
    """A monitor was started; `monitor` is that."""


class IEventLoopBlocked(_Interface):
    """A greenlet has held up its hub."""


class IMemoryUsageThresholdExceeded(_Interface):
    """The process uses more memory than it may."""


class IMemoryUsageUnderThreshold(_Interface):
    """It uses no more than it may again."""


class PeriodicMonitorThreadStartedEvent(IPeriodicMonitorThreadStartedEvent):
    """`monitor` begins; now is the time to give it functions. Called in the thread of its hub."""

    ENTRY_POINT_NAME = "hubcore.plugins.hub.periodic_monitor_thread_started"

    def __init__(self, monitor: PeriodicMonitoringThread) -> None:
        self.monitor = monitor

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.monitor!r}>"


class EventLoopBlocked(IEventLoopBlocked):
    """`greenlet` of `hub` has run for `blocking_time` seconds without letting others run, and still does.

    `info` are the lines of the report, its stack among them.
    """

    def __init__(self, greenlet: greenlet, blocking_time: float, info: list[str], *, hub: Hub | None = None) -> None:
        self.greenlet = greenlet
        self.blocking_time = blocking_time
        self.info = info
        self.hub = hub

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.greenlet!r} for {self.blocking_time:.3g} s in {self.hub!r}>"


class _MemoryUsageEvent:
    """`mem_usage` bytes are in use and `max_allowed` are allowed; `memory_info` is psutil's."""

    def __init__(self, mem_usage: int, max_allowed: int, memory_info: object) -> None:
        self.mem_usage = mem_usage
        self.max_allowed = max_allowed
        self.memory_info = memory_info

    def __repr__(self) -> str:
        return f"<{type(self).__name__} used={self.mem_usage} allowed={self.max_allowed} details={self.memory_info!r}>"


class MemoryUsageThresholdExceeded(_MemoryUsageEvent, IMemoryUsageThresholdExceeded):
    """The process uses `mem_usage` bytes, more than the `max_allowed`."""


class MemoryUsageUnderThreshold(_MemoryUsageEvent, IMemoryUsageUnderThreshold):
    """The process uses `mem_usage` bytes, no more than the `max_allowed` again; `max_usage` was the most."""

    def __init__(self, mem_usage: int, max_allowed: int, memory_info: object, max_usage: int) -> None:
        super().__init__(mem_usage, max_allowed, memory_info)
        self.max_usage = max_usage


def __getattr__(name: str) -> Any:
    if name in _patch_events.__all__:
        return getattr(_patch_events, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
