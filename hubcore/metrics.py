"""The load of all hubs as metrics of Prometheus or OpenTelemetry.

    hubcore.metrics.prometheus()        # prometheus_client then exports it
    hubcore.metrics.opentelemetry()

Both read counters that the hubs keep anyway, at the moment at which a reader asks; nothing runs in between. The label
`hub` is "main" or the name of the hub's thread. Alarm on utilisation: 1 minus the rate of `hubcore_idle_seconds_total`.
"""

from __future__ import annotations

from hubcore._base.hints import Any, Iterable, Iterator
from hubcore._core.base_loop import STRETCHES
from hubcore._core.registry import hubs
from hubcore._diagnostics.statistics import Statistics, of_hub
from hubcore._observe.snapshot import thread_name

__all__ = ["opentelemetry", "prometheus"]

_COUNTERS = (
    ("switches", "switches", "turns of greenlets and callbacks that have run"),
    ("started", "greenlets_started", "greenlets that have begun to run"),
    ("polls", "polls", "passes of the loop"),
    ("slept", "idle_seconds", "seconds in which polls have waited; the hub was busy for the rest of the time"),
)
_GAUGES = (
    ("deadlines", "deadlines", "scheduled sleeps, timeouts and timers"),
    ("fds", "fds", "file descriptors that greenlets have waited for and that are open"),
    ("external", "external_operations", "operations that another thread or process completes"),
)
_STATES = ("parked", "ready")
_GREENLETS = "greenlets that wait, and entries that run next"
_BLOCKS = "stretches of time between two polls"


def _read() -> Iterator[tuple[str, Statistics]]:
    """The statistics of all hubs by name. Takes no lock and never switches."""
    for hub in hubs.copy():
        yield thread_name(hub), of_hub(hub)


class _Collector:
    """What prometheus_client asks at each scrape."""

    def __init__(self, families: Any) -> None:
        self.families = families

    def describe(self) -> list[Any]:
        """Return nothing: the names are those of `collect`."""
        return []

    def collect(self) -> Iterator[Any]:
        """The metrics now."""
        found = list(_read())
        greenlets = self.families.GaugeMetricFamily("hubcore_greenlets", _GREENLETS, labels=("hub", "state"))
        for name, numbers in found:
            for state in _STATES:
                greenlets.add_metric((name, state), getattr(numbers, state))
        yield greenlets
        for kind, metrics in (("CounterMetricFamily", _COUNTERS), ("GaugeMetricFamily", _GAUGES)):
            for field, metric, text in metrics:
                family = getattr(self.families, kind)(f"hubcore_{metric}", text, labels=("hub",))
                for name, numbers in found:
                    family.add_metric((name,), getattr(numbers, field))
                yield family
        blocks = self.families.HistogramMetricFamily("hubcore_block_seconds", _BLOCKS, labels=("hub",))
        for name, numbers in found:
            blocks.add_metric((name,), _buckets(numbers), sum_value=numbers.time - numbers.slept)
        yield blocks


def _buckets(numbers: Statistics) -> list[tuple[str, int]]:
    total = 0
    buckets = []
    for limit, count in zip((*map(str, STRETCHES), "+Inf"), numbers.stretches, strict=True):
        total += count
        buckets.append((limit, total))
    return buckets


def prometheus(registry: Any = None) -> object:
    """Register the metrics with `registry` (default: prometheus_client's own); return the collector. Never switches.

    `registry.unregister` takes it out again. ImportError if prometheus_client is not installed.
    """
    try:
        from prometheus_client import REGISTRY, metrics_core
    except ImportError:
        raise ImportError(
            "hubcore.metrics.prometheus() needs prometheus_client: pip install 'hubcore[prometheus]'"
        ) from None
    collector = _Collector(metrics_core)
    (REGISTRY if registry is None else registry).register(collector)
    return collector


def opentelemetry(meter: Any = None) -> None:
    """Create observable instruments of `meter` (default: that of the global meter provider). Never switches.

    ImportError if the package opentelemetry-api is not installed.
    """
    try:
        from opentelemetry.metrics import Observation, get_meter
    except ImportError:
        raise ImportError(
            "hubcore.metrics.opentelemetry() needs opentelemetry-api: pip install 'hubcore[otel]'"
        ) from None
    own = get_meter("hubcore") if meter is None else meter

    def reads(field: str) -> Any:
        def observe(options: object) -> Iterable[Any]:
            return [Observation(getattr(numbers, field), {"hub": name}) for name, numbers in _read()]

        return observe

    def states(options: object) -> Iterable[Any]:
        return [
            Observation(getattr(numbers, state), {"hub": name, "state": state})
            for name, numbers in _read()
            for state in _STATES
        ]

    own.create_observable_gauge("hubcore.greenlets", [states], description=_GREENLETS)
    for field, metric, text in _COUNTERS:
        own.create_observable_counter(f"hubcore.{metric.replace('_', '.')}", [reads(field)], description=text)
    for field, metric, text in _GAUGES:
        own.create_observable_gauge(f"hubcore.{metric.replace('_', '.')}", [reads(field)], description=text)
