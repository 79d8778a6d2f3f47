"""The snapshot names each greenlet with its true state, wait, owner, place of spawn and stack, and is cheap."""

import json
import sys
import threading

import pytest

import hubcore
from hubcore import getcurrent, sleep, socket, spawn, spawn_later, spawn_raw, util
from hubcore._observe import snapshot as module
from hubcore._observe.snapshot import steps
from hubcore.event import Event
from hubcore.lock import Semaphore
from hubcore.queue import Queue


@pytest.fixture
def tasks(hub):
    tasks = []
    yield tasks
    hubcore.killall(tasks)


def of_this_hub(snapshot, hub):
    (found,) = [each for each in snapshot["hubs"] if each["thread"] == hub.thread_ident]
    return found


def waiting(snapshot, hub):
    """The waiting greenlets by the text of their wait."""
    found = of_this_hub(snapshot, hub)["greenlets"]
    return {each["waiting_on"]["text"]: each for each in found if each["state"] == "waiting"}


def test_each_kind_of_wait_is_named_with_its_owner(hub, tasks):
    ours, theirs = socket.socketpair()
    lock = Semaphore(1)
    rlock = hubcore.lock.RLock()

    def holds():
        with rlock:
            sleep(60)

    holder = spawn(holds)
    holder.name = "the holder"
    sleep(0)
    tasks += [
        holder,
        spawn(ours.recv, 1),
        spawn(Queue().get),
        spawn(Event().wait),
        spawn(rlock.acquire),
        spawn(holder.join),
        spawn_raw(sleep, 60),
    ]
    lock.acquire()
    tasks.append(spawn(lock.acquire))
    sleep(0)
    found = waiting(util.snapshot(), hub)
    try:
        assert f"read fd {ours.fileno()}" in found
        assert {"get from Queue", "Event", "sleep", "join of the holder"} <= set(found)
        assert "Semaphore" in {each["waiting_on"]["kind"] for each in found.values()}
        held = [each for text, each in found.items() if text.endswith("held by the holder")]
        assert held[0]["waiting_on"]["owner"] == {"id": holder.serial, "name": "the holder", "ended": False}
    finally:
        hubcore.killall(tasks)
        ours.close()
        theirs.close()


def test_greenlets_that_do_the_same_are_counted_and_those_that_wait_longest_are_shown(hub, tasks):
    def handle(seconds):
        sleep(seconds)

    tasks += [spawn(handle, 60 + i) for i in range(20)]
    line = sys._getframe().f_lineno - 1
    sleep(0.5)
    tasks += [spawn(handle, 60) for _ in range(3)]
    sleep(0)
    groups = [each for each in of_this_hub(util.snapshot(), hub)["greenlets"] if each["state"] == "waiting"]
    assert [each["count"] for each in groups] == [20, 3]
    assert [each["id"] for each in groups[0]["longest"]] == [each.serial for each in tasks[:5]]
    assert groups[0]["seconds"] >= 0.5
    assert groups[0]["spawned_at"]["file"] == __file__
    assert groups[0]["spawned_at"]["line"] == line
    assert groups[0]["spawned_by"] == {"id": module.serial_of(getcurrent()), "name": "main"}
    assert groups[0]["stack"][-1]["function"].endswith("handle")
    assert groups[0]["stack"][-1]["line"] == handle.__code__.co_firstlineno + 1
    everyone = of_this_hub(util.snapshot(all=True), hub)["greenlets"]
    assert [each["count"] for each in everyone if each["state"] == "waiting"] == [1] * 23


def test_states(hub, tasks):
    event = Event()
    tasks += [spawn(event.wait)]
    sleep(0)
    event.set()
    tasks.append(spawn(list))
    states = {each["id"]: each["state"] for each in of_this_hub(util.snapshot(all=True), hub)["greenlets"]}
    assert states[tasks[0].serial] == "ready"
    assert states[tasks[1].serial] == "not started"
    assert states[module.serial_of(getcurrent())] == "running"


def test_beyond_a_thousand_of_a_group_stacks_are_not_read_but_every_greenlet_is_counted(hub, tasks):
    tasks += [spawn(sleep, 60) for _ in range(1500)]
    sleep(0)
    (group,) = [each for each in of_this_hub(util.snapshot(), hub)["greenlets"] if each["state"] == "waiting"]
    assert group["count"] + group["stacks_not_read"] == 1500
    assert 1000 <= group["count"] <= 1100
    (group,) = [
        each for each in of_this_hub(util.snapshot(stacks=False), hub)["greenlets"] if each["state"] == "waiting"
    ]
    assert group["count"] == 1500
    assert group["stack"] == []


def test_the_walk_pauses_after_each_thousand_and_greenlets_may_end_meanwhile(hub, tasks):
    tasks += [spawn(sleep, 60) for _ in range(3500)]
    sleep(0)
    walk = steps()
    for _ in range(2):
        next(walk)
    hubcore.killall(tasks)
    pauses = 2
    with pytest.raises(StopIteration) as end:
        while True:
            next(walk)
            pauses += 1
    assert pauses >= 4
    assert json.loads(json.dumps(end.value.value))["version"] == 1


def test_no_code_of_the_program_runs_unless_locals_are_asked_for(hub, tasks):
    reprs = []

    class Thing:
        def __repr__(self):
            reprs.append(1)
            raise LookupError("a repr that fails")

    def hold(thing):
        sleep(60)

    def wait_for(thing):
        hub.park(hub.new_waiter(thing))

    tasks += [spawn(hold, Thing()), spawn(wait_for, Thing())]
    sleep(0)
    found = waiting(util.snapshot(), hub)
    assert "Thing" in found
    assert reprs == []
    shown = [each["locals"] for each in of_this_hub(util.snapshot(all=True, locals=True), hub)["greenlets"][1:]]
    assert "whose repr fails with LookupError" in json.dumps(shown)


def test_threads_with_and_without_a_hub(hub, tasks):
    begun, end = threading.Event(), threading.Event()

    def with_hub():
        task = spawn(sleep, 60)
        sleep(0.001)
        begun.set()
        end.wait()
        task.kill()

    def without():
        end.wait()

    threads = [threading.Thread(target=with_hub, name="second"), threading.Thread(target=without, name="plain")]
    for thread in threads:
        thread.start()
    begun.wait()
    snapshot = util.snapshot()
    end.set()
    for thread in threads:
        thread.join()
    (second,) = [each for each in snapshot["hubs"] if each["name"] == "second"]
    assert sorted(each["state"] for each in second["greenlets"]) == ["running", "waiting"]
    (plain,) = [each for each in snapshot["threads"] if each["name"] == "plain"]
    assert any("without" in call["function"] for call in plain["stack"])


def test_deadlocks_are_in_it(hub, tasks):
    def join_each_other(other):
        other[0].join()

    one, two = [], []
    two.append(spawn(join_each_other, one))
    one.append(spawn(join_each_other, two))
    tasks += one + two
    sleep(0)
    (deadlock,) = util.snapshot()["deadlocks"]
    assert deadlock[0].startswith("deadlock: ")


def test_statistics_only_grow(hub):
    before = hub.statistics()
    spawn_later(0.002, list).join()
    sleep(0.01)
    after = hub.statistics()
    assert after.started == before.started + 1
    assert after.switches > before.switches
    assert after.slept > before.slept
    assert sum(after.stretches) > sum(before.stretches)
    assert after.time - before.time >= after.slept - before.slept
