"""The metrics as Prometheus and OpenTelemetry read them."""

import subprocess
import sys

import pytest

from hubcore import metrics, sleep, spawn


def test_prometheus_reads_the_counters_at_each_scrape(hub):
    prometheus_client = pytest.importorskip("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    metrics.prometheus(registry)

    def value(name, **labels):
        return registry.get_sample_value(name, {"hub": "main", **labels})

    started = value("hubcore_greenlets_started_total")
    switches = value("hubcore_switches_total")
    idle = value("hubcore_idle_seconds_total")
    one = spawn(sleep, 0.01)
    sleep(0)
    assert value("hubcore_greenlets", state="parked") == 1
    assert value("hubcore_deadlines") == 1
    one.join()
    assert value("hubcore_greenlets_started_total") == started + 1
    assert value("hubcore_switches_total") > switches
    assert value("hubcore_idle_seconds_total") > idle
    assert value("hubcore_block_seconds_bucket", le="+Inf") == value("hubcore_block_seconds_count")
    assert value("hubcore_block_seconds_bucket", le="0.001") <= value("hubcore_block_seconds_bucket", le="0.01")
    text = prometheus_client.generate_latest(registry).decode()
    assert "# TYPE hubcore_switches counter" in text or "# TYPE hubcore_switches_total counter" in text


def test_opentelemetry_observes_the_same(hub):
    sdk = pytest.importorskip("opentelemetry.sdk.metrics")
    export = pytest.importorskip("opentelemetry.sdk.metrics.export")
    reader = export.InMemoryMetricReader()
    provider = sdk.MeterProvider(metric_readers=[reader])
    try:
        metrics.opentelemetry(provider.get_meter("test"))
        one = spawn(sleep, 0.01)
        sleep(0)
        data = reader.get_metrics_data()
    finally:
        provider.shutdown()
    one.join()
    found = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for each in scope.metrics:
                for point in each.data.data_points:
                    found[each.name, tuple(sorted(point.attributes.items()))] = point.value
    assert found["hubcore.greenlets", (("hub", "main"), ("state", "parked"))] == 1
    assert found["hubcore.greenlets.started", (("hub", "main"),)] >= 1
    assert found["hubcore.deadlines", (("hub", "main"),)] == 1


@pytest.mark.parametrize(
    ("function", "package", "extra"),
    [("prometheus", "prometheus_client", "prometheus"), ("opentelemetry", "opentelemetry.metrics", "otel")],
)
def test_without_the_package_the_error_says_what_to_install(function, package, extra):
    code = f"""
import sys
sys.modules[{package!r}] = None
from hubcore import metrics
try:
    metrics.{function}()
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pip install 'hubcore[{extra}]'" in done.stdout
