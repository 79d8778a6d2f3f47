"""psycogreen and psycopg2: 10 queries of half a second at once, a time-out."""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
import psycopg2  # noqa: E402
from common import Ticks, run  # noqa: E402
from psycogreen.gevent import patch_psycopg  # noqa: E402

patch_psycopg()


def query(text):
    connection = psycopg2.connect(os.environ["POSTGRES"])
    try:
        cursor = connection.cursor()
        cursor.execute(text)
        return cursor.fetchone()
    finally:
        connection.close()


def main():
    ticks = Ticks()
    begin = time.monotonic()
    jobs = [gevent.spawn(query, f"select pg_sleep(0.5), {number}") for number in range(10)]
    assert [job.get(timeout=30)[1] for job in jobs] == list(range(10))
    assert time.monotonic() - begin < 4.5  # one after another they would take 5
    with gevent.Timeout(0.3, False):
        query("select pg_sleep(20)")
        raise AssertionError("it took longer")
    ticks.end(10)


run(main)
