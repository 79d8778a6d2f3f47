"""Waiter: one wait that ends exactly once, by the first waker, deadline or interrupt, from any thread."""

import gc
import itertools
import threading
import weakref

import pytest
from greenlet import getcurrent, greenlet

import hubcore
from hubcore._core.ready_queue import ReadyQueue
from hubcore._core.waiter import Waiter

ENDINGS = {
    "wake": lambda waiter: waiter.wake("value"),
    "fail": lambda waiter: waiter.fail(KeyError("key")),
    "fire": lambda waiter: waiter._fire(0.0),
    "abandon": lambda waiter: waiter.abandon(),
    "call": lambda waiter: waiter("value"),
}


@pytest.fixture
def ready():
    return ReadyQueue(None)


@pytest.fixture
def waiter(ready):
    return Waiter(ready, getcurrent(), "a test", 1.5)


def test_a_new_waiter_waits(waiter, ready):
    assert not waiter.ended
    assert waiter.greenlet is getcurrent()
    assert waiter.ready is ready
    assert (waiter.waiting_on, waiter.since, waiter.value) == ("a test", 1.5, None)
    assert not waiter.scheduled
    assert "waiting" in repr(waiter)
    assert "a test" in repr(waiter)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(ENDINGS, repeat=2)))
def test_only_the_first_ending_counts(waiter, ready, first, second):
    assert waiter.fall_asleep()
    ENDINGS[first](waiter)
    assert waiter.ended
    value, text = waiter.value, repr(waiter).partition(" of ")[0]
    assert ENDINGS[second](waiter) in (False, None)
    assert waiter.value is value
    assert repr(waiter).partition(" of ")[0] == text
    assert ready.count == (0 if first == "abandon" else 1)


@pytest.mark.parametrize(
    ("ending", "state"), [("wake", "woken"), ("call", "woken"), ("fail", "failed"), ("fire", "timed out")]
)
def test_its_text_says_how_it_ended(waiter, ending, state):
    ENDINGS[ending](waiter)
    assert f"<Waiter {state} " in repr(waiter)


def test_wake_and_fail_say_whether_they_were_first(waiter, ready):
    assert waiter.wake(5) is True
    assert waiter.wake(6) is False
    assert waiter.fail(KeyError) is False
    assert waiter.value == 5
    other = Waiter(ready, getcurrent(), None, 0.0)
    assert other.fail(KeyError) is True
    assert other.fail(ValueError) is False
    assert other.wake() is False
    assert other.value is KeyError


def test_a_waiter_that_ended_before_it_falls_asleep_does_not(waiter, ready):
    waiter.wake()
    assert not waiter.fall_asleep()
    assert ready.count == 0


def test_a_sleeping_one_becomes_ready_once(waiter, ready):
    assert waiter.fall_asleep()
    assert ready.count == 0
    waiter.wake()
    waiter._fire(1.0)
    waiter.fail(KeyError)
    assert ready.pop() is waiter
    assert ready.pop() is None


def test_an_abandoned_one_lets_its_greenlet_go(waiter):
    waiter.abandon()
    assert waiter.greenlet is None
    assert waiter.ended
    waiter.abandon()


@pytest.mark.slow
def test_of_many_threads_that_end_one_wait_exactly_one_is_first(ready):
    threads = 6
    rounds = 300
    before, after = threading.Barrier(threads + 1), threading.Barrier(threads + 1)
    current = []
    winners = []

    def compete(number):
        for _ in range(rounds):
            before.wait(30)
            if (current[0].wake if number % 2 else current[0].fail)(number):
                winners.append(number)
            after.wait(30)

    workers = [threading.Thread(target=compete, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for _ in range(rounds):
        waiter = Waiter(ready, getcurrent(), None, 0.0)
        assert waiter.fall_asleep()
        current[:] = [waiter]
        winners.clear()
        before.wait(30)
        after.wait(30)
        assert winners == [waiter.value]
        assert ready.drain_inbox() == 1
        assert ready.pop() is waiter
    for worker in workers:
        worker.join()


def test_another_thread_wakes_a_parked_greenlet(hub):
    def wake(waiter):
        while not hub.loop.polling:
            pass
        assert waiter.wake("from a thread")
        hub.loop.run_callback_threadsafe(hub.loop.end_external)

    waiter = hub.new_waiter("a thread")
    hub.loop.begin_external()
    thread = threading.Thread(target=wake, args=(waiter,))
    thread.start()
    assert hub.park(waiter) is True
    assert waiter.value == "from a thread"
    thread.join()
    hubcore.sleep(0.001)


def test_wake_ups_from_threads_are_never_lost(hub):
    rounds = 500
    waiters = []
    parked = threading.Semaphore(0)

    def wake():
        for number in range(rounds):
            parked.acquire()
            waiters[number].wake(number)

    thread = threading.Thread(target=wake)
    thread.start()
    hub.loop.begin_external()
    for number in range(rounds):
        waiter = hub.new_waiter("a thread")
        waiters.append(waiter)
        parked.release()
        assert hub.park(waiter)
        assert waiter.value == number
    hub.loop.end_external()
    thread.join()


def test_park_tells_a_wake_up_a_deadline_and_a_failure_apart(hub):
    woken, late, failed = hub.new_waiter(1), hub.new_waiter(2), hub.new_waiter(3)
    hub.loop.run_callback(woken.wake, "value")
    assert hub.park(woken, 10.0) is True
    assert woken.value == "value"
    assert hub.park(late, 0.001) is False
    hub.loop.run_callback(failed.fail, KeyError("key"))
    with pytest.raises(KeyError, match="key"):
        hub.park(failed, 10.0)
    assert len(hub.loop.deadlines) == 0
    assert hub.parked.count == 0


def test_the_parked_ones_are_listed_oldest_first(hub):
    jobs = [hubcore.spawn(hubcore.sleep, 3600.0) for _ in range(3)]
    hubcore.sleep(0)
    assert [waiter.greenlet for waiter in hub.parked] == jobs
    assert len(hub.parked) == 3
    jobs[1].kill()
    assert [waiter.greenlet for waiter in hub.parked] == [jobs[0], jobs[2]]
    hubcore.killall(jobs)
    assert list(hub.parked) == []


def test_one_exception_may_interrupt_twice_and_is_its_own_context_neither_time(hub):
    again, between = KeyboardInterrupt("again"), KeyboardInterrupt("between")

    def interrupt():
        for each in (again, again, between, again):
            hub.interrupt_now(hub.main, each)

    hub.loop.run_callback(interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        hub.park(hub.new_waiter("nothing"))
    assert caught.value is again
    assert (again.__context__, between.__context__) == (None, again)


def test_a_greenlet_of_another_class_leaves_nothing_behind_in_its_hub(hub):
    """However its wait ends: by a wake-up before it slept, a bad timeout, a deadline, an interrupt."""
    steps = []

    def play():
        woken = hub.new_waiter("woken before it sleeps")
        woken.wake(True)
        assert hub.park(woken)
        with pytest.raises(TypeError):
            hub.park(hub.new_waiter("a bad timeout"), "x")
        assert not hub.park(hub.new_waiter("a deadline"), 0.01)
        steps.append("parked")
        with pytest.raises(KeyError):
            hub.park(hub.new_waiter("an interrupt"))
        steps.append("ended")

    one = greenlet(play, hub)
    hub.loop.run_callback(one.switch)
    while not steps:
        hubcore.sleep(0.01)
    hub.interrupt(one, KeyError)
    while len(steps) < 2:
        hubcore.sleep(0)
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
