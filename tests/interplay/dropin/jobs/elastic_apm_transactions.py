"""elastic-apm: 5 transactions at once, each with its own spans."""

from gevent import monkey

monkey.patch_all()

import elasticapm  # noqa: E402
import gevent  # noqa: E402
from common import Together, run  # noqa: E402


def main():
    client = elasticapm.Client(
        service_name="job", disable_send=True, metrics_interval="0s", central_config=False, verify_server_cert=False
    )
    inside, found = Together(), {}

    def work(number):
        client.begin_transaction("job")
        with inside, elasticapm.capture_span(f"span {number}"):
            gevent.sleep(0.1)
            found[number] = elasticapm.get_trace_id()
        client.end_transaction(f"work {number}", "ok")

    gevent.joinall([gevent.spawn(work, number) for number in range(5)], raise_error=True, timeout=20)
    assert inside.most == 5
    assert len(set(found.values())) == 5
    client.close()


run(main)
