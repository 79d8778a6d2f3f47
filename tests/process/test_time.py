"""hubcore.time: sleep with the standard library's errors; and errors everywhere for times that are not numbers."""

import sys
import time as stdlib
from decimal import Decimal
from fractions import Fraction
from threading import Thread

import pytest

import hubcore
from hubcore import time
from hubcore.event import Event
from hubcore.hub import get_hub_if_any
from hubcore.lock import RLock, Semaphore
from hubcore.queue import Queue


def test_others_run_while_one_sleeps(hub):
    order = []
    hubcore.spawn(lambda: order.append("other"))
    time.sleep(0)
    order.append("main")
    hubcore.spawn(lambda: (time.sleep(0.01), order.append("later")))
    time.sleep(0.02)
    assert order == ["other", "main", "later"]


class Index:
    def __index__(self):
        return 0


@pytest.mark.parametrize("seconds", [0, 0.001, True, Index(), -0.0])
def test_what_the_standard_library_takes_is_taken(hub, seconds):
    assert time.sleep(seconds) is None


@pytest.mark.parametrize("seconds", [Decimal("0.001"), Fraction(1, 1000), Fraction(-1, 1000), Decimal("nan")])
def test_other_real_numbers_are_taken_where_the_standard_library_takes_them(hub, seconds):
    def outcome(sleep):
        try:
            return sleep(seconds)
        except Exception as error:
            return repr(error)

    assert outcome(time.sleep) == outcome(stdlib.sleep)
    assert (outcome(time.sleep) is None) == (sys.version_info >= (3, 15) and float(seconds) > 0)


@pytest.mark.parametrize("seconds", ["1", None, object(), -1, -0.001, float("nan"), float("inf"), 1e300, 10**30])
def test_what_it_does_not_take_is_the_same_error(hub, seconds):
    with pytest.raises(Exception) as expected:
        stdlib.sleep(seconds)
    with pytest.raises(type(expected.value)) as found:
        time.sleep(seconds)
    assert str(found.value) == str(expected.value)


def test_without_ref_a_sleep_does_not_keep_the_loop_alive(hub):
    with pytest.raises(hubcore.LoopExit):
        time.sleep(1000, ref=False)
    with pytest.raises(hubcore.LoopExit):
        time.sleep(1000, False)


def test_a_thread_does_not_get_a_hub_by_it(hub):
    found = []
    thread = Thread(target=lambda: (time.sleep(0.001), found.append(get_hub_if_any())))
    thread.start()
    thread.join()
    assert found == [None]


def test_the_rest_is_the_standard_librarys():
    assert time.monotonic is stdlib.monotonic
    assert set(dir(stdlib)) <= set(dir(time))
    assert time.__implements__ == ["sleep"]


@pytest.mark.parametrize("given", ["5", b"5", object()])
def test_a_time_that_is_no_number_is_named(hub, given):
    held = Semaphore(0)
    lock = RLock()
    hubcore.spawn(lock.acquire)
    hubcore.sleep(0)
    task = hubcore.spawn(hubcore.sleep, 0.01)
    for wait in (
        lambda: hubcore.sleep(given),
        lambda: hubcore.Timeout(given).start(),
        lambda: hubcore.with_timeout(given, int),
        lambda: held.acquire(timeout=given),
        lambda: lock.acquire(timeout=given),
        lambda: Event().wait(timeout=given),
        lambda: Queue().get(timeout=given),
        lambda: task.join(timeout=given),
        lambda: task.get(timeout=given),
        lambda: hubcore.joinall([task], timeout=given),
        lambda: hubcore.wait([task], timeout=given),
        lambda: hub.join(timeout=given),
    ):
        with pytest.raises(TypeError, match=r"must be a number of seconds, not ") as found:
            wait()
        assert repr(given) in str(found.value)
    task.join()


def test_a_time_that_is_not_a_number_either_is_named(hub):
    for wait in (
        lambda: hubcore.sleep(float("nan")),
        lambda: hubcore.Timeout(float("nan")).start(),
        lambda: Event().wait(float("nan")),
    ):
        with pytest.raises(ValueError, match="nan"):
            wait()


def test_other_numbers_are_times(hub):
    for kind in (Fraction, Decimal):
        assert hubcore.sleep(kind(1) / 1000) is None
        assert not Event().wait(kind(1) / 1000)
        assert not hubcore.wait([Event()], timeout=kind(1) / 1000)


def test_a_thread_is_told_as_well(hub):
    found = []

    def run():
        try:
            Event().wait("5")
        except TypeError as error:
            found.append(str(error))

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert found == ["a timeout must be a number of seconds, not '5'"]
