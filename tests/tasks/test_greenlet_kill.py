"""Ending a greenlet from outside: kill and throw, in every phase of its life."""

import threading

import pytest

import hubcore
from hubcore import Greenlet, GreenletExit, Timeout, getcurrent, sleep, spawn, spawn_later, spawn_raw


class Stop(Exception):
    pass


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def in_phase(phase, ran):
    """A greenlet in that phase, which appends to `ran` when it runs, and again when it gets past its wait."""

    def body():
        ran.append("started")
        if phase == "ready":
            wake.append(hub.new_waiter("the test"))
            hub.park(wake[0])
        elif phase == "yielding":
            sleep(0)
        else:
            sleep(100)
        ran.append("went on")
        sleep(100)

    hub = hubcore.get_hub()
    wake = []
    task = Greenlet(body)
    if phase == "later":
        task.start_later(100)
    elif phase != "new":
        task.start()
    if phase in ("parked", "ready"):
        sleep(0)
        assert ran == ["started"]
        assert task.waiting_on
    if phase == "ready":
        assert wake[0].wake()
    if phase == "yielding":
        while not ran:
            hub.yield_now()
    return task


NEVER_RUNS = ("new", "scheduled", "later")
PHASES = (*NEVER_RUNS, "parked", "ready", "yielding")


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_greenlet_ends_with_greenletexit_as_its_value(phase):
    ran = []
    task = in_phase(phase, ran)
    task.kill()
    assert task.dead
    assert task.ready()
    assert task.successful()
    assert not task.started
    assert isinstance(task.value, GreenletExit)
    if phase in NEVER_RUNS:
        assert ran == []
        task.start()
        sleep(0.001)
        assert ran == [], "what was killed before it started must never run"
    elif phase != "ready":
        assert ran == ["started"], "it must not get past where it was killed"


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("exception", [Stop, Stop("with text")], ids=["class", "instance"])
def test_a_greenlet_killed_with_another_exception_fails_with_it_and_nothing_is_reported(phase, exception, caplog):
    task = in_phase(phase, [])
    task._add_observer()  # somebody will: the kill blocks, and the test looks at the exception
    task.kill(exception)
    assert isinstance(task.exception, Stop)
    assert isinstance(exception, type) or task.exception is exception
    assert not task.successful()
    with pytest.raises(Stop):
        task.get()
    assert not caplog.records


@pytest.mark.parametrize("phase", PHASES)
def test_a_kill_without_block_does_not_switch(phase):
    ran = []
    task = in_phase(phase, ran)
    before = list(ran)
    task.kill(block=False)
    assert ran == before
    assert task.ready() == (phase in NEVER_RUNS)
    task.join()
    assert isinstance(task.value, GreenletExit)


def test_killing_an_ended_greenlet_changes_nothing():
    task = spawn(lambda: 5)
    task.join()
    task.kill()
    task.kill(Stop)
    assert task.get() == 5


def test_a_greenlet_that_kills_itself_stops_there():
    ran = []

    def body():
        try:
            getcurrent().kill()
        finally:
            ran.append("unwound")
        ran.append("went on")

    task = spawn(body)
    task.join()
    assert ran == ["unwound"]
    assert task.successful()


def test_a_greenlet_that_kills_itself_without_block_goes_on_to_its_next_wait():
    ran = []

    def body():
        getcurrent().kill(block=False)
        ran.append("went on")
        sleep(0)
        ran.append("waited")

    task = spawn(body)
    task.join()
    assert ran == ["went on"]
    assert isinstance(task.value, GreenletExit)


def test_a_running_greenlet_that_is_killed_by_a_callee_gets_it_at_its_next_wait():
    """What is running when it is killed, further up its own stack, is not parked: it has to be remembered."""

    def body():
        task.kill(Stop, block=False)
        with pytest.raises(Stop):
            sleep(1)
        return "handled"

    task = spawn(body)
    assert task.get() == "handled"


def test_a_kill_waits_for_finally_blocks_that_wait_themselves():
    ran = []

    def body():
        try:
            sleep(100)
        finally:
            sleep(0.01)
            ran.append("unwound")

    task = spawn(body)
    sleep(0)
    task.kill()
    assert ran == ["unwound"]


def test_a_kill_with_timeout_gives_up_waiting_for_a_greenlet_that_will_not_end():
    def stubborn():
        try:
            sleep(100)
        except GreenletExit:
            sleep(0.05)
        return "ended after all"

    task = spawn(stubborn)
    sleep(0)
    task.kill(timeout=0.01)
    assert not task.ready()
    assert task.get() == "ended after all"


def test_a_greenlet_may_ignore_a_kill_and_is_killed_again():
    caught = []

    def stubborn():
        for _ in range(3):
            try:
                sleep(100)
            except GreenletExit:
                caught.append(1)
        return "done"

    task = spawn(stubborn)
    for _ in range(3):
        sleep(0)
        task.kill(block=False)
    assert task.get() == "done"
    assert caught == [1, 1, 1]


def test_two_kills_before_it_runs_again_are_both_raised_in_order():
    seen = []

    def body():
        for _ in range(2):
            try:
                sleep(100)
            except (Stop, KeyError) as error:
                seen.append(type(error))

    task = spawn(body)
    sleep(0)
    task.kill(Stop, block=False)
    task.kill(KeyError, block=False)
    task.join()
    assert seen == [Stop, KeyError]


def test_joiners_of_an_unstarted_greenlet_are_woken_when_it_is_killed():
    task = Greenlet(lambda: None)
    joiner = spawn(task.join)
    sleep(0)
    assert not joiner.ready()
    task.kill()
    joiner.join(timeout=1)
    assert joiner.ready()


def test_a_greenlet_can_be_killed_from_another_thread():
    task = spawn(sleep, 100)
    sleep(0)
    hub = hubcore.get_hub()
    hub.loop.begin_external()  # virtual time must not jump while the other thread is at work
    thread = threading.Thread(target=task.kill, kwargs={"block": False})
    thread.start()
    task.join()
    hub.loop.end_external()
    thread.join()
    assert isinstance(task.value, GreenletExit)


def test_a_kill_from_another_thread_can_wait_for_the_end():
    seen = []
    task = spawn(sleep, 100)
    unstarted = Greenlet(seen.append, "ran")
    sleep(0)

    def kill():
        task.kill()
        unstarted.kill()
        seen.append((task.dead, unstarted.dead))
        hub.loop.run_callback_threadsafe(waiter.wake)

    hub = hubcore.get_hub()
    waiter = hub.new_waiter("the other thread")
    hub.loop.begin_external()  # virtual time must not jump while the other thread is at work
    thread = threading.Thread(target=kill)
    thread.start()
    hub.park(waiter)
    hub.loop.end_external()
    thread.join()
    assert seen == [(True, True)]


def test_killing_a_greenlet_whose_thread_has_ended_does_not_hang():
    made = []
    thread = threading.Thread(target=lambda: made.append(Greenlet(sleep)))
    thread.start()
    thread.join()
    made[0].kill()
    assert made[0].ready()


def test_a_raw_greenlet_is_killed_by_the_function_in_every_phase():
    ran = []

    def body():
        try:
            ran.append("started")
            sleep(100)
        except GreenletExit:
            ran.append("killed")
            raise

    never = spawn_raw(body)
    hubcore.kill(never)
    sleep(0)
    assert ran == []
    parked = spawn_raw(body)
    sleep(0)
    hubcore.kill(parked)
    assert ran == ["started"]
    sleep(0)
    assert ran == ["started", "killed"]
    assert parked.dead
    hubcore.kill(parked)
    hubcore.kill(never)


def test_the_function_kill_works_for_tasks_and_never_switches():
    task = spawn(sleep, 100)
    sleep(0)
    hubcore.kill(task, Stop)
    assert not task.ready()
    with pytest.raises(Stop):
        task.get()


def test_throw_from_the_hub_raises_at_once(hub):
    seen = []

    def body():
        try:
            sleep(100)
        except Stop as error:
            seen.append(str(error))

    task = spawn(body)
    sleep(0)
    hub.loop.run_callback(task.throw, Stop, "text")
    task.join()
    assert seen == ["text"]


@pytest.mark.parametrize("arguments", [(), (GreenletExit,), (GreenletExit, "text"), (GreenletExit("text"),)])
def test_throw_into_an_unstarted_greenlet_finishes_it(arguments):
    ran = []
    task = spawn(ran.append, 1)
    task.throw(*arguments)
    sleep(0)
    assert ran == []
    assert isinstance(task.value, GreenletExit)


def test_killall_ends_all_of_them_and_waits(hub):
    tasks = [spawn(sleep, 100), spawn_later(50, sleep), Greenlet(sleep), spawn_raw(sleep, 100)]
    sleep(0)
    hubcore.killall(tasks)
    sleep(0)
    assert all(task.dead or not task for task in tasks)
    assert hub.parked.count == 0


def test_killall_raises_timeout_for_those_that_will_not_end():
    def stubborn():
        try:
            sleep(100)
        except Stop:
            sleep(0.05)

    task = spawn(stubborn)
    sleep(0)
    with pytest.raises(Timeout):
        hubcore.killall([task], Stop, timeout=0.01)
    task.join()


def test_killall_without_block_and_of_nothing_returns_at_once():
    task = spawn(sleep, 100)
    sleep(0)
    hubcore.killall([task], block=False)
    hubcore.killall([])
    assert not task.ready()
    task.join()


def test_a_greenlet_that_is_among_the_victims_of_its_own_killall_ends_last():
    order = []

    def victim():
        try:
            sleep(100)
        finally:
            order.append("other")

    def suicidal():
        try:
            hubcore.killall([getcurrent(), other])
        finally:
            order.append("self")

    other = spawn(victim)
    task = spawn(suicidal)
    task.join()
    assert order == ["other", "self"]
    assert isinstance(task.value, GreenletExit)
