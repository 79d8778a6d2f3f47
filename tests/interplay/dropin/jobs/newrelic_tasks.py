"""New Relic: 5 background tasks at once, each with its own transaction."""

from gevent import monkey

monkey.patch_all()

import gevent  # noqa: E402
import newrelic.agent  # noqa: E402
from common import Together, run  # noqa: E402


def main():
    newrelic.agent.initialize()
    application = newrelic.agent.register_application(timeout=0.1)
    inside, found = Together(), set()

    def work(number):
        with inside, newrelic.agent.BackgroundTask(application, name=f"work {number}"):
            before = newrelic.agent.current_transaction()
            gevent.sleep(0.1)
            assert newrelic.agent.current_transaction() is before
            found.add(id(before))
            gevent.sleep(0.1)

    gevent.joinall([gevent.spawn(work, number) for number in range(5)], raise_error=True, timeout=20)
    assert inside.most == 5


run(main)
