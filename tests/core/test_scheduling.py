"""The order of greenlets: first in, first out, directly from one greenlet to the next, and none starves."""

import os

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore import getcurrent, sleep, spawn, spawn_raw

ROUNDS = 500


def switches_during(function):
    """The switches while `function` runs, as pairs of greenlets."""
    seen = []
    before = greenlet_module.settrace(lambda event, pair: seen.append(pair))
    try:
        function()
    finally:
        greenlet_module.settrace(before)
    return seen


def test_greenlets_start_and_take_turns_in_the_order_they_were_spawned(hub):
    order = []

    def task(name):
        for turn in range(3):
            order.append((turn, name))
            sleep(0)

    hubcore.joinall([spawn(task, name) for name in "abcd"])
    assert order == [(turn, name) for turn in range(3) for name in "abcd"]


def test_callbacks_and_greenlets_share_one_queue(hub):
    order = []
    for i in range(3):
        hub.loop.run_callback(order.append, f"callback {i}")
        spawn_raw(order.append, f"greenlet {i}")
    sleep(0)
    assert order == [f"{kind} {i}" for i in range(3) for kind in ("callback", "greenlet")]


def test_waiters_are_resumed_in_the_order_they_were_woken(hub):
    order, waiters = [], {}

    def task(name):
        waiters[name] = hub.new_waiter(name)
        hub.park(waiters[name])
        order.append(name)

    tasks = [spawn(task, name) for name in "abc"]
    sleep(0)
    for name in "cab":
        assert waiters[name].wake()
    hubcore.joinall(tasks)
    assert order == list("cab")


def test_equal_deadlines_end_in_the_order_they_began(hub):
    order = []
    hub.loop.update_now()
    tasks = [spawn(lambda i=i: (sleep(0.01), order.append(i))) for i in range(50)]
    hubcore.joinall(tasks)
    assert order == list(range(50))


def test_greenlets_that_take_turns_switch_directly_and_not_by_way_of_the_hub(hub):
    def turns():
        for _ in range(100):
            sleep(0)

    tasks = [spawn(turns) for _ in range(3)]
    seen = switches_during(lambda: hubcore.joinall(tasks))
    direct = [pair for pair in seen if hub not in pair]
    assert len(direct) > 290
    assert len(seen) - len(direct) < 20


def test_a_yield_with_nothing_else_ready_does_not_switch_at_all(hub):
    def alone():
        for _ in range(200):
            sleep(0)

    assert switches_during(alone) == []


def test_a_wait_whose_waker_is_next_does_not_switch_at_all(hub):
    """The greenlet that parks polls the loop itself; when that makes it ready, it goes on."""
    assert switches_during(lambda: sleep(0.001)) == []


def test_a_wake_before_the_wait_does_not_switch_at_all(hub):
    def woken_early():
        waiter = hub.new_waiter("an early bird")
        assert waiter.wake("value")
        assert hub.park(waiter)
        assert waiter.value == "value"

    assert switches_during(woken_early) == []


def test_sleep_zero_lets_all_that_is_ready_run_once_and_no_timer_is_started(hub):
    ran = []
    for i in range(5):
        spawn_raw(ran.append, i)
    sleep(0)
    assert ran == [0, 1, 2, 3, 4]
    assert len(hub.loop.deadlines) == 0


def feed_each_other(hub, done):
    """Two greenlets that wake each other for ever, so that something is always ready."""
    slots = [None, None]

    def player(me):
        other = 1 - me
        while not done:
            if slots[other] is not None:
                waiter, slots[other] = slots[other], None
                waiter.wake()
            slots[me] = hub.new_waiter("the other player")
            hub.park(slots[me], 0.5)
            rallies.append(me)

    rallies = []
    return [spawn(player, 0), spawn(player, 1)], rallies


def test_greenlets_that_feed_each_other_do_not_starve_a_timer(hub):
    done = []
    players, rallies = feed_each_other(hub, done)
    hub.loop.run_callback_threadsafe(int)
    advance = getattr(hub.loop, "advance", None)

    def main():
        while len(rallies) < 3:
            sleep(0)
        timer = hub.loop.timer(0.002)
        timer.start(done.append, 1)
        for _ in range(100_000):
            if done:
                break
            if advance is not None:
                advance(0.0001)
            sleep(0)
        timer.close()

    main()
    assert done
    hubcore.joinall(players)


def test_greenlets_that_feed_each_other_do_not_starve_an_fd(hub):
    read, write = os.pipe()
    done = []
    try:
        players, rallies = feed_each_other(hub, done)
        watcher = hub.loop.io(read, 1)
        watcher.start(done.append, 1)
        sleep(0)
        os.write(write, b"x")
        before = len(rallies)
        for _ in range(ROUNDS):
            if done:
                break
            sleep(0)
        watcher.close()
        assert done, "the fd was readable all the time"
        assert len(rallies) - before < 300, "it must be looked at after a bounded number of switches"
        hubcore.joinall(players)
    finally:
        os.close(read)
        os.close(write)


def test_greenlets_that_yield_for_ever_do_not_starve_another_threads_callback(hub):
    done = []

    def turns():
        while not done:
            sleep(0)

    tasks = [spawn(turns) for _ in range(2)]
    sleep(0)
    hub.loop.run_callback_threadsafe(done.append, 1)
    for _ in range(ROUNDS):
        sleep(0)
    assert done
    hubcore.joinall(tasks)


def test_one_that_yields_alone_for_ever_still_polls(hub):
    read, write = os.pipe()
    done = []
    try:
        watcher = hub.loop.io(read, 1)
        watcher.start(done.append, 1)
        os.write(write, b"x")
        for _ in range(ROUNDS):
            if done:
                break
            sleep(0)
        watcher.close()
        assert done
    finally:
        os.close(read)
        os.close(write)


def test_the_budget_of_operations_that_need_not_wait_is_bounded(hub):
    others = []
    spawn_raw(others.append, 1)
    spent = 0
    while not others and spent < 1000:
        hub.spend()
        spent += 1
    assert 1 < spent <= 64


def test_a_switch_renews_the_budget(hub):
    def greedy():
        for _ in range(60):
            hub.spend()
        sleep(0.001)
        turns.append("slept")
        for _ in range(60):
            hub.spend()
        turns.append("spent")

    turns = []
    task = spawn(greedy)
    other = spawn(lambda: (sleep(0.002), turns.append("other")))
    hubcore.joinall([task, other])
    assert turns == ["slept", "spent", "other"]


def test_spawning_never_switches(hub):
    me = getcurrent()

    def spawn_all():
        spawn_raw(int)
        spawn(int)
        hubcore.spawn_later(0, int)
        hubcore.Greenlet(int).start()
        assert getcurrent() is me

    assert switches_during(spawn_all) == []
    sleep(0.001)


@pytest.mark.parametrize("count", [50_000])
def test_a_chain_of_greenlets_that_start_each_other_does_not_pile_up_on_the_c_stack(hub, count):
    """Each spawns the next and parks. Were each started by the one before, the last would be 50,000 frames deep."""
    waiters = []

    def link(left):
        if left:
            spawn_raw(link, left - 1)
        waiters.append(hub.new_waiter("the end"))
        hub.park(waiters[-1])

    spawn_raw(link, count - 1)
    while len(waiters) < count:
        sleep(0)
    assert hub.parked.count == count
    for waiter in waiters:
        assert waiter.wake()
    sleep(0)
    assert hub.parked.count == 0


def test_a_hundred_thousand_parked_greenlets_are_all_woken(hub):
    waiters, woken = [], []

    def task(i):
        waiter = hub.new_waiter("the signal")
        waiters.append(waiter)
        hub.park(waiter)
        woken.append(i)

    for i in range(100_000):
        spawn_raw(task, i)
    sleep(0)
    assert hub.parked.count == 100_000
    for waiter in waiters:
        waiter.wake()
    sleep(0)
    assert woken == list(range(100_000))


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_turn_that_somebody_switched_to_by_hand_does_not_come_again(hub, cancelled):
    went_on = []

    def task():
        with hubcore.CancelScope() as scope:
            if cancelled:
                scope.cancel()
            for _ in range(200):  # of a cancelled scope some let others run before they raise
                try:
                    sleep(0)
                except hubcore.Cancelled:
                    if went_on:
                        break
                if went_on:
                    break
        hub.park(hub.new_waiter("something else"), 10)

    task = spawn(task)
    switched = []

    def by_hand():
        went_on.append(True)
        task.switch()
        switched.append(True)

    hub.loop.run_callback(by_hand)
    sleep(1)
    assert not task.dead
    task.kill()
