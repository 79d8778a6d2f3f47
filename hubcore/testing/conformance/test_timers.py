"""Timers: never early, in the order of their deadlines, repeating, stopped in time."""

from __future__ import annotations

import math
import random

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.loop import Loop
    from hubcore.testing.conformance.conftest import Child


@pytest.mark.parametrize("after", [0.0, 0.0001, 0.001, 0.0015, 0.01, 0.0333])
def test_a_timer_never_fires_early(loop: Loop, after: float) -> None:
    """A backend must not let a timer fire early by its own `clock`."""
    seen: list[float] = []
    for _ in range(5):
        start = loop.clock()
        with loop.timer(after) as timer:
            timer.start(lambda: seen.append(loop.clock()))
            loop.run()
        assert seen.pop() >= start + after
        assert seen == []


def test_a_timer_counts_from_its_start_and_not_from_the_loops_last_look_at_the_clock(loop: Loop) -> None:
    """A backend must answer `clock` with the time of this moment, not of its last poll."""
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
    """A backend must leave timers to the loop, which fires them in the order of their deadlines."""
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
    """A backend must leave timers to the loop: equal delays fire in the order of their starts."""
    timers = [loop.timer(0.005) for _ in range(500)]
    seen: list[int] = []
    for number, timer in enumerate(timers):
        timer.start(seen.append, number)
    loop.run()
    assert seen == list(range(500))


def test_ten_thousand_timers_all_fire(loop: Loop) -> None:
    """A backend must return from each poll at its limit, for ten thousand timers too."""
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
    """A backend must leave timers to the loop: one without repeat fires once."""
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
    """A backend must return from a poll at its limit again and again."""
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
    """A backend must return from a poll in time for each beat of a repeating timer, and not before."""
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
    """A backend must take the limit of a sleep from the call, not from an earlier one."""
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
    """A backend must keep no timers of its own: a stopped one does not fire."""
    timer = loop.timer(0.0)
    timer.start(pytest.fail, "a stopped timer fired")
    timer.stop()
    with loop.timer(0.002) as other:
        other.start(lambda: None)
        loop.run()


def test_a_timer_that_a_callback_stops_in_the_same_pass_does_not_fire(loop: Loop) -> None:
    """A backend must run no timer's callback itself: one that is stopped in the same pass must not run."""
    victim = loop.timer(0.0)
    killer = loop.timer(0.0)
    killer.start(victim.stop)
    victim.start(pytest.fail, "a stopped timer fired")
    loop.run()
    assert not victim.active


def test_a_pending_timer_says_so_and_can_still_be_stopped(loop: Loop) -> None:
    """A backend must leave timers to the loop: one that is due is pending until its callback runs."""
    timer = loop.timer(0.0)
    timer.start(pytest.fail, "a stopped timer fired")
    loop.run_pass(False)
    assert timer.pending
    timer.stop()
    assert not timer.pending
    loop.run()


@pytest.mark.parametrize("seconds", [-1, -0.001, -math.inf, math.nan])
def test_negative_times_are_refused(loop: Loop, seconds: float) -> None:
    """A backend must leave the check of times to the loop: ValueError for negative ones and NaN."""
    with pytest.raises(ValueError, match="delay"):
        loop.timer(seconds)
    with pytest.raises(ValueError, match="period"):
        loop.timer(0.0, seconds)


@pytest.mark.parametrize("after", [1e7, 1e12, math.inf])
def test_a_wait_longer_than_the_system_can_count_is_no_error(loop: Loop, after: float) -> None:
    """A backend must take any limit, infinity too: it may wait for less, but must not raise or turn it into no wait
    at all."""
    with loop.timer(after) as timer:
        timer.start(lambda: None)
        loop.wake()
        loop.run_pass(True)  # returns: it was woken before it slept
    loop.run(nowait=True)


def test_a_timer_without_ref_does_not_keep_the_loop_alive(loop: Loop) -> None:
    """A backend must leave the count of references to the loop."""
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
    """A backend must leave the count of references to the loop, also while a timer runs."""
    timer = loop.timer(3600.0)
    timer.start(print)
    assert loop.alive()
    timer.ref = False
    assert not loop.alive()
    timer.ref = True
    timer.stop()
    assert not loop.alive()


def test_what_a_timers_callback_makes_due_at_once_does_not_keep_the_pass_going(loop: Loop) -> None:
    """A backend must poll in each pass: a timer of 0 seconds that starts itself again fires once in each, so that
    fds get their turn."""
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


@pytest.mark.parametrize(("how", "rounds"), [("by another thread", 100), ("at each call", 10)])
def test_a_sleep_keeps_its_limit_where_it_is_held_up(child: Child, how: str, rounds: int) -> None:
    """A backend must keep the limit of a sleep where its thread loses the processor after the limit was set.

    A timer of the C library may be due by then: where the library looks at timers first and then sleeps without one, it
    sleeps for ever. A thread that computes takes the processor away at any place; a profile function, which Python
    calls after each call of C code, holds up a `poll` in Python at every place. In a process that is ended if it hangs.
    """
    printed = child(
        f"""
        import sys, threading, time
        from hubcore.backends import loop_class

        loop = loop_class()()
        done = False

        def compute():
            while not done:
                sum(range(100_000))  # longer than the limit, with the GIL

        def hold_up(frame, event, argument):
            if loop.polling and event == "c_return":
                end = time.monotonic() + 0.0015
                while time.monotonic() < end:
                    pass

        thread = threading.Thread(target=compute, daemon=True)
        if "{how}" == "at each call":
            sys.setprofile(hold_up)
        else:
            sys.setswitchinterval(1e-5)
            thread.start()
        for number in range({rounds}):
            with loop.timer(0.0004) as timer:
                timer.start(lambda: None)
                loop.run()
        sys.setprofile(None)
        done = True
        loop.close()
        print("ended", number + 1)
        """
    )
    assert printed == f"ended {rounds}\n"


def test_a_sleep_is_one_poll(loop: Loop) -> None:
    """A backend must sleep: a wait of 20 ms takes a few polls, and not thousands of them."""
    passes = 0
    seen: list[str] = []
    with loop.timer(0.02) as timer:
        timer.start(seen.append, "due")
        while not seen:
            passes += 1
            loop.run(once=True)
    assert passes < 100
