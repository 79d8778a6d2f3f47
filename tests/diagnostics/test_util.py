"""assert_switches, wrap_errors, clear_stack_frames and hub.statistics()."""

import time
import traceback

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore import getcurrent, sleep, spawn, util


def block(seconds):
    time.sleep(seconds)


# -- assert_switches


@pytest.mark.parametrize("hub_only", [False, True])
def test_a_block_that_lets_nobody_run_is_told(hub, hub_only):
    with pytest.raises(AssertionError, match=r"did not let (the hub|any other greenlet) run"):
        with util.assert_switches(hub_only=hub_only):
            sum(range(10))


@pytest.mark.parametrize("hub_only", [False, True])
@pytest.mark.parametrize("seconds", [0, 0.001])
def test_a_block_that_gives_up_the_processor_passes_also_where_nobody_takes_it(hub, hub_only, seconds):
    with util.assert_switches(hub_only=hub_only):
        sleep(seconds)
    for _ in range(70):  # through more than one batch
        with util.assert_switches(hub_only=hub_only):
            sleep(0)
    other = spawn(sleep, 0.001)
    with util.assert_switches(hub_only=hub_only):
        other.join()


def test_a_switch_by_hand_counts_unless_it_is_to_be_to_the_hub(hub):
    main = getcurrent()

    def there_and_back():
        other = greenlet_module.greenlet(lambda: main.switch())
        other.switch()
        other.throw()

    with util.assert_switches():
        there_and_back()
    with pytest.raises(AssertionError, match="did not let the hub run"):
        with util.assert_switches(hub_only=True):
            there_and_back()


def test_a_wait_that_has_ended_already_is_no_switch(hub):
    waiter = hub.new_waiter("it")
    waiter.wake()
    with pytest.raises(AssertionError):
        with util.assert_switches():
            hub.park(waiter)


def test_what_the_block_raises_comes_out(hub):
    with pytest.raises(ValueError, match="on purpose"):
        with util.assert_switches():
            raise ValueError("on purpose")


def test_a_function_is_checked_at_each_call(hub):
    @util.assert_switches()
    def run(seconds, *, result):
        """What it does."""
        if seconds is not None:
            sleep(seconds)
        return result

    assert run.__doc__ == "What it does."
    assert run(0, result=5) == 5
    with pytest.raises(AssertionError):
        run(None, result=5)
    assert run(0.001, result=6) == 6


def test_a_block_that_runs_too_long_at_a_stretch_is_told(hub):
    with pytest.raises(AssertionError, match=r"ran for 0\.0\d+ seconds .* limit is 0.01 seconds"):
        with util.assert_switches(max_blocking_time=0.01):
            sleep(0)
            block(0.02)
            sleep(0)


def test_a_short_block_need_not_switch_where_a_time_is_given(hub):
    with util.assert_switches(max_blocking_time=100):
        sum(range(10))


def test_waiting_is_not_running_and_neither_is_what_others_run(hub):
    """Whoever polls: the greenlet of the block itself, or another one."""
    with util.assert_switches(max_blocking_time=0.1):
        sleep(0.2)
        other = spawn(block, 0.2)
        other.join()
        with pytest.raises(AssertionError):
            with util.assert_switches(max_blocking_time=0.005):
                block(0.01)


def test_blocks_of_several_greenlets_may_lie_across_each_other(hub):
    results = []

    def run(first, second):
        try:
            with util.assert_switches(max_blocking_time=0.05):
                sleep(first)
                block(second)
        except AssertionError:
            results.append(second)

    before = greenlet_module.gettrace()
    hubcore.joinall([spawn(run, 0.001, 0.1), spawn(run, 0.002, 0), spawn(run, 0.003, 0.09)])
    assert sorted(results) == [0.09, 0.1]
    assert greenlet_module.gettrace() is before
    assert hub.loop._hooks == 0


def test_the_trace_function_of_others_goes_on(hub):
    seen = []
    before = greenlet_module.settrace(lambda event, pair: seen.append(event))
    try:
        with util.assert_switches():
            spawn(int).join()
        assert len(seen) >= 2
        with util.assert_switches(max_blocking_time=100):
            spawn(int).join()
        count = len(seen)
        assert count >= 4
        spawn(int).join()
        assert len(seen) > count
    finally:
        greenlet_module.settrace(before)


def test_it_is_traced_until_the_first_switch_only(hub):
    with util.assert_switches():
        with util.assert_switches():
            assert greenlet_module.gettrace() is not None
            spawn(int).join()
            assert greenlet_module.gettrace() is None
        with pytest.raises(AssertionError):
            with util.assert_switches():
                pass
        assert greenlet_module.gettrace() is None


def test_nothing_is_traced_where_only_the_hub_counts(hub):
    with util.assert_switches(hub_only=True):
        assert greenlet_module.gettrace() is None
        sleep(0)


# -- small things


def test_chosen_errors_are_returned():
    wrapped = util.wrap_errors((ValueError, KeyError), int)
    assert wrapped("3") == 3
    assert isinstance(wrapped("x"), ValueError)
    with pytest.raises(TypeError):
        wrapped(None)
    assert repr(wrapped) == repr(int)
    assert wrapped.from_bytes(b"\1", "big") == 1
    assert wrapped.func is int
    with pytest.raises(TypeError, match="must be callable, not 5"):
        util.wrap_errors(ValueError, 5)


def test_a_greenlet_that_fails_in_a_chosen_way_is_not_reported(hub, caplog):
    task = spawn(util.wrap_errors(ValueError, int), "x")
    task.join()
    assert isinstance(task.value, ValueError)
    assert task.successful()
    assert not caplog.records


def test_the_locals_of_frames_that_have_ended_are_dropped():
    class Large:
        pass

    def fail():
        large = Large()  # noqa: F841
        raise ValueError

    try:
        fail()
    except ValueError as error:
        (_, _), (frame, _) = traceback.walk_tb(error.__traceback__)
        assert isinstance(frame.f_locals["large"], Large)
        util.clear_stack_frames(frame)
        assert "large" not in frame.f_locals
    util.clear_stack_frames(None)


# -- statistics


def test_the_statistics_count_what_there_is(hub, hub_backend):
    before = hub.statistics()
    assert before.backend == hub.backend == hub_backend
    assert (before.parked, before.deadlines) == (0, 0)
    tasks = [spawn(sleep, 1000) for _ in range(3)]
    sleep(0)
    timer = hub.loop.timer(1000, ref=False)
    timer.start(int)
    late = spawn(int)
    now = hub.statistics()
    assert isinstance(now, util.Statistics)
    assert (now.parked, now.ready, now.deadlines, now.watchers - before.watchers) == (3, 1, 4, 1)
    assert now.references == before.references + 3  # the timer does not count
    assert now.external == 0
    assert now.polls >= before.polls
    with pytest.raises(AttributeError):
        now.parked = 5
    sleep(0.001)
    assert hub.statistics().polls > now.polls
    timer.close()
    late.join()
    hubcore.killall(tasks)
