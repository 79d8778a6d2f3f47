"""Deadlocks among hubcore's own locks, in greenlets and in threads that have no hub."""

import pytest

import hubcore
from hubcore import LoopExit, Timeout, sleep, spawn, util
from hubcore.event import Event
from hubcore.lock import Condition, RLock, Semaphore
from hubcore.pool import Group, Pool
from hubcore.queue import Queue
from hubcore.testing import run_python


def take(*locks):
    """Hold all of them, letting others run after each."""
    if locks:
        with locks[0]:
            sleep(0)
            take(*locks[1:])


def beat():
    while True:
        sleep(0.01)


@pytest.fixture
def tasks(hub):
    """Starts greenlets that are killed at the end, and lets all come to rest."""
    started = []

    def start(*calls):
        new = [spawn(*call) for call in calls]
        started.extend(new)
        for _ in range(10):
            sleep(0)
        return new

    yield start
    hubcore.killall(started)


@pytest.mark.parametrize("kind", [Semaphore, RLock])
def test_two_locks_taken_in_opposite_order_are_found_while_a_heartbeat_goes_on(tasks, kind):
    a, b = kind(), kind()
    _, first, second = tasks((beat,), (take, a, b), (take, b, a))
    (deadlock,) = util.find_deadlocks()
    assert set(deadlock.greenlets) == {first, second}
    text = str(deadlock)
    assert f"waits on <{kind.__name__} at {id(a):#x}" in text
    assert f"which {first!r} owns" in text
    assert text.count("in take") >= 2
    first.kill()
    assert util.find_deadlocks() == []


def test_loop_exit_names_them(tasks):
    a, b = RLock(), RLock()
    first, _ = tasks((take, a, b), (take, b, a))
    with pytest.raises(LoopExit, match="deadlock: 2 greenlets wait for each other"):
        first.join()


def test_a_lock_acquired_twice_is_a_circle_of_one_and_a_reentrant_one_none(tasks):
    semaphore, rlock = Semaphore(), RLock()
    task, other = tasks((take, semaphore, semaphore), (take, rlock, rlock))
    (deadlock,) = util.find_deadlocks()
    assert deadlock.greenlets == (task,)
    assert other.ready()


def test_a_lock_left_behind_is_told_with_the_owner_that_has_ended(tasks):
    lock = RLock()
    owner, waiter = tasks((lock.acquire,), (lock.acquire,))
    (deadlock,) = util.find_deadlocks()
    assert deadlock.owner_ended
    assert deadlock.greenlets == (waiter,)
    assert f"which {owner!r} owns; " in str(deadlock)


def test_what_anybody_may_end_is_no_deadlock(tasks):
    event, queue, full, several = Event(), Queue(), Queue(1), Semaphore(2)
    full.put(1)
    lock = RLock()

    def hold(wait):
        with lock:
            wait()

    tasks((take, several, several, several), (hold, event.wait), (queue.get,), (full.put, 2), (take, lock))
    assert util.find_deadlocks() == []


def test_room_is_no_lock_that_whoever_took_it_has_to_give_back(tasks):
    results = Group().imap(int, "123", maxsize=1)
    pool = Pool(1)
    tasks((pool.spawn, sleep, 1000), (pool.spawn, sleep, 1000))
    assert pool._semaphore.linkcount() == 1
    assert util.find_deadlocks() == []
    assert list(results) == [1, 2, 3]
    pool.kill()


def test_a_wait_with_a_limit_is_no_deadlock(tasks):
    a, b = RLock(), RLock()

    def patient():
        b.acquire()
        sleep(0)
        a.acquire(timeout=1000)

    def with_a_timeout():
        with Timeout(1000):
            take(c, d)

    c, d = RLock(), RLock()
    tasks((take, a, b), (patient,), (with_a_timeout,), (take, d, c))
    assert util.find_deadlocks() == []


def test_a_condition_whose_lock_is_stuck_is_stuck_behind_it(tasks):
    a, b = RLock(), RLock()
    condition = Condition(a)

    def wait_for_notice():
        with condition:
            condition.wait()

    (waiter,) = tasks((wait_for_notice,))
    assert util.find_deadlocks() == []
    members = tasks((take, a, b), (take, b, a))
    (deadlock,) = util.find_deadlocks()
    assert {wait.greenlet for wait in deadlock.behind} == {waiter}
    hubcore.killall(members)


THREADS = """
    import os, threading, time
    import hubcore
    from hubcore import util
    from hubcore.hub import get_hub_if_any
    from hubcore.lock import RLock

    def look(until):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = util.find_deadlocks()
            if until(found):
                return found
            hubcore.sleep(0.001)
        raise SystemExit("never")

    a, b = RLock(), RLock()
    both = threading.Barrier(2)
"""


def test_a_circle_of_a_greenlet_and_a_thread_without_a_hub_is_found(hub_backend):
    done = run_python(
        THREADS
        + """
    def without_a_hub():
        with a:
            both.wait()
            with b:
                raise SystemExit("acquired")

    def in_a_hub():
        with b:
            both.wait()
            with a:
                raise SystemExit("acquired")

    threading.Thread(target=without_a_hub, daemon=True).start()
    hubcore.spawn(in_a_hub)
    (deadlock,) = look(lambda found: found)
    print(deadlock)
    print("in all", "waits on <RLock" in "".join(util.format_run_info()).partition("* Greenlets")[0], flush=True)
    os._exit(0)
    """,
        hub_backend,
    )
    text = done.stdout
    assert "deadlock: 2 greenlets in 2 threads wait for each other" in text
    assert "main greenlet waits on <RLock" in text
    assert "in without_a_hub" in text
    assert "in in_a_hub" in text
    assert "in all True" in text


def test_a_thread_that_waits_with_a_limit_is_no_deadlock_and_one_that_ended_with_a_lock_is(hub_backend):
    done = run_python(
        THREADS
        + """
    def patient():
        with a:
            both.wait()
            print(b.acquire(timeout=0.3))

    def in_a_hub():
        with b:
            both.wait()
            with a:
                print("acquired")

    thread = threading.Thread(target=patient)
    thread.start()
    task = hubcore.spawn(in_a_hub)
    found = []
    while not task.ready():
        found += util.find_deadlocks()
        hubcore.sleep(0.001)
    thread.join()
    print(found)

    thread = threading.Thread(target=a.acquire)
    thread.start()
    thread.join()
    task = hubcore.spawn(a.acquire)
    (deadlock,) = look(lambda found: found)
    print(deadlock.owner_ended, deadlock.greenlets == (task,))
    """,
        hub_backend,
    )
    assert done.stdout == "False\nacquired\n[]\nTrue True\n"


def test_handing_locks_around_between_threads_is_never_taken_for_a_deadlock(hub_backend):
    done = run_python(
        THREADS
        + """
    import sys
    sys.setswitchinterval(1e-5)
    locks = [RLock() for _ in range(4)]
    stop = False

    def hand_around(seed):
        i = seed
        while not stop:
            i = (i * 5 + 3) % 12
            first, second = sorted((i % 4, (i // 4 + 1 + i) % 4))  # in one order, so that nobody gets stuck
            with locks[first]:
                with locks[second]:
                    if get_hub_if_any() is not None:
                        hubcore.sleep(0)

    def in_a_hub(seed):
        hubcore.joinall([hubcore.spawn(hand_around, seed + i) for i in range(4)])

    threads = [threading.Thread(target=hand_around, args=(i,)) for i in range(2)]
    threads += [threading.Thread(target=in_a_hub, args=(i,)) for i in range(2)]
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
