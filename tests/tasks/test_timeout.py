"""Timeout: raised in the greenlet that started it, once, when its time has come."""

import gc

import pytest

import hubcore
from hubcore import Greenlet, Timeout, getcurrent, sleep, spawn, with_timeout


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def test_a_timeout_raises_itself_where_its_greenlet_waits():
    timeout = Timeout(0.01)
    with pytest.raises(Timeout) as caught, timeout:
        sleep(10)
    assert caught.value is timeout
    assert not timeout.pending


def test_a_timeout_is_a_base_exception_that_except_exception_lets_pass():
    assert not issubclass(Timeout, Exception)
    with pytest.raises(Timeout), Timeout(0.01):
        try:
            sleep(10)
        except Exception:
            pytest.fail("an `except Exception` must not catch it")


def test_a_block_that_is_in_time_is_left_alone(hub):
    with Timeout(0.01) as timeout:
        sleep(0)
        assert timeout.pending
    assert not timeout.pending
    assert len(hub.loop.deadlines) == 0
    sleep(0.02)


class Late(Exception):
    pass


@pytest.mark.parametrize("exception", [Late, Late("text")], ids=["class", "instance"])
def test_another_exception_can_be_raised_instead(exception):
    with pytest.raises(Late) as caught, Timeout(0.01, exception):
        sleep(10)
    assert isinstance(exception, type) or caught.value is exception


def test_an_exception_class_is_made_an_instance_in_the_greenlet_that_timed_out():
    """Its constructor is the program's code: what that raises concerns nobody else who happens to run."""

    class Broken(Exception):
        def __init__(self):
            made_in.append(getcurrent())
            raise Late

    made_in = []

    def victim():
        with pytest.raises(Late), Timeout(0.01, Broken):
            sleep(10)

    bystander = spawn(sleep, 0.02)
    task = spawn(victim)
    task.get()
    assert made_in == [task]
    bystander.get()


def test_false_makes_the_with_block_swallow_its_own_timeout():
    with Timeout(0.01, False) as timeout:
        sleep(10)
        pytest.fail("it must have been left")
    assert not timeout.pending


def test_false_swallows_no_other_timeout():
    with pytest.raises(Timeout) as caught, Timeout(5) as outer, Timeout(10, False):
        raise outer
    assert caught.value is outer


def test_seconds_none_never_fires_and_is_never_pending(hub):
    with Timeout(None) as timeout:
        assert not timeout.pending
        assert len(hub.loop.deadlines) == 0
        sleep(0.01)


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_at_all_is_raised_at_the_next_wait(seconds):
    with pytest.raises(Timeout), Timeout(seconds):
        sleep(10)


def test_starting_a_running_timeout_again_is_refused():
    timeout = Timeout(10)
    timeout.start()
    try:
        with pytest.raises(AssertionError, match="already started"):
            timeout.start()
    finally:
        timeout.close()
    timeout.close()
    timeout.cancel()


def test_a_timeout_can_be_started_again_after_cancel_and_after_it_was_raised():
    timeout = Timeout(0.01)
    for _ in range(3):
        timeout.start()
        timeout.cancel()
        timeout.start()
        with pytest.raises(Timeout) as caught:
            sleep(10)
        assert caught.value is timeout
        with pytest.raises(Timeout), timeout:
            sleep(10)


def test_an_inner_timeout_does_not_end_the_outer_block():
    with Timeout(0.05) as outer:
        with pytest.raises(Timeout) as caught, Timeout(0.01) as inner:
            sleep(10)
        assert caught.value is inner
        assert outer.pending


def test_an_outer_timeout_passes_through_the_inner_block():
    outer, inner = Timeout(0.01), Timeout(10, False)
    with pytest.raises(Timeout) as caught, outer, inner:
        sleep(20)
    assert caught.value is outer
    assert not inner.pending


def test_two_timeouts_that_come_due_together_are_raised_one_after_the_other(hub):
    """The first ends the wait; the other one is still in force after that, and is raised at the next wait."""

    def victim():
        with pytest.raises(Timeout) as caught, Timeout(0.02) as outer:
            with pytest.raises(Timeout) as first, Timeout(0.01) as inner:
                spawn(busy, hub, 0.05)
                sleep(10)
            assert first.value is inner
            sleep(10)
        assert caught.value is outer

    spawn(victim).get()


def busy(hub, seconds):
    """Pass the time without waiting, as a computation does."""
    end = hub.loop.update_now() + seconds
    advance = getattr(hub.loop, "advance", None)
    if advance is not None:
        advance(seconds)
    while hub.loop.update_now() < end:
        pass


def test_cancel_takes_back_a_timeout_that_fired_while_its_greenlet_was_ready_to_run(hub):
    def victim():
        with Timeout(0.01) as timeout:
            waiter = hub.new_waiter("the test")
            wake.append(waiter)
            hub.park(waiter)
            seen.append(timeout.pending)
        sleep(0)
        sleep(0.02)
        return "never timed out"

    wake, seen = [], []
    task = spawn(victim)
    sleep(0)
    assert wake[0].wake()
    busy(hub, 0.02)
    hub.loop.run_pass(False)
    assert task.get() == "never timed out"
    assert seen == [True], "it had fired by then, and was still to be raised"


def test_a_timeout_that_fired_is_raised_at_the_next_wait_even_if_that_need_not_wait(hub):
    def victim():
        with pytest.raises(Timeout), Timeout(0.01):
            sleep(0)
            busy(hub, 0.02)
            hub.loop.run_pass(False)
            sleep(0)
            pytest.fail("sleep(0) is a wait, too")

    spawn(victim).get()


def test_a_timeout_wakes_only_the_greenlet_that_started_it():
    timeout = Timeout(0.01)

    def starter():
        timeout.start()
        with pytest.raises(Timeout):
            sleep(10)

    bystander = spawn(sleep, 0.02)
    spawn(starter).get()
    bystander.get()


def test_another_greenlet_may_cancel_it_before_it_fires():
    def starter():
        with timeout:
            sleep(0.02)

    timeout = Timeout(0.01)
    task = spawn(starter)
    sleep(0)
    timeout.cancel()
    task.get()


def test_start_new_takes_seconds_or_a_timeout():
    first = Timeout.start_new(10)
    assert first.pending
    assert Timeout.start_new(first) is first
    first.cancel()
    assert Timeout.start_new(first).pending
    first.close()
    assert not Timeout.start_new(None).pending
    with pytest.raises(Late):
        Timeout.start_new(0.01, Late)
        sleep(10)


def test_with_timeout_returns_the_result_or_the_given_value_or_raises():
    assert with_timeout(1, lambda a, key: (a, key), 1, key=2) == (1, 2)
    assert with_timeout(0.01, sleep, 10, timeout_value="late") == "late"
    with pytest.raises(Timeout):
        with_timeout(0.01, sleep, 10)
    with pytest.raises(Late):
        with_timeout(1, failing, timeout_value="late")


def failing():
    raise Late


def test_with_timeout_returns_its_value_only_for_its_own_timeout():
    with pytest.raises(Timeout) as caught, Timeout(0.01) as outer:
        with_timeout(10, sleep, 20, timeout_value="not this")
    assert caught.value is outer


def test_a_timeout_of_a_greenlet_that_has_ended_disturbs_nobody():
    leaked = []

    def forgetful():
        leaked.append(Timeout(0.01))
        leaked[0].start()

    spawn(forgetful).join()
    gc.collect()
    sleep(0.02)
    leaked[0].cancel()


def test_a_subclass_is_raised_as_itself_and_told_apart():
    class Connecting(Timeout):
        pass

    with pytest.raises(Connecting), Connecting(0.01):
        sleep(10)
    with pytest.raises(Timeout) as caught, Connecting(10), Timeout(0.01):
        sleep(10)
    assert type(caught.value) is Timeout


def test_a_timeout_beats_the_wait_it_interrupts_and_the_wait_leaves_no_trace(hub):
    slow = spawn(sleep, 0.05)
    with Timeout(0.01, False):
        slow.join()
    assert not slow.has_links()
    assert hub.parked.count == 1
    slow.join()


def test_ref_false_does_not_keep_the_loop_alive():
    with pytest.raises(hubcore.LoopExit), Timeout(100, ref=False):
        hubcore.get_hub().park(hubcore.get_hub().new_waiter("nothing"))


def test_text_and_repr_tell_the_seconds():
    assert str(Timeout(1)) == "1 second"
    assert str(Timeout(1.5)) == "1.5 seconds"
    assert str(Timeout(2, False)) == "2 seconds (silent)"
    assert str(Timeout(2, Late("x"))) == "2 seconds: x"
    assert str(Timeout()) == ""
    assert "seconds=3" in repr(Timeout(3))
    assert "pending" not in repr(Timeout(3))


def test_timeouts_compare_with_numbers_and_with_each_other():
    assert Timeout(1) < 2
    assert not Timeout(3) < 2
    assert Timeout(1) < Timeout(2)
    assert max(Timeout(1), Timeout(5)).seconds == 5


def test_many_timeouts_fire_in_the_order_of_their_times():
    order = []

    def one(i):
        with Timeout(0.001 * ((i * 7) % 20 + 1), False):
            sleep(10)
        order.append((i * 7) % 20)

    tasks = [Greenlet.spawn(one, i) for i in range(20)]
    hubcore.joinall(tasks, raise_error=True)
    assert order == sorted(order)
