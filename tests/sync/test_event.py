"""Event: a flag that greenlets of any hub, and callbacks that do not wait, can share."""

import gc

import pytest

import hubcore
from hubcore import Timeout, sleep, spawn
from hubcore._sync.links import DirectLink
from hubcore.event import Event
from hubcore.exceptions import BlockingSwitchOutError, LoopExit
from hubcore.testing import settle

NO_NUMBER = "soon"


def test_it_begins_clear_and_says_so(hub):
    event = Event()
    assert (event.is_set(), event.isSet(), event.ready()) == (False, False, False)
    assert "clear, 0 waiting" in repr(event)
    event.set()
    event.set()
    assert (event.is_set(), event.isSet(), event.ready()) == (True, True, True)
    assert repr(event).endswith(" set, 0 waiting>")
    event.clear()
    event.clear()
    assert not event.is_set()


def test_it_belongs_to_no_hub(hub):
    assert Event().hub is None
    assert Event().cross_thread


def test_waiting_for_one_that_is_set_does_not_switch(hub):
    event = Event()
    event.set()
    ran = []
    spawn(ran.append, 1)
    assert event.wait() is True
    assert event.wait(0) is True
    assert ran == []
    settle(hub)


def test_set_wakes_all_who_wait_in_their_order_and_does_not_switch(hub):
    event, woken = Event(), []

    def waits(number):
        assert event.wait() is True
        woken.append(number)

    tasks = [spawn(waits, number) for number in range(5)]
    settle(hub)
    assert event.linkcount() == 5
    event.set()
    assert woken == []
    hubcore.joinall(tasks, raise_error=True)
    assert woken == list(range(5))


def test_a_clear_right_after_the_set_takes_nothing_from_those_who_waited(hub):
    event = Event()
    tasks = [spawn(event.wait) for _ in range(3)]
    settle(hub)
    event.set()
    event.clear()
    late = spawn(event.wait, 0.001)
    hubcore.joinall([*tasks, late])
    assert [task.value for task in tasks] == [True] * 3
    assert late.value is False


@pytest.mark.parametrize("timeout", [0, 0.001, -1, 0.0])
def test_a_wait_that_times_out_says_so_and_leaves(hub, timeout):
    event = Event()
    assert event.wait(timeout) is False
    assert event.linkcount() == 0


def test_a_kill_or_a_timeout_ends_the_wait_and_leaves_nothing_behind(hub):
    event = Event()
    task = spawn(event.wait)
    settle(hub)
    task.kill()
    with pytest.raises(Timeout), Timeout(0.001):
        event.wait()
    assert event.linkcount() == 0
    event.set()


def test_a_timeout_that_is_no_number_is_refused_and_leaves_nothing_behind(hub):
    event = Event()
    with pytest.raises(TypeError):
        event.wait(NO_NUMBER)
    with pytest.raises(ValueError, match="nan"):
        event.wait(float("nan"))
    assert event.linkcount() == 0


def test_in_the_hub_it_can_be_set_and_asked_but_not_waited_for(hub):
    event, other, said = Event(), Event(), []

    def callback():
        said.append(other.wait(0))
        event.set()
        said.append(event.wait())
        for timeout, error in ((None, BlockingSwitchOutError), (1, BlockingSwitchOutError), (NO_NUMBER, TypeError)):
            with pytest.raises(error):
                other.wait(timeout)
        said.append(other.linkcount())

    hub.loop.run_callback(callback)
    assert event.wait(5)
    settle(hub)
    assert said == [False, True, 0]


def test_nobody_who_could_set_it_is_a_loop_exit_that_names_it(hub):
    event = Event()
    with pytest.raises(LoopExit, match="<Event at"):
        event.wait()
    assert event.linkcount() == 0


def test_of_many_links_one_that_is_there_twice_counts_twice(hub):
    class Link(DirectLink):
        def notify(self, source):
            """Nobody is to be told."""

        __call__ = notify

    event, link = Event(), Link()
    for _ in range(100):
        event.rawlink(Link())
    event.rawlink(link)
    event.rawlink(link)
    assert event.linkcount() == 102
    event.unlink(link)
    assert event.linkcount() == 101


def test_a_link_is_called_once_in_the_hub_and_soon_if_it_is_set_already(hub):
    event, calls = Event(), []

    def link(source):
        calls.append((source, hubcore.getcurrent() is hub))

    event.rawlink(link)
    assert event.linkcount() == 1
    event.set()
    assert calls == []
    settle(hub)
    event.clear()
    event.set()
    settle(hub)
    assert calls == [(event, True)]
    event.rawlink(link)
    settle(hub)
    assert calls == [(event, True)] * 2


def test_a_link_can_be_taken_back_and_has_to_be_callable(hub):
    event, calls = Event(), []
    event.unlink(calls.append)
    event.rawlink(calls.append)
    event.rawlink(calls.append)
    event.unlink(calls.append)
    assert event.linkcount() == 1
    event.unlink(calls.append)
    event.set()
    settle(hub)
    assert calls == []
    with pytest.raises(TypeError, match="callable, not 5"):
        event.rawlink(5)


def test_a_link_that_fails_is_reported_and_the_others_are_called(hub, caplog):
    event, calls = Event(), []
    event.rawlink(lambda source: 1 / 0)
    event.rawlink(calls.append)
    event.set()
    settle(hub)
    assert calls == [event]
    assert "ZeroDivisionError" in caplog.text


def test_wait_and_iwait_take_it(hub):
    first, second = Event(), Event()
    assert hubcore.wait([first], timeout=0.001) == []
    hub.loop.run_callback(second.set)
    assert hubcore.wait([first, second], count=1) == [second]
    hub.loop.run_callback(first.set)
    with hubcore.iwait([first, second]) as found:
        assert list(found) == [second, first]
    assert (first.linkcount(), second.linkcount()) == (0, 0)


def test_one_that_waits_again_when_set_wakes_it_is_not_woken_twice_by_the_same_set(hub):
    event, turns = Event(), []

    def waits():
        while len(turns) < 3:
            event.wait()
            event.clear()
            turns.append(len(turns))

    task = spawn(waits)
    for turn in range(3):
        settle(hub)
        assert len(turns) == turn
        event.set()
    task.join()


def test_a_finalizer_may_set_it(hub):
    event = Event()

    class Last:
        def __del__(self):
            event.set()

    last = Last()
    last.itself = last
    task = spawn(event.wait)
    settle(hub)
    del last
    gc.collect()
    assert event.is_set()
    task.join()
    assert task.value is True


def test_a_subclass_that_forgets_to_initialise_gets_an_error_and_no_crash(hub):
    class Forgetful(Event):
        def __init__(self):
            """Does not call its base's."""

    for call in (Forgetful().wait, Forgetful().linkcount):
        with pytest.raises((AttributeError, TypeError)):
            call()


def test_after_a_fork_it_forgets_who_waits_and_stays_set_or_not(hub):
    event = Event()
    task = spawn(event.wait)
    sleep(0)
    event._at_fork_reinit()
    assert (event.linkcount(), event.is_set()) == (0, False)
    event.set()
    event._at_fork_reinit()
    assert event.is_set()
    task.kill()


def test_a_hub_that_is_destroyed_leaves_those_of_other_hubs_waiting(hub):
    event = Event()
    task = spawn(event.wait)
    sleep(0)
    hub.destroy()
    assert task.ready()
    assert event.linkcount() == 0
    event.set()
    assert event.wait() is True
