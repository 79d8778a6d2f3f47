"""sentry-sdk: knows gevent, its profiler for gevent, a scope for each greenlet, the list of modules."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
import sentry_sdk  # noqa: E402
from common import run  # noqa: E402
from sentry_sdk.profiler.transaction_profiler import GeventScheduler  # noqa: E402
from sentry_sdk.utils import is_gevent  # noqa: E402

events = []


def main():
    assert is_gevent()
    sentry_sdk.init(dsn="http://key@127.0.0.1:1/1", before_send=lambda event, hint: events.append(event))
    scheduler = GeventScheduler(frequency=101)
    scheduler.ensure_running()
    gevent.sleep(0.1)
    scheduler.teardown()

    def work(number):
        with sentry_sdk.isolation_scope() as scope:
            scope.set_tag("number", str(number))
            gevent.sleep(0.05)
            sentry_sdk.capture_message(f"message {number}")

    gevent.joinall([gevent.spawn(work, number) for number in range(5)], raise_error=True, timeout=20)
    assert {event["tags"]["number"]: event["message"] for event in events} == {
        str(number): f"message {number}" for number in range(5)
    }
    assert events[0]["modules"]["gevent"] == gevent.__version__
    sentry_sdk.get_client().close(timeout=0.1)


run(main)
