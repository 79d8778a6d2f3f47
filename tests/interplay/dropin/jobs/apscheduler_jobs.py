"""APScheduler with GeventScheduler and GeventExecutor: 5 jobs at once, an interval, a job that fails, shutdown."""

import logging

import gevent
from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.schedulers.gevent import GeventScheduler
from common import Together, run

logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
inside, turns, failures = Together(), [], []


def work():
    with inside:
        gevent.sleep(0.3)


def main():
    scheduler = GeventScheduler()
    scheduler.add_listener(failures.append, EVENT_JOB_ERROR)
    serving = scheduler.start()
    for number in range(5):
        scheduler.add_job(work, id=str(number))
    scheduler.add_job(turns.append, "interval", seconds=0.2, args=[1])
    scheduler.add_job(lambda: 1 / 0)
    gevent.sleep(1.5)
    assert inside.most == 5, inside.most
    assert len(turns) >= 3, turns
    assert len(failures) == 1
    scheduler.shutdown()
    serving.join(timeout=5)
    assert serving.ready()


run(main)
