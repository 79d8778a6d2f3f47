"""Deadlocks are found where waits can end only by each other, and nowhere else."""

import sys

import pytest

import hubcore
from hubcore import LoopExit, Timeout, getcurrent, sleep, spawn, spawn_raw, util


class Lock:
    """A lock as far as reports go; whoever waits is handed it in order."""

    cross_thread = False

    def __init__(self, name):
        self.name = name
        self.owner = None
        self.waiters = []

    def __repr__(self):
        return f"<lock {self.name}>"

    def acquire(self, timeout=None):
        if self.owner is None:
            self.owner = getcurrent()
            return True
        hub = hubcore.get_hub()
        waiter = hub.new_waiter(self)
        self.waiters.append(waiter)
        return hub.park(waiter, timeout)

    def release(self):
        self.owner = None
        while self.waiters:
            waiter = self.waiters.pop(0)
            if waiter.wake():
                self.owner = waiter.greenlet
                break


def take(*locks, timeout=None):
    """Acquire one lock after the other, letting others run between."""
    for lock in locks:
        lock.acquire(timeout)
        sleep(0)


def locks(names):
    return [Lock(name) for name in names]


def wait_on(what):
    hub = hubcore.get_hub()
    hub.park(hub.new_waiter(what))


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


def test_two_that_wait_for_each_others_locks_are_found_while_a_heartbeat_goes_on(tasks):
    a, b = locks("ab")
    _, first, second = tasks((beat,), (take, a, b), (take, b, a))
    (deadlock,) = util.find_deadlocks()
    assert set(deadlock.greenlets) == {first, second}
    assert not deadlock.behind
    assert not deadlock.owner_ended
    text = str(deadlock)
    assert "2 greenlets wait for each other" in text
    assert f"{first!r} waits on <lock b> for" in text
    assert f"{second!r} waits on <lock a> for" in text
    assert f"which {first!r} owns" in text
    assert f"which {second!r} owns" in text
    assert text.count("in acquire") == 2
    assert text.count("in take") == 2
    assert text.count("; spawned in ") == 2
    assert text.count(f"({__file__}:") == 2
    without_stacks = "\n".join(deadlock.lines(stacks=False))
    assert "in acquire" not in without_stacks
    assert f"{first!r} waits on <lock b> for" in without_stacks


def test_a_circle_is_told_in_its_order(tasks):
    a, b, c, d = locks("abcd")
    members = tasks((take, a, b), (take, b, c), (take, c, d), (take, d, a))
    (deadlock,) = util.find_deadlocks()
    order = [members.index(each) for each in deadlock.greenlets]
    assert order == [(order[0] + i) % 4 for i in range(4)]


def test_two_circles_are_two_deadlocks(tasks):
    a, b, c, d = locks("abcd")
    members = tasks((take, a, b), (take, b, a), (take, c, d), (take, d, c))
    found = util.find_deadlocks()
    assert {frozenset(each.greenlets) for each in found} == {frozenset(members[:2]), frozenset(members[2:])}
    assert found[0].key != found[1].key


def test_who_waits_for_an_owner_that_goes_on_is_no_deadlock(tasks):
    a, b = locks("ab")

    def hold():
        a.acquire()
        sleep(1000)

    tasks((hold,), (take, b, a), (take, b))
    assert util.find_deadlocks() == []
    assert util.format_deadlocks() == []


def test_it_is_over_once_a_member_is_killed(tasks):
    a, b = locks("ab")
    first, _ = tasks((take, a, b), (take, b, a))
    assert len(util.find_deadlocks()) == 1
    first.kill()
    a.release()
    assert util.find_deadlocks() == []


def test_a_greenlet_that_waits_for_its_own_lock_is_a_circle_of_one(tasks):
    (a,) = locks("a")
    (task,) = tasks((take, a, a))
    (deadlock,) = util.find_deadlocks()
    assert deadlock.greenlets == (task,)
    assert "a greenlet waits for itself" in str(deadlock)


def test_a_lock_whose_owner_has_ended_is_a_deadlock_of_its_own_kind(tasks):
    (a,) = locks("a")
    owner, waiter, other = tasks((take, a), (take, a), (take, a))
    assert owner.dead
    found = util.find_deadlocks()
    assert {each.greenlets for each in found} == {(waiter,), (other,)}
    assert all(each.owner_ended for each in found)
    assert "the lock's owner has ended" in str(found[0])
    assert repr(owner) in str(found[0])


def test_who_waits_behind_a_deadlock_is_named_apart(tasks):
    a, b = locks("ab")
    first, second, third = tasks((take, a, b), (take, b, a), (take, a))
    (fourth,) = tasks((third.join,))
    (deadlock,) = util.find_deadlocks()
    assert set(deadlock.greenlets) == {first, second}
    assert {wait.greenlet for wait in deadlock.behind} == {third, fourth}
    assert "and 2 more wait behind:" in str(deadlock)


@pytest.mark.parametrize("limited", ["by its own timeout", "by a Timeout"])
def test_a_wait_that_time_ends_is_no_deadlock(tasks, limited):
    a, b = locks("ab")

    def patient():
        b.acquire()
        sleep(0)
        if limited == "by its own timeout":
            a.acquire(1000)
        else:
            with Timeout(1000):
                a.acquire()

    tasks((take, a, b), (patient,))
    assert len(a.waiters) == len(b.waiters) == 1
    assert util.find_deadlocks() == []


def test_greenlets_that_join_each_other_are_found(tasks):
    members = [spawn(lambda: members[1].get()), spawn(lambda: members[0].join())]
    sleep(0)
    (deadlock,) = util.find_deadlocks()
    assert set(deadlock.greenlets) == set(members)
    hubcore.killall(members)


def test_a_join_and_a_lock_make_a_circle(tasks):
    (a,) = locks("a")

    def parent():
        a.acquire()
        child = spawn(take, a)
        child.join()

    (task,) = tasks((parent,))
    (deadlock,) = util.find_deadlocks()
    assert task in deadlock.greenlets
    assert len(deadlock.greenlets) == 2
    hubcore.killall(list(deadlock.greenlets))


def test_what_has_no_owner_claims_nothing(tasks):
    a, b = locks("ab")

    def wait_for_an_event():
        a.acquire()
        wait_on("an event")

    tasks((wait_for_an_event,), (take, b, a), (take, b))
    assert util.find_deadlocks() == []


def stuck_pair(tasks):
    a, b = locks("ab")
    return tasks((take, a, b), (take, b, a))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_wait_is_stuck_when_too_few_can_still_come(tasks, count):
    first, second = stuck_pair(tasks)
    (sleeper,) = tasks((sleep, 1000))
    (waiter,) = tasks((lambda: hubcore.wait([first, sleeper, second], count=count),))
    (deadlock,) = util.find_deadlocks()
    behind = {wait.greenlet for wait in deadlock.behind}
    assert behind == (set() if count == 1 else {waiter})
    hubcore.killall([waiter, sleeper])


def test_joinall_and_iwait_are_stuck_as_wait_is(tasks):
    first, second = stuck_pair(tasks)
    sleeper, ended = tasks((sleep, 1000), (int,))
    assert ended.ready()
    joiner, iterating, alone = tasks(
        (hubcore.joinall, [first, ended, sleeper]),
        (lambda: list(hubcore.iwait([ended, first, second])),),
        (lambda: list(hubcore.iwait([ended, first, sleeper])),),
    )
    (deadlock,) = util.find_deadlocks()
    assert {wait.greenlet for wait in deadlock.behind} == {joiner, iterating}
    assert not alone.ready()
    hubcore.killall([joiner, iterating, alone, sleeper])


def test_a_group_that_waits_for_its_members_is_part_of_a_circle(tasks):
    class Group:
        def __init__(self, *members):
            self._waits_for = members

    (a,) = locks("a")

    def host():
        a.acquire()
        members = [spawn(take, a), spawn(int)]
        wait_on(Group(*members))

    (task,) = tasks((host,))
    (deadlock,) = util.find_deadlocks()
    assert task in deadlock.greenlets
    assert len(deadlock.greenlets) == 2
    hubcore.killall(list(deadlock.greenlets))


def test_the_main_greenlet_and_raw_greenlets_are_seen(hub):
    a, b = locks("ab")
    raw = spawn_raw(take, b, a)
    a.acquire()
    sleep(0)
    sleep(0)
    seen = []

    def look():
        seen.extend(util.find_deadlocks())
        hubcore.kill(raw)
        b.release()

    hub.loop.run_callback(look)
    assert b.acquire()
    (deadlock,) = seen
    assert set(deadlock.greenlets) == {raw, getcurrent()}


def test_loop_exit_names_the_circle(tasks):
    first, _ = stuck_pair(tasks)
    with pytest.raises(LoopExit) as caught:
        first.join()
    text = str(caught.value)
    assert "deadlock: 2 greenlets wait for each other" in text
    assert "and 1 more wait behind:\n        main greenlet waits on" in text
    assert "in acquire" not in text


def test_loop_exit_without_a_circle_speaks_of_none(hub):
    with pytest.raises(LoopExit) as caught:
        wait_on("nothing")
    assert "deadlock" not in str(caught.value)


def test_what_fails_to_describe_itself_keeps_nobody_from_the_report(tasks):
    class Mute(Lock):
        def __repr__(self):
            raise ValueError("on purpose")

    a, b = Mute("a"), Lock("b")
    tasks((take, a, b), (take, b, a))
    (deadlock,) = util.find_deadlocks()
    assert "<Mute at" in str(deadlock)
    assert "whose repr fails with ValueError" in str(deadlock)


def test_what_fails_to_say_whose_it_is_claims_nothing(tasks):
    class Broken:
        @property
        def owner(self):
            raise ValueError("on purpose")

    class Odd:
        _waits_for = 5

    tasks((wait_on, Odd()), (wait_on, Broken()))
    assert util.find_deadlocks() == []


def test_they_are_printed(tasks, capsys):
    util.print_deadlocks()
    assert capsys.readouterr().err == "no deadlock\n"
    stuck_pair(tasks)
    util.print_deadlocks(sys.stdout)
    assert "2 greenlets wait for each other" in capsys.readouterr().out


def test_thousands_behind_each_other_are_no_trouble(tasks):
    chain = locks(range(5000))

    def hold(i):
        chain[i].acquire()
        wait_on(chain[i + 1] if i + 1 < len(chain) else chain[0])

    tasks(*((hold, i) for i in range(len(chain))))
    (deadlock,) = util.find_deadlocks()
    assert len(deadlock.greenlets) == 5000
    chain[-1].owner = None
    assert util.find_deadlocks() == []


def test_a_wait_that_ends_between_the_looks_at_it_is_no_deadlock(tasks):
    """Another thread hands it the lock when its waiter was asked for already, and its owner not yet."""

    class HandedOver(Lock):
        looks = 0

        @property
        def owner(self):
            self.looks += 1
            if self.looks == 2:
                self.waiters[0].wake()
            return self.waiters[0].greenlet if self.waiters else self

        owner = owner.setter(lambda self, value: None)

    lock = HandedOver("handed over")
    tasks((lock.acquire,))
    lock.looks = 0
    assert util.find_deadlocks() == []
    assert lock.looks == 2
