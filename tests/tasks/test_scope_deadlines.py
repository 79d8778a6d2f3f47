"""Deadlines of cancel scopes: the moment, the effect, and moving them."""

from math import inf, nan

import pytest

from hubcore import (
    Cancelled,
    CancelScope,
    current_effective_deadline,
    fail_after,
    fail_at,
    move_on_after,
    move_on_at,
    sleep,
    spawn,
)


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def run(function, *args):
    """Run it in the main greenlet, and in one of its own: a scope works in both."""
    function(*args)
    spawn(function, *args).get()


def test_move_on_after_ends_the_block_and_goes_on(hub):
    def body():
        before = hub.loop.update_now()
        with move_on_after(0.02) as scope:
            assert before + 0.02 <= scope.deadline <= hub.loop.update_now() + 0.02
            sleep(10)
        assert scope.cancelled_caught
        assert hub.loop.update_now() - before >= 0.02
        assert len(hub.loop.deadlines) == 0

    run(body)


def test_a_block_in_time_leaves_no_deadline_behind(hub):
    for make in (move_on_after, fail_after):
        with make(10) as scope:
            sleep(0)
            assert len(hub.loop.deadlines) == 1
        assert not scope.cancel_called
        assert len(hub.loop.deadlines) == 0


def test_fail_after_says_so():
    with pytest.raises(TimeoutError, match=r"within 0\.01 seconds") as caught, fail_after(0.01):
        sleep(10)
    assert isinstance(caught.value.__cause__, Cancelled)


def test_fail_after_that_is_cancelled_by_a_call_just_moves_on():
    with fail_after(10) as scope:
        scope.cancel()
        sleep(0)
    assert scope.cancelled_caught


def test_fail_after_whose_block_waits_no_more_does_not_fail(hub):
    with fail_after(0):
        pass
    with fail_after(0.001) as scope:
        while hub.loop.update_now() <= scope.deadline:
            if hasattr(hub.loop, "advance"):  # on virtual time
                hub.loop.advance(0.01)
    assert not scope.cancelled_caught


@pytest.mark.parametrize("make", [move_on_after, fail_after])
def test_no_time_at_all_means_the_first_wait(make):
    ran = []
    try:
        with make(0) as scope:
            ran.append(None)
            sleep(0)
            pytest.fail("it goes on")
    except TimeoutError:
        assert make is fail_after
    assert ran
    assert scope.cancelled_caught


@pytest.mark.parametrize("make", [move_on_after, fail_after])
@pytest.mark.parametrize("seconds", [None, inf])
def test_without_limit(hub, make, seconds):
    with make(seconds) as scope:
        assert scope.deadline == inf
        sleep(0.001)
        assert len(hub.loop.deadlines) == 0


@pytest.mark.parametrize("make", [move_on_after, fail_after])
@pytest.mark.parametrize("seconds", [-1, -0.5, nan, -inf])
def test_a_time_that_is_none_is_refused(make, seconds):
    with pytest.raises(ValueError, match=f"{make.__name__}.*{seconds!r}"):
        make(seconds)


def test_a_deadline_that_is_no_time_is_refused():
    for make in (CancelScope, move_on_at, fail_at):
        with pytest.raises(ValueError, match="nan"):
            make(nan)
        with pytest.raises(TypeError):
            make("soon")
    with CancelScope() as scope, pytest.raises(ValueError, match="nan"):
        scope.deadline = nan


def test_at_a_time_of_the_loop(hub):
    with move_on_at(hub.loop.update_now() + 0.01) as scope:
        sleep(10)
    assert scope.cancelled_caught
    with pytest.raises(TimeoutError, match="its deadline has passed"), fail_at(hub.loop.update_now() - 1):
        sleep(10)


def test_the_deadline_can_be_moved(hub):
    with move_on_after(0.01) as scope:
        scope.deadline += 0.05
        sleep(0.03)
        scope.deadline = hub.loop.update_now() + 0.01
        sleep(10)
    assert scope.cancelled_caught


def test_a_deadline_moved_into_the_past_cancels_at_once(hub):
    with CancelScope() as scope:
        scope.deadline = hub.loop.update_now()
        assert scope.cancel_called
        scope.deadline = inf
        assert scope.cancel_called
        with pytest.raises(Cancelled):
            sleep(0)


def test_a_deadline_taken_away_does_not_come(hub):
    with move_on_after(0.01) as scope:
        scope.deadline = inf
        assert len(hub.loop.deadlines) == 0
        sleep(0.03)
    assert not scope.cancel_called


def test_a_deadline_set_before_entering_replaces_the_seconds(hub):
    scope = move_on_after(0)
    scope.deadline = inf
    with scope:
        sleep(0.001)
    assert not scope.cancel_called


def test_the_earlier_of_two_deadlines_comes_first():
    with move_on_after(100) as outer:
        with move_on_after(0.01) as inner:
            sleep(10)
        assert inner.cancelled_caught
        assert not outer.cancel_called
    with move_on_after(0.01) as outer:
        with move_on_after(100) as inner:
            sleep(1000)
    assert outer.cancelled_caught
    assert not inner.cancelled_caught


def test_the_deadline_comes_in_a_shield_too():
    with move_on_after(0.01, shield=True) as scope:
        sleep(10)
    assert scope.cancelled_caught


def test_the_effective_deadline(hub):
    now = hub.loop.update_now()
    assert current_effective_deadline() == inf
    with move_on_at(now + 50):
        assert current_effective_deadline() == now + 50
        with move_on_at(now + 90):
            assert current_effective_deadline() == now + 50
            with move_on_at(now + 70, shield=True):
                assert current_effective_deadline() == now + 70
                with CancelScope() as scope:
                    scope.cancel()
                    assert current_effective_deadline() == -inf
            assert current_effective_deadline() == now + 50
    assert current_effective_deadline() == inf
    assert spawn(current_effective_deadline).get() == inf


@pytest.mark.parametrize("make", [move_on_after, fail_after])
def test_seconds_that_are_no_number_are_named(make):
    with pytest.raises(TypeError, match=rf"{make.__name__}\(\): seconds must be a number .*, not 'x'"):
        make("x")


@pytest.mark.parametrize("make", [move_on_at, fail_at, CancelScope])
def test_a_deadline_that_is_no_number_is_named(make):
    with pytest.raises(TypeError, match=r"deadline must be a time of the hub's loop, .*, not 'x'"):
        make("x")
