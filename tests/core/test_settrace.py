"""greenlet.settrace sees every switch; debuggers, profilers and coverage rely on that."""

from itertools import pairwise

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore import getcurrent, sleep, spawn, spawn_raw
from hubcore.exceptions import InvalidSwitchError


@pytest.fixture
def trace():
    """The events since the test began, as (event, from, to)."""
    seen = []
    before = greenlet_module.settrace(lambda event, pair: seen.append((event, *pair)))
    yield seen
    greenlet_module.settrace(before)


def test_every_switch_is_seen_and_each_begins_where_the_last_one_ended(hub, trace):
    tasks = [spawn(lambda: [sleep(0) for _ in range(5)]) for _ in range(3)]
    raw = spawn_raw(sleep, 0.001)
    hubcore.joinall(tasks)
    sleep(0.002)
    assert trace
    assert trace[0][1] is getcurrent()
    assert trace[-1][2] is getcurrent()
    for (_, _, to), (_, origin, _) in pairwise(trace):
        assert to is origin
    entered = {to for _, _, to in trace}
    assert {*tasks, raw, hub} <= entered


def test_each_task_is_entered_as_often_as_it_ran(hub, trace):
    runs = []

    def body():
        for _ in range(4):
            runs.append(getcurrent())
            sleep(0)

    tasks = [spawn(body) for _ in range(2)]
    hubcore.joinall(tasks)
    for task in tasks:
        # Once for each piece of its code that ran: four of the loop, and the rest after the last wait.
        assert sum(to is task for _, _, to in trace) == 5
        assert runs.count(task) == 4


def test_a_kill_is_seen_as_a_switch_and_a_throw_as_a_throw(hub, trace):
    task = spawn(sleep, 100)
    sleep(0)
    other = spawn(sleep, 100)
    sleep(0)
    task.kill()
    hub.loop.run_callback(other.throw, hubcore.GreenletExit)
    other.join()
    assert ("throw", hub, other) in trace
    assert any(event == "switch" and to is task for event, _, to in trace)


def test_every_task_is_a_greenlet_whose_parent_is_the_hub_also_inside_a_task(hub):
    seen = []

    def inner():
        seen.append(getcurrent())
        sleep(0)

    def outer():
        spawn(inner).join()
        spawn_raw(inner)
        seen.append(getcurrent())

    spawn(outer).join()
    sleep(0.001)
    assert len(seen) == 3
    for task in seen:
        assert isinstance(task, greenlet_module.greenlet)
        assert task.parent is hub
    assert hub.parent is getcurrent()


def test_a_greenlet_that_a_trace_function_keeps_from_starting_has_ended_for_those_who_wait(hub, caplog):
    """greenlet raises what a trace function raised in the greenlet that was switched to, here before its first line."""
    task = spawn(lambda: 5)

    def fail(event, pair):
        if pair[1] is task:
            raise LookupError("tracing")

    before = greenlet_module.settrace(fail)
    try:
        task.join(timeout=5)
    finally:
        greenlet_module.settrace(before)
    assert task.ready()
    with pytest.raises(InvalidSwitchError, match="before it could begin"):
        task.get()
    assert "tracing" in caplog.text
    caplog.clear()
