"""logging from many greenlets and from native threads at once: whole lines, no deadlock, handlers with queues."""

import logging
import logging.handlers
import queue
import threading

import pytest

import hubcore
from hubcore.threadpool import ThreadPool
from tests.interplay.many import together

pytestmark = pytest.mark.usefixtures("hub")

GREENLETS, THREADS, LINES = 20, 4, 50


class Slow(logging.StreamHandler):
    """Lets others run in the middle of a line, as a stream that waits does."""

    def emit(self, record):
        line = self.format(record)
        for part in (line[:10], line[10:], "\n"):
            self.stream.append(part)
            hubcore.sleep(0)


def logger_with(handler):
    logger = logging.Logger("play")
    logger.addHandler(handler)
    return logger


def expected():
    names = [f"greenlet {i}" for i in range(GREENLETS)] + [f"thread {i}" for i in range(THREADS)]
    return sorted(f"{name} says {'x' * 50} {line}" for name in names for line in range(LINES))


def everybody_logs(logger):
    """Greenlets of this thread, and native threads that the threadpool has."""

    def log(name):
        for line in range(LINES):
            logger.warning("%s says %s %d", name, "x" * 50, line)

    pool = ThreadPool(THREADS)
    threads = [pool.spawn(log, f"thread {i}") for i in range(THREADS)]
    together([lambda i=i: log(f"greenlet {i}") for i in range(GREENLETS)])
    for thread in threads:
        thread.get(timeout=30)
    pool.kill()


def test_lines_are_whole_in_a_file(tmp_path):
    handler = logging.FileHandler(tmp_path / "log")
    everybody_logs(logger_with(handler))
    handler.close()
    assert sorted((tmp_path / "log").read_text().splitlines()) == expected()


def test_lines_are_whole_when_the_handler_waits():
    handler = Slow([])
    everybody_logs(logger_with(handler))
    assert sorted("".join(handler.stream).splitlines()) == expected()


def test_a_handler_with_a_queue():
    records = []
    sink = logging.Handler()
    sink.emit = records.append
    through = queue.Queue()
    listener = logging.handlers.QueueListener(through, sink)
    listener.start()
    everybody_logs(logger_with(logging.handlers.QueueHandler(through)))
    listener.stop()
    assert sorted(record.getMessage() for record in records) == expected()


def test_one_that_is_killed_while_it_logs_leaves_the_lock():
    handler = Slow([])
    logger = logger_with(handler)
    for _ in range(20):
        jobs = [hubcore.spawn(logger.warning, "hello") for _ in range(5)]
        hubcore.sleep(0)
        hubcore.killall(jobs)
    logger.warning("still here")
    assert "".join(handler.stream).endswith("still here\n")


def test_threads_have_their_names_in_records():
    names = []
    sink = logging.Handler()
    sink.emit = lambda record: names.append(record.threadName)
    logger = logger_with(sink)
    threads = [threading.Thread(target=logger.warning, args=("hello",), name=f"worker {i}") for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    logger.warning("hello")
    assert sorted(names) == ["MainThread"] + [f"worker {i}" for i in range(5)]
