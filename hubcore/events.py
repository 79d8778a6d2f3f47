"""Events: hubcore notifies subscribers of patches, blocking greenlets and memory use.

    from hubcore import events
    events.subscribers.append(print)

hubcore calls each subscriber with each event, in the thread where the event happened. The monitor's events happen in
the monitor's own thread, so a subscriber must not wait, and has to reach a hub by `hub.loop.run_callback_threadsafe`.
"""

from __future__ import annotations

from hubcore._base.hints import Any, Callable, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

    from hubcore._diagnostics.monitor import PeriodicMonitoringThread
    from hubcore.hub import Hub

__all__ = [
    "DidPatchAllEvent",
    "DidPatchBuiltinModulesEvent",
    "DidPatchEvent",
    "DidPatchModuleEvent",
    "DoNotPatch",
    "EventLoopBlocked",
    "EventLoopUnblocked",
    "GeventDidPatchAllEvent",
    "GeventDidPatchBuiltinModulesEvent",
    "GeventDidPatchEvent",
    "GeventDidPatchModuleEvent",
    "GeventPatchEvent",
    "GeventWillPatchAllEvent",
    "GeventWillPatchEvent",
    "GeventWillPatchModuleEvent",
    "IDidPatchAllEvent",
    "IDidPatchBuiltinModulesEvent",
    "IDidPatchEvent",
    "IDidPatchModuleEvent",
    "IEventLoopBlocked",
    "IGeventDidPatchAllEvent",
    "IGeventDidPatchBuiltinModulesEvent",
    "IGeventDidPatchEvent",
    "IGeventDidPatchModuleEvent",
    "IGeventPatchEvent",
    "IGeventWillPatchAllEvent",
    "IGeventWillPatchEvent",
    "IGeventWillPatchModuleEvent",
    "IMemoryUsageThresholdExceeded",
    "IMemoryUsageUnderThreshold",
    "IPatchEvent",
    "IPeriodicMonitorThread",
    "IPeriodicMonitorThreadStartedEvent",
    "IWillPatchAllEvent",
    "IWillPatchEvent",
    "IWillPatchModuleEvent",
    "MemoryUsageThresholdExceeded",
    "MemoryUsageUnderThreshold",
    "PatchEvent",
    "PeriodicMonitorThreadStartedEvent",
    "WillPatchAllEvent",
    "WillPatchEvent",
    "WillPatchModuleEvent",
    "notify",
    "notify_and_call_entry_points",
    "subscribers",
]

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


class DoNotPatch(BaseException):
    """Raised by a subscriber of a "will patch" event to prevent that patch; the rest goes on."""


class _Interface:
    """The base of the stand-ins for gevent's interfaces: zope interfaces there, plain base classes here."""

    @classmethod
    def providedBy(cls, thing: object) -> bool:
        """Return whether `thing` is an instance."""
        return isinstance(thing, cls)


# The monitor's events.


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


class EventLoopUnblocked:
    """The greenlet of the event `blocked` lets others run again, after `blocking_time` seconds in all.

    While a greenlet blocks, the monitor looks every tenth of `config.max_blocking_time`; the time is as exact as that.
    """

    def __init__(self, blocked: EventLoopBlocked, blocking_time: float) -> None:
        self.blocked = blocked
        self.blocking_time = blocking_time

    def __repr__(self) -> str:
        return f"<{type(self).__name__} after {self.blocking_time:.3g} s: {self.blocked!r}>"


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


# The events of patching. Each is also given to the entry points of the group `ENTRY_POINT_NAME`. A subscriber or entry
# point that raises DoNotPatch at a "will patch" event prevents that patch.


class IPatchEvent(_Interface):
    """An event of patching: `source` is the module with the replacements, `target` the patched module."""


class IWillPatchEvent(IPatchEvent):
    """A patch is about to happen; DoNotPatch prevents it."""


class IDidPatchEvent(IPatchEvent):
    """A patch has happened."""


class IWillPatchModuleEvent(IWillPatchEvent):
    """One module is about to be patched."""


class IDidPatchModuleEvent(IDidPatchEvent):
    """One module was patched."""


class IWillPatchAllEvent(IWillPatchEvent):
    """patch_all begins."""


class IDidPatchBuiltinModulesEvent(IDidPatchEvent):
    """patch_all has patched the standard library."""


class IDidPatchAllEvent(IDidPatchEvent):
    """patch_all is done."""


class PatchEvent(IPatchEvent):
    """An event of patching."""

    #: A list that collects warnings, for callers of `patch_module` within a larger patch.
    _warnings: list[str] | None = None

    def __init__(self, source: ModuleType | None, target: ModuleType | None) -> None:
        self.source = source
        self.target = target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} source={self.source!r} target={self.target!r}>"


class WillPatchEvent(PatchEvent, IWillPatchEvent):
    """A patch is about to happen; DoNotPatch prevents it."""


class DidPatchEvent(PatchEvent, IDidPatchEvent):
    """A patch has happened."""


class WillPatchModuleEvent(WillPatchEvent, IWillPatchModuleEvent):
    """The names `target_item_names` of the module `module_name` are about to be replaced."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.will_patch_module"

    def __init__(self, module_name: str, source: ModuleType, target: ModuleType, items: list[str]) -> None:
        super().__init__(source, target)
        self.module_name = module_name
        self.target_item_names = items


class DidPatchModuleEvent(DidPatchEvent, IDidPatchModuleEvent):
    """The module `module_name` was patched."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.did_patch_module"

    def __init__(self, module_name: str, source: ModuleType, target: ModuleType) -> None:
        super().__init__(source, target)
        self.module_name = module_name


class _PatchAllEvent(PatchEvent):
    def __init__(self, patch_all_arguments: dict[str, Any], patch_all_kwargs: dict[str, Any]) -> None:
        super().__init__(None, None)
        self._arguments = dict(patch_all_arguments)
        self._kwargs = dict(patch_all_kwargs)

    @property
    def patch_all_arguments(self) -> dict[str, Any]:
        """The arguments of patch_all by name, defaults included; a copy."""
        return dict(self._arguments)

    @property
    def patch_all_kwargs(self) -> dict[str, Any]:
        """The keyword arguments that patch_all itself does not know; a copy."""
        return dict(self._kwargs)


class WillPatchAllEvent(_PatchAllEvent, WillPatchEvent, IWillPatchAllEvent):
    """patch_all begins; DoNotPatch prevents all of it."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.will_patch_all"

    def will_patch_module(self, module_name: str) -> bool:
        """Return whether the argument `module_name` of patch_all is true."""
        return bool(self._arguments.get(module_name, False))


class DidPatchBuiltinModulesEvent(_PatchAllEvent, DidPatchEvent, IDidPatchBuiltinModulesEvent):
    """patch_all has patched the standard library; a subscriber that depends on it can apply its own patches now."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.did_patch_builtins"


class DidPatchAllEvent(_PatchAllEvent, DidPatchEvent, IDidPatchAllEvent):
    """patch_all is done, and so are the subscribers of DidPatchBuiltinModulesEvent."""

    ENTRY_POINT_NAME = "hubcore.plugins.monkey.did_patch_all"


#: gevent's names.
GeventPatchEvent = PatchEvent
GeventWillPatchEvent = WillPatchEvent
GeventDidPatchEvent = DidPatchEvent
GeventWillPatchModuleEvent = WillPatchModuleEvent
GeventDidPatchModuleEvent = DidPatchModuleEvent
GeventWillPatchAllEvent = WillPatchAllEvent
GeventDidPatchBuiltinModulesEvent = DidPatchBuiltinModulesEvent
GeventDidPatchAllEvent = DidPatchAllEvent
IGeventPatchEvent = IPatchEvent
IGeventWillPatchEvent = IWillPatchEvent
IGeventDidPatchEvent = IDidPatchEvent
IGeventWillPatchModuleEvent = IWillPatchModuleEvent
IGeventDidPatchModuleEvent = IDidPatchModuleEvent
IGeventWillPatchAllEvent = IWillPatchAllEvent
IGeventDidPatchBuiltinModulesEvent = IDidPatchBuiltinModulesEvent
IGeventDidPatchAllEvent = IDidPatchAllEvent
