"""pika's GeventConnection: imports, and reports a refused connection by its callback."""

import gevent
from common import Ticks, free_port, run
from pika import ConnectionParameters
from pika.adapters.gevent_connection import GeventConnection


def main():
    ticks = Ticks()
    failures = []
    GeventConnection(
        ConnectionParameters("127.0.0.1", free_port(), connection_attempts=2, retry_delay=0.2),
        on_open_error_callback=lambda connection, error: failures.append(error),
    )
    with gevent.Timeout(20):
        while not failures:
            gevent.sleep(0.05)
    ticks.end(5)


run(main)
