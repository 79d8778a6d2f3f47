"""Random graphs of waits: the search agrees with a plain model, and counts running threads as not stuck."""

import random

import pytest

import hubcore
from hubcore import sleep, spawn_raw, util
from hubcore.testing import run_python


class Lock:
    def __init__(self, name):
        self.name = name
        self.owner = None


def wait_on(what):
    hub = hubcore.get_hub()
    hub.park(hub.new_waiter(what))


class Some:
    """Waits for `count` of `objects`."""

    def __init__(self, objects, count):
        self.objects = objects
        self.count = count

    def still_missing(self):
        return self.objects, self.count

    def __repr__(self):
        return f"<{self.count} of {len(self.objects)}>"


def model(needs):
    """Who can never go on: `needs` has for each who can (None) or, of which others, how many must go on first."""
    free = {each for each, need in needs.items() if need is None}
    while True:
        more = {
            each
            for each, need in needs.items()
            if need is not None and each not in free and sum(other in free for other in need[0]) >= need[1]
        }
        if not more:
            return set(needs) - free
        free |= more


@pytest.mark.parametrize("seed", range(30))
def test_a_random_graph_is_judged_as_by_a_plain_model(hub, seed):
    chance = random.Random(seed)
    size = chance.randrange(2, 25)
    members = [spawn_raw(lambda i: wait_on(targets[i]), i) for i in range(size)]
    targets, needs = [], {}
    for member in members:
        kind = chance.random()
        others = chance.sample(members, chance.randrange(1, min(4, size)) if size > 2 else 1)
        if kind < 0.15:
            targets.append("an event")
            needs[member] = None
        elif kind < 0.6:
            lock = Lock(len(targets))
            lock.owner = others[0]
            targets.append(lock)
            needs[member] = ([others[0]], 1)
        else:
            count = chance.randrange(1, len(others) + 1)
            targets.append(Some(others, count))
            needs[member] = (others, count)
    sleep(0)
    found = util.find_deadlocks()
    told = [each for deadlock in found for each in deadlock.greenlets]
    behind = [wait.greenlet for deadlock in found for wait in deadlock.behind]
    assert len(told + behind) == len(set(told + behind))
    assert set(told + behind) == model(needs), f"seed {seed}"
    for deadlock in found:
        inside = set(deadlock.greenlets)
        alone = {each: needs[each] if each in inside else None for each in needs}
        assert model(alone) == inside, f"seed {seed}: a circle that somebody outside could end"
    for member in members:
        hubcore.kill(member)
    sleep(0)


def test_a_circle_through_two_threads_is_found_and_both_stacks_are_told(hub_backend):
    done = run_python(
        """
        import os, threading, time
        import hubcore
        from hubcore import util

        class Lock:
            cross_thread = True
            def __init__(self, name):
                self.name, self.owner = name, None
            def __repr__(self):
                return f"<lock {self.name}>"
            def acquire(self):
                if self.owner is None:
                    self.owner = hubcore.getcurrent()
                else:
                    hub = hubcore.get_hub()
                    hub.park(hub.new_waiter(self))

        a, b = Lock("a"), Lock("b")
        both = threading.Barrier(2)

        def one_way(first, second):
            first.acquire()
            both.wait()
            second.acquire()

        def other_way(first, second):
            one_way(first, second)

        def run(function, *args):
            hubcore.spawn(function, *args).join()

        for call in ((one_way, a, b), (other_way, b, a)):
            threading.Thread(target=run, args=call, daemon=True).start()
        found = []
        end = time.monotonic() + 20
        while not found and time.monotonic() < end:
            found = util.find_deadlocks()
            time.sleep(0.01)
        # Whoever parked may still be on its way to the poll, where its stack is its thread's.
        text = ""
        while ("in other_way" not in text or text.count("in acquire") < 2) and time.monotonic() < end:
            text = str(found[0])
        print(text, flush=True)
        os._exit(0)
        """,
        hub_backend,
    )
    assert "deadlock: 2 greenlets in 2 threads wait for each other" in done.stdout
    assert done.stdout.count("; in thread 0x") == 2
    assert done.stdout.count("in acquire") == 2
    assert "in other_way" in done.stdout


def test_looking_again_and_again_while_other_threads_run_finds_nothing_that_is_not_there(hub_backend):
    """In three threads greenlets wait for each other all the time, but not for good."""
    done = run_python(
        """
        import sys, threading, time
        import hubcore
        from hubcore import util

        sys.setswitchinterval(1e-5)
        stop = False

        def chain(depth):
            if depth == 0:
                hubcore.sleep(0)
            else:
                hubcore.spawn(chain, depth - 1).join()

        def run():
            while not stop:
                hubcore.joinall([hubcore.spawn(chain, 5) for _ in range(10)])

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 0.5
        looks = 0
        while time.monotonic() < end or looks < 3:
            found = util.find_deadlocks()
            if found:
                print(found[0])
                break
            looks += 1
        stop = True
        for thread in threads:
            thread.join()
        print("looked")
        """,
        hub_backend,
    )
    assert done.stdout == "looked\n"
