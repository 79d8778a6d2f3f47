"""coverage with concurrency = gevent: every line of 5 greenlets and 3 threads is recorded."""

import os
import sys
import tempfile
import threading

import coverage
from common import run

BODY = """
import gevent

def work(n):
    gevent.sleep(0.01)
    if n == 1:
        gevent.sleep(0.01)
    found = n * 2
    gevent.sleep(0.01)
    return found
"""


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "measured.py")
        with open(path, "w") as file:
            file.write(BODY)
        sys.path.insert(0, folder)
        measured = coverage.Coverage(concurrency=["gevent", "thread"], data_file=None, include=[path])
        measured.start()
        import gevent
        import measured as module

        jobs = [gevent.spawn(module.work, number) for number in range(5)]
        threads = [threading.Thread(target=module.work, args=(number,)) for number in range(3)]
        for each in threads:
            each.start()
        gevent.joinall(jobs, raise_error=True, timeout=20)
        for each in threads:
            each.join()
        measured.stop()
        _, _, missing, _ = measured.analysis(path)
        assert missing == [], missing


run(main)
