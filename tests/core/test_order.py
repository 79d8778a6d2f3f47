"""Another order and another pace, as simulations ask for them: the picker of the ready queue, and set_pace."""

import pytest

from hubcore import sleep, spawn
from hubcore._core.ready_queue import ReadyQueue


def queue_of(count):
    queue = ReadyQueue(None)
    for number in range(count):
        queue.push(number)
    return queue


def drained(queue):
    found = []
    while len(queue):
        found.append(queue.pop())
    return found


def test_without_a_picker_the_first_comes_first():
    queue = queue_of(100)
    assert queue.picker is None
    assert drained(queue) == list(range(100))


@pytest.mark.parametrize("turns", [0, 5, 63, 64, 100])
def test_the_picked_entry_comes_next_and_the_others_keep_their_order(turns):
    queue = queue_of(64)
    for number in range(turns):  # so that the ring's beginning is anywhere
        queue.push(queue.pop())
        assert number < turns
    order = queue.snapshot()
    queue.picker = lambda queue: queue.count - 1
    assert queue.pop() == order[-1]
    queue.picker = lambda queue: 3
    assert queue.pop() == order[3]
    queue.picker = None
    assert drained(queue) == order[:3] + order[4:-1]


def test_the_picker_is_not_asked_where_there_is_no_choice():
    queue = queue_of(1)
    queue.picker = lambda queue: pytest.fail("there is one entry only")
    assert queue.pop() == 0
    assert queue.pop() is None


def test_what_was_put_first_stays_first():
    queue = queue_of(3)
    queue.picker = lambda queue: queue.count - 1
    queue.push_first("now")
    assert drained(queue) == ["now", 2, 1, 0]


@pytest.mark.parametrize("index", [-1, 3])
def test_a_picker_that_picks_nothing_is_an_error_and_loses_nothing(index):
    queue = queue_of(3)
    queue.picker = lambda queue: index
    with pytest.raises(IndexError, match=f"picked entry {index} of 3"):
        queue.pop()
    queue.picker = None
    assert drained(queue) == [0, 1, 2]


def test_greenlets_run_in_the_order_that_is_picked(hub):
    ran = []
    greenlets = [spawn(ran.append, number) for number in range(5)]
    hub.ready.picker = lambda queue: queue.count - 1
    for greenlet in greenlets:
        greenlet.join()
    hub.ready.picker = None
    assert ran == [4, 3, 2, 1, 0]


def test_a_pace_of_one_lets_others_run_after_each_operation(hub):
    ran = []

    def work(name):
        for _ in range(3):
            hub.spend()
            ran.append(name)

    greenlets = [spawn(work, name) for name in "ab"]
    for greenlet in greenlets:
        greenlet.join()
    assert ran == list("aaabbb")
    ran.clear()
    hub.set_pace(1, 1)
    sleep(0)
    greenlets = [spawn(work, name) for name in "ab"]
    for greenlet in greenlets:
        greenlet.join()
    assert ran == list("ababab")


@pytest.mark.parametrize("pace", [(0, 1), (1, 0), (-1, 5)])
def test_a_pace_that_is_none_is_refused(hub, pace):
    with pytest.raises(ValueError, match="1 or more"):
        hub.set_pace(*pace)
