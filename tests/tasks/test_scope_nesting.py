"""Scopes within scopes: which scope stops a cancellation, and which cancellations a shield keeps out."""

import pytest

from hubcore import Cancelled, CancelScope, GreenletExit, Timeout, getcurrent, sleep, spawn


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def run(function, *args):
    """Run it in a greenlet of its own, and in the main one: a scope works in both."""
    function(*args)
    spawn(function, *args).get()


# -- scopes within scopes


def test_the_outer_scope_ends_both_blocks():
    with CancelScope() as outer:
        with CancelScope() as inner:
            outer.cancel()
            sleep(0)
        pytest.fail("it goes on in the outer block")
    assert outer.cancelled_caught
    assert not inner.cancelled_caught


def test_the_inner_scope_ends_only_its_own():
    with CancelScope() as outer:
        with CancelScope() as inner:
            inner.cancel()
            sleep(0)
        sleep(0)
        on = True
    assert on
    assert inner.cancelled_caught
    assert not outer.cancel_called


def test_of_two_that_are_cancelled_the_outer_one_counts():
    with CancelScope() as outer:
        with CancelScope() as inner:
            inner.cancel("inner")
            outer.cancel("outer")
            with pytest.raises(Cancelled, match="outer") as caught:
                sleep(0)
            raise caught.value
        pytest.fail("it goes on in the outer block")
    assert not inner.cancelled_caught
    assert outer.cancelled_caught


def test_an_outer_cancellation_that_comes_while_the_inner_one_unwinds_goes_on_from_there():
    with CancelScope() as outer:
        with CancelScope() as inner:
            inner.cancel()
            try:
                sleep(0)
            finally:
                outer.cancel()
        pytest.fail("it goes on in the outer block")
    assert not inner.cancelled_caught
    assert outer.cancelled_caught


def test_a_scope_entered_in_a_cancelled_one_is_cancelled():
    with CancelScope() as outer:
        outer.cancel()
        with CancelScope() as inner:
            sleep(0)
        pytest.fail("it goes on in the outer block")
    assert outer.cancelled_caught
    assert not inner.cancel_called


# -- shields


def test_a_shield_keeps_the_cancellation_out_until_it_is_left():
    def body():
        with CancelScope() as outer:
            outer.cancel()
            with CancelScope(shield=True):
                sleep(0)
                sleep(0.001)
                inside.append(None)
            sleep(0)
            pytest.fail("it goes on in the outer block")
        assert outer.cancelled_caught

    inside = []
    run(body)
    assert len(inside) == 2


def test_a_cancellation_that_comes_inside_a_shield_waits_outside():
    with CancelScope() as outer:
        with CancelScope(shield=True) as inner:
            spawn(outer.cancel)
            sleep(0.001)
            assert outer.cancel_called
            reached = True
        with pytest.raises(Cancelled):
            sleep(0)
    assert reached
    assert not inner.cancelled_caught


def test_a_shield_does_not_keep_out_its_own_cancellation():
    with CancelScope() as outer:
        outer.cancel()
        with CancelScope(shield=True) as inner:
            inner.cancel()
            sleep(0)
        assert inner.cancelled_caught
        with pytest.raises(Cancelled):
            sleep(0)


def test_a_shield_can_be_raised_and_lowered():
    with CancelScope() as outer:
        with CancelScope() as inner:
            outer.cancel()
            inner.shield = True
            sleep(0)
            inner.shield = False
            assert not inner.shield
            with pytest.raises(Cancelled):
                sleep(0)


def test_lowering_the_shield_of_one_that_waits_ends_its_wait():
    shields = []

    def body():
        with CancelScope() as outer:
            outer.cancel()
            with CancelScope(shield=True) as inner:
                shields.append(inner)
                sleep(10)
        assert outer.cancelled_caught

    task = spawn(body)
    sleep(0.001)
    shields[0].shield = False
    task.get(timeout=1)


def test_a_scope_between_the_shield_and_the_cancelled_one_is_felt():
    with CancelScope() as outer:
        outer.cancel("outer")
        with CancelScope(shield=True):
            with CancelScope() as middle:
                with CancelScope():
                    middle.cancel("middle")
                    sleep(0)
            assert middle.cancelled_caught


def test_kill_and_timeout_pierce_a_shield():
    def body():
        with CancelScope(shield=True) as scope:
            scopes.append(scope)
            sleep(10)

    scopes = []
    task = spawn(body)
    sleep(0.001)
    task.kill()
    assert isinstance(task.value, GreenletExit)
    with pytest.raises(Timeout), Timeout(0.001), CancelScope(shield=True):
        sleep(10)


def test_a_kill_reaches_one_that_is_being_cancelled_first_and_once(hub):
    with CancelScope() as scope:
        scope.cancel()
        hub.interrupt(getcurrent(), KeyError("kill"))
        for expected in (KeyError, Cancelled, Cancelled):
            with pytest.raises(expected):
                sleep(0)
    hub.interrupt(getcurrent(), KeyError("kill"))
    with CancelScope() as scope:
        scope.cancel()
        for expected in (KeyError, Cancelled, Cancelled):
            with pytest.raises(expected):
                sleep(0)


def test_a_kill_sent_in_a_scope_is_not_lost_when_it_is_left(hub):
    with CancelScope() as scope:
        scope.cancel()
        hub.interrupt(getcurrent(), KeyError("kill"))
    with pytest.raises(KeyError):
        sleep(0)
    sleep(0)
