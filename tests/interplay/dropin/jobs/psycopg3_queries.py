"""psycopg 3, binary: picks the wait in Python over the patched poll; 10 queries of half a second at once."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
import psycopg  # noqa: E402
from common import Ticks, run  # noqa: E402


def query(number):
    with psycopg.connect(os.environ["POSTGRES"]) as connection:
        return connection.execute(f"select pg_sleep(0.5), {number}").fetchone()[1]


def main():
    assert psycopg.waiting.wait is not psycopg.waiting.wait_c, psycopg.waiting.wait
    ticks = Ticks()
    begin = time.monotonic()
    assert [job.get(timeout=30) for job in [gevent.spawn(query, number) for number in range(10)]] == list(range(10))
    assert time.monotonic() - begin < 4.5  # one after another they would take 5
    ticks.end(10)


run(main)
