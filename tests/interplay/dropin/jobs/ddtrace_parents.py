"""ddtrace patch(gevent=True): a span is the parent of its children across spawn, spawn_later, Pool.map and imap."""

import ddtrace  # isort: skip

ddtrace.patch(gevent=True)

from gevent import monkey  # noqa: E402

monkey.patch_all()

import gevent  # noqa: E402
import gevent.pool  # noqa: E402
from common import limit  # noqa: E402
from ddtrace.trace import tracer  # noqa: E402


def child(number):
    with tracer.trace(f"child {number}") as span:
        gevent.sleep(0.05)
        return span.parent_id


def main():
    with tracer.trace("parent") as parent:
        jobs = [gevent.spawn(child, number) for number in range(5)]
        jobs.append(gevent.spawn_later(0.01, child, 5))
        gevent.joinall(jobs, timeout=20, raise_error=True)
        assert {job.value for job in jobs} == {parent.span_id}
        pool = gevent.pool.Pool(3)
        assert set(pool.map(child, range(6))) == {parent.span_id}
        assert set(pool.imap_unordered(child, range(6))) == {parent.span_id}
        assert set(pool.imap(child, range(6))) == {parent.span_id}
    assert tracer.current_span() is None


with limit():
    import os
    import sys

    if os.environ.get("JOB_REAL"):
        assert "hubcore" not in sys.modules
    else:
        import hubcore

        assert gevent.get_hub is hubcore.get_hub
        assert gevent.get_hub().loop.name == os.environ["HUB_BACKEND"]
    main()
print("OK", flush=True)
