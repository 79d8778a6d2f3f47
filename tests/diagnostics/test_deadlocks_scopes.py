"""Deadlocks of task groups, and waits that a scope will end."""

from hubcore import Cancelled, CancelScope, TaskGroup, move_on_after, sleep, spawn
from hubcore.lock import RLock, Semaphore
from hubcore.testing import settle
from hubcore.util import find_deadlocks


def test_a_block_that_keeps_the_lock_its_task_waits_for_is_a_deadlock_of_two(hub):
    lock = RLock()

    def block():
        with lock, TaskGroup() as group:
            tasks.append(group.spawn(lock.acquire))

    tasks = []
    owner = spawn(block)
    settle(hub)
    (found,) = find_deadlocks()
    assert set(found.greenlets) == {owner, tasks[0]}
    assert "TaskGroup" in str(found)
    owner.kill()
    assert find_deadlocks() == []


def circle(scope_of_first):
    """Two greenlets that wait for each other's lock, the first in that scope."""
    locks = Semaphore(), Semaphore()

    def first():
        with scope_of_first(), locks[0]:
            sleep(0)
            locks[1].acquire()

    def second():
        with locks[1]:
            sleep(0)
            locks[0].acquire()

    return [spawn(first), spawn(second)]


def test_a_circle_in_a_scope_without_a_deadline_is_a_deadlock(hub):
    both = circle(CancelScope)
    settle(hub)
    assert len(find_deadlocks()) == 1
    for each in both:
        each.kill()


def test_a_circle_that_the_deadline_of_a_scope_will_break_is_none(hub):
    both = circle(lambda: move_on_after(5))
    settle(hub)
    assert find_deadlocks() == []
    for each in both:
        each.kill()


def test_a_deadline_that_a_shield_keeps_out_breaks_nothing(hub):
    def shielded():
        with CancelScope(shield=True), locks[0]:
            sleep(0)
            locks[1].acquire()

    def first():
        with move_on_after(5):
            shielded()

    def second():
        with locks[1]:
            sleep(0)
            locks[0].acquire()

    locks = Semaphore(), Semaphore()
    both = [spawn(first), spawn(second)]
    settle(hub)
    assert len(find_deadlocks()) == 1
    for each in both:
        each.kill()


def test_the_deadline_of_a_group_limits_the_waits_of_its_tasks(hub):
    locks = Semaphore(), Semaphore()

    def one(mine, others):
        with mine:
            sleep(0)
            try:
                others.acquire()
            except Cancelled:
                ended.append(mine)
                raise

    ended = []

    def block():
        with move_on_after(5), TaskGroup() as group:
            group.spawn(one, *locks)
            group.spawn(one, *locks[::-1])

    owner = spawn(block)
    settle(hub)
    assert find_deadlocks() == []
    owner.kill()
    assert len(ended) == 2
