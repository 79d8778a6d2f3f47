"""Timers: never early, in the order of their deadlines, repeating, stopped in time."""

from __future__ import annotations

import math
import random

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.loop import Loop


@pytest.mark.parametrize("after", [0.0, 0.0001, 0.001, 0.0015, 0.01, 0.0333])
def test_a_timer_never_fires_early(loop: Loop, after: float) -> None:
    seen: list[float] = []
    for _ in range(5):
        start = loop.clock()
        with loop.timer(after) as timer:
            timer.start(lambda: seen.append(loop.clock()))
            loop.run()
        assert seen.pop() >= start + after
        assert seen == []


def test_a_timer_counts_from_its_start_and_not_from_the_loops_last_look_at_the_clock(loop: Loop) -> None:
    stale = loop.now()
    while loop.clock() - stale < 0.02:
        if hasattr(loop, "advance"):
            loop.advance(0.01)
    start = loop.clock()
    seen: list[float] = []
    with loop.timer(0.01) as timer:
        timer.start(lambda: seen.append(loop.clock()))
        loop.run()
    assert seen[0] >= start + 0.01


def test_timers_fire_in_the_order_of_their_deadlines(loop: Loop) -> None:
    delays = [number / 10000 for number in range(100)]
    random.Random(1).shuffle(delays)
    timers = [(loop.timer(delay), delay) for delay in delays]
    seen: list[float] = []
    for timer, delay in timers:
        timer.start(seen.append, delay)
    due = [delay for timer, delay in sorted(timers, key=lambda pair: pair[0].at)]
    loop.run()
    assert seen == due


def test_timers_for_the_same_delay_fire_in_the_order_of_their_start(loop: Loop) -> None:
    timers = [loop.timer(0.005) for _ in range(500)]
    seen: list[int] = []
    for number, timer in enumerate(timers):
        timer.start(seen.append, number)
    loop.run()
    assert seen == list(range(500))


def test_ten_thousand_timers_all_fire(loop: Loop) -> None:
    seen: list[int] = []
    delay = random.Random(2)
    timers = [loop.timer(delay.random() / 50) for _ in range(10_000)]
    for number, timer in enumerate(timers):
        timer.start(seen.append, number)
    assert len(loop.deadlines) == 10_000
    loop.run()
    assert sorted(seen) == list(range(10_000))
    assert not loop.alive()


def test_a_timer_fires_once_and_is_then_inactive(loop: Loop) -> None:
    seen: list[bool] = []
    timer = loop.timer(0.001)
    timer.start(lambda: seen.append(timer.active))
    assert timer.active
    loop.run()
    assert seen == [False]
    assert not timer.active
    assert not timer.pending
    assert not loop.alive()


def test_a_timer_can_be_started_again_by_its_own_callback(loop: Loop) -> None:
    seen: list[int] = []
    timer = loop.timer(0.001)

    def again() -> None:
        seen.append(len(seen))
        if len(seen) < 5:
            timer.start(again)

    timer.start(again)
    loop.run()
    assert seen == [0, 1, 2, 3, 4]


def test_a_repeating_timer_fires_at_multiples_of_its_interval_until_stopped(loop: Loop) -> None:
    seen: list[float] = []
    timer = loop.timer(0.004, 0.002)

    def tick() -> None:
        seen.append(loop.clock())
        if len(seen) == 5:
            timer.stop()

    start = loop.clock()
    timer.start(tick)
    loop.run()
    assert len(seen) == 5
    for number, time in enumerate(seen):
        assert time - start >= 0.004 + 0.002 * number - 1e-9
    assert not timer.active


def test_again_starts_anew_from_now(loop: Loop) -> None:
    seen: list[float] = []
    with loop.timer(3600.0, 0.003) as timer:
        timer.start(pytest.fail, "its first start was overridden")
        start = loop.clock()

        def once() -> None:
            seen.append(loop.clock())
            timer.stop()

        timer.again(once)
        loop.run()
    assert len(seen) == 1
    assert seen[0] >= start + 0.003


def test_a_stopped_timer_does_not_fire(loop: Loop) -> None:
    timer = loop.timer(0.0)
    timer.start(pytest.fail, "a stopped timer fired")
    timer.stop()
    with loop.timer(0.002) as other:
        other.start(lambda: None)
        loop.run()


def test_a_timer_that_a_callback_stops_in_the_same_pass_does_not_fire(loop: Loop) -> None:
    victim = loop.timer(0.0)
    killer = loop.timer(0.0)
    killer.start(victim.stop)
    victim.start(pytest.fail, "a stopped timer fired")
    loop.run()
    assert not victim.active


def test_a_pending_timer_says_so_and_can_still_be_stopped(loop: Loop) -> None:
    timer = loop.timer(0.0)
    timer.start(pytest.fail, "a stopped timer fired")
    loop.run_pass(False)
    assert timer.pending
    timer.stop()
    assert not timer.pending
    loop.run()


@pytest.mark.parametrize("seconds", [-1, -0.001, -math.inf, math.nan])
def test_negative_times_are_refused(loop: Loop, seconds: float) -> None:
    with pytest.raises(ValueError, match="delay"):
        loop.timer(seconds)
    with pytest.raises(ValueError, match="period"):
        loop.timer(0.0, seconds)


@pytest.mark.parametrize("after", [1e7, 1e12, math.inf])
def test_a_wait_longer_than_the_system_can_count_is_no_error(loop: Loop, after: float) -> None:
    with loop.timer(after) as timer:
        timer.start(lambda: None)
        loop.wake()
        loop.run_pass(True)  # returns: it was woken before it slept
    loop.run(nowait=True)


def test_a_timer_without_ref_does_not_keep_the_loop_alive(loop: Loop) -> None:
    timer = loop.timer(3600.0, ref=False)
    timer.start(pytest.fail, "nobody waited for it")
    assert not loop.alive()
    loop.run()
    timer.ref = True
    assert loop.alive()
    timer.ref = False
    assert not loop.alive()
    timer.stop()


def test_ref_can_change_while_a_timer_runs(loop: Loop) -> None:
    timer = loop.timer(3600.0)
    timer.start(print)
    assert loop.alive()
    timer.ref = False
    assert not loop.alive()
    timer.ref = True
    timer.stop()
    assert not loop.alive()


def test_what_a_timers_callback_makes_due_at_once_does_not_keep_the_pass_going(loop: Loop) -> None:
    """A timer of 0 seconds that starts itself again fires once in each pass, so that fds get their turn."""
    seen: list[int] = []
    timer = loop.timer(0.0)

    def again() -> None:
        seen.append(1)
        timer.start(again)

    timer.start(again)
    for number in range(1, 4):
        loop.run(nowait=True)
        assert len(seen) == number
    timer.stop()
