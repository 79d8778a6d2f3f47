"""Barrier: greenlets that wait for each other."""

import threading

import pytest

import hubcore
from hubcore import Timeout, spawn
from hubcore.exceptions import HubDestroyed
from hubcore.lock import Barrier, BrokenBarrierError
from hubcore.testing import settle


def waiting(hub, barrier, number, timeout=None):
    tasks = [spawn(barrier.wait, timeout) for _ in range(number)]
    settle(hub)
    return tasks


def outcome(task):
    try:
        return task.get()
    except BrokenBarrierError:
        return "broken"


def test_the_last_to_come_lets_all_go_each_with_its_number(hub):
    barrier = Barrier(3)
    assert (barrier.parties, barrier.n_waiting, barrier.broken) == (3, 0, False)
    for _ in range(3):
        tasks = waiting(hub, barrier, 2)
        assert barrier.n_waiting == 2
        assert "2 of 3 waiting" in repr(barrier)
        assert barrier.wait() == 2
        assert [task.get() for task in tasks] == [0, 1]
        assert barrier.n_waiting == 0


def test_its_error_is_the_standard_librarys(hub):
    assert BrokenBarrierError is threading.BrokenBarrierError


@pytest.mark.parametrize("parties", [0, -1])
def test_it_is_for_one_party_or_more(hub, parties):
    with pytest.raises(ValueError, match=f"not {parties}"):
        Barrier(parties)


def test_one_of_a_single_party_never_waits(hub):
    assert Barrier(1).wait() == 0


def test_the_action_is_called_once_before_anybody_goes_on(hub):
    calls = []
    barrier = Barrier(2, lambda: calls.append(barrier.n_waiting))
    (task,) = waiting(hub, barrier, 1)
    assert calls == []
    barrier.wait()
    assert calls == [2]
    task.join()


def test_an_action_that_fails_breaks_it(hub):
    barrier = Barrier(2, lambda: 1 / 0)
    (task,) = waiting(hub, barrier, 1)
    with pytest.raises(ZeroDivisionError):
        barrier.wait()
    assert outcome(task) == "broken"
    assert barrier.broken
    with pytest.raises(BrokenBarrierError, match="reset"):
        barrier.wait()
    barrier.reset()
    assert not barrier.broken


@pytest.mark.parametrize("own", [True, False])
def test_a_timeout_breaks_it_for_all(hub, own):
    barrier = Barrier(3, timeout=None if own else 0.001)
    patient = waiting(hub, barrier, 1, 5)
    with pytest.raises(BrokenBarrierError, match=r"not all of 3 parties .* 0\.00"):
        barrier.wait(0.001 if own else None)
    assert [outcome(task) for task in patient] == ["broken"]
    assert barrier.broken


def test_who_is_killed_or_times_out_breaks_it_for_the_others(hub):
    for end in ("kill", "timeout"):
        barrier = Barrier(3)
        first, second = waiting(hub, barrier, 2)
        if end == "kill":
            first.kill()
        else:
            hub.interrupt(first, Timeout())
            first._add_observer()
        assert outcome(second) == "broken"


def test_abort_and_reset_send_away_those_who_wait(hub):
    barrier = Barrier(3)
    tasks = waiting(hub, barrier, 2)
    barrier.abort()
    assert [outcome(task) for task in tasks] == ["broken"] * 2
    barrier.reset()
    tasks = waiting(hub, barrier, 2)
    barrier.reset()
    assert [outcome(task) for task in tasks] == ["broken"] * 2
    assert not barrier.broken
    tasks = waiting(hub, barrier, 2)
    assert barrier.wait() == 2
    hubcore.joinall(tasks, raise_error=True)


def test_a_reset_while_a_round_is_leaving_takes_nothing_from_it(hub):
    barrier = Barrier(3)
    tasks = waiting(hub, barrier, 2)
    assert barrier.wait() == 2
    barrier.reset()
    assert sorted(outcome(task) for task in tasks) == [0, 1]
    assert (barrier.broken, barrier.n_waiting) == (False, 0)


def test_a_reset_of_a_broken_one_that_some_have_not_left_yet(hub):
    barrier = Barrier(3)
    tasks = waiting(hub, barrier, 2)
    barrier.abort()
    barrier.reset()
    late = spawn(barrier.wait, 1)
    assert [outcome(task) for task in tasks] == ["broken"] * 2
    more = waiting(hub, barrier, 1)
    assert barrier.wait() == 2
    hubcore.joinall([late, *more], raise_error=True)


def test_those_who_come_early_for_the_next_round_wait_for_the_last_one_to_leave(hub):
    barrier, rounds = Barrier(2), []

    def goes_round(name):
        for number in range(5):
            barrier.wait()
            rounds.append(number)

    hubcore.joinall([spawn(goes_round, name) for name in "ab"], raise_error=True)
    assert sorted(rounds) == rounds
    assert len(rounds) == 10


def test_a_hub_that_is_destroyed_breaks_it_also_where_another_has_its_lock(hub, caplog):
    barrier = Barrier(2)
    waits = spawn(barrier.wait)
    settle(hub)
    barrier._condition.acquire()  # as a thread does that is just coming or leaving
    hub.destroy()
    barrier._condition.release()
    assert isinstance(waits.value, HubDestroyed)
    assert barrier.broken
    assert barrier.n_waiting == 0
    assert caplog.records == []
