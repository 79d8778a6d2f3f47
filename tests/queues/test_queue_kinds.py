"""LifoQueue, PriorityQueue, Channel, and queues that store items their own way."""

import threading
from collections import OrderedDict

import pytest
from greenlet import GreenletExit

import hubcore
from hubcore import sleep, spawn
from hubcore.exceptions import BlockingSwitchOutError, LoopExit
from hubcore.queue import Channel, Empty, Full, LifoQueue, PriorityQueue, Queue, ShutDown
from hubcore.testing import settle


def drain(queue):
    return [queue.get_nowait() for _ in range(queue.qsize())]


def test_last_in_first_out(hub):
    queue = LifoQueue(4, [1, 2])
    queue.put(3)
    assert (queue.peek(), queue.get(), queue.queue) == (3, 3, [1, 2])
    copy = queue.copy()
    assert (drain(queue), drain(copy), type(copy)) == ([2, 1], [2, 1], LifoQueue)


def test_the_smallest_first(hub):
    queue = PriorityQueue(9, [3, 1])
    queue.put(2)
    assert queue.peek() == 1
    copy = queue.copy()
    queue.put(0)
    assert (drain(queue), drain(copy), type(copy)) == ([0, 1, 2, 3], [1, 2, 3], PriorityQueue)


@pytest.mark.parametrize("kind", [LifoQueue, PriorityQueue])
def test_those_who_wait_are_served_in_their_order(hub, kind):
    queue, got = kind(1), []
    getters = [spawn(lambda number=number: got.append((number, queue.get()))) for number in range(3)]
    settle(hub)
    putters = [spawn(queue.put, item) for item in "abcdef"]
    hubcore.joinall(getters, raise_error=True)
    assert got == [(0, "a"), (1, "b"), (2, "c")]
    assert [queue.get() for _ in range(3)] == list("def")
    hubcore.joinall(putters, raise_error=True)
    assert queue.unfinished_tasks == 6


@pytest.mark.parametrize("kind", [LifoQueue, PriorityQueue])
def test_an_item_whose_getter_is_thrown_into_comes_back_to_its_place(hub, kind):
    queue = kind()
    task = spawn(queue.get)
    settle(hub)
    hub.loop.run_callback(task.throw, GreenletExit)
    queue.put(1)
    queue.put(2)
    task.join()
    assert sorted(drain(queue)) == [1, 2]


@pytest.mark.parametrize("kind", [LifoQueue, PriorityQueue])
def test_an_immediate_shutdown_drops_the_items(hub, kind):
    queue = kind(items=[1, 2, 3])
    queue.shutdown(immediate=True)
    assert (queue.qsize(), queue.unfinished_tasks, queue.join(0)) == (0, 0, True)
    with pytest.raises(ShutDown):
        queue.get()


# Items whose comparing does something.


class Compared:
    """An item whose comparing calls `action` once."""

    def __init__(self, number, action=None):
        self.number = number
        self.action = action

    def __lt__(self, other):
        for each in (self, other):
            action, each.action = each.action, None
            if action is not None:
                action()
        return self.number < other.number


def numbers(queue):
    return [item.number for item in drain(queue)]


def test_comparing_that_switches_lets_others_put_and_get(hub):
    queue, got, seen = PriorityQueue(), [], []
    queue.put(Compared(2))
    slow = spawn(queue.put, Compared(1, lambda: sleep(0.01)))
    settle(hub)
    assert not slow.ready()
    queue.put(Compared(3))
    getter = spawn(lambda: got.append(queue.get().number))
    looker = spawn(lambda: seen.append(queue.peek(timeout=1).number))
    settle(hub)
    hubcore.joinall([slow, getter, looker], raise_error=True)
    assert sorted(got + numbers(queue)) == [1, 2, 3]
    assert seen
    assert queue.unfinished_tasks == 3


def test_an_item_is_not_lost_where_comparing_switches(hub):
    queue, got = PriorityQueue(), []
    items = [Compared(number, lambda: sleep(0)) for number in (5, 3, 8, 1, 9, 2, 7)]
    putters = [spawn(queue.put, item) for item in items]
    getters = [spawn(lambda: got.append(queue.get().number)) for _ in items]
    hubcore.joinall([*putters, *getters], timeout=5, raise_error=True)
    assert sorted(got) == [1, 2, 3, 5, 7, 8, 9]
    assert (queue.qsize(), queue.unfinished_tasks) == (0, 7)


def test_a_bound_holds_where_comparing_switches(hub):
    queue, most = PriorityQueue(3), 0
    items = [Compared(number, lambda: sleep(0)) for number in range(20, 0, -1)]
    putters = [spawn(queue.put, item) for item in items]
    got = []
    while len(got) < len(items):
        sleep(0)
        most = max(most, queue.qsize())
        try:
            got.append(queue.get_nowait().number)
        except Empty:
            pass
    hubcore.joinall(putters, timeout=1, raise_error=True)
    assert most <= 3
    assert sorted(got) == list(range(1, 21))


def test_comparing_that_puts_into_the_same_queue(hub):
    queue = PriorityQueue(items=[Compared(1)])
    queue.put(Compared(2, lambda: queue.put(Compared(0))))
    assert numbers(queue) == [0, 1, 2]
    assert queue.unfinished_tasks == 3


def test_comparing_that_gets_from_the_same_queue_finds_it_busy(hub):
    queue, said = PriorityQueue(items=[Compared(1)]), []

    def gets():
        with pytest.raises(Empty):
            queue.get_nowait()
        said.append(queue.qsize())

    queue.put(Compared(2, gets))
    assert said
    assert numbers(queue) == [1, 2]


def fails():
    raise KeyError("comparing")


def test_comparing_that_fails_is_the_putters_error(hub):
    queue = PriorityQueue(items=[1])
    with pytest.raises(TypeError):
        queue.put("x")
    assert queue.unfinished_tasks == 1
    queue = PriorityQueue(items=[Compared(1)])
    with pytest.raises(KeyError):
        queue.put(Compared(2, fails))
    queue.put(Compared(0))
    assert queue.get().number == 0


def test_comparing_that_fails_when_a_place_becomes_free_is_the_error_of_who_put_and_no_item_is_lost(hub):
    queue = PriorityQueue(2, [Compared(1), Compared(2)])
    putter = spawn(queue.put, Compared(3, fails))
    other = spawn(queue.put, Compared(4))
    settle(hub)
    assert queue.get().number == 1
    with pytest.raises(KeyError):
        putter.get()
    queue.get()
    queue.get()
    other.join(1)
    assert other.successful()


def test_one_that_cannot_be_compared_does_not_keep_back_others_that_came_late(hub):
    queue = PriorityQueue(items=[Compared(1)])

    def puts():
        queue.put(Compared(3, fails))
        queue.put(Compared(4))

    with pytest.raises(KeyError):
        queue.put(Compared(2, puts))
    assert {1, 4} <= set(numbers(queue))


def test_threads_whose_items_are_compared_in_python_lose_none_and_keep_the_bound():
    queue = PriorityQueue(5)
    got, most = [], []

    def puts(first):
        for number in range(first, first + 300):
            queue.put(Compared(number))
            most.append(queue.qsize())

    def gets():
        for _ in range(300):
            got.append(queue.get().number)

    threads = [threading.Thread(target=puts, args=(number * 1000,)) for number in range(3)]
    threads += [threading.Thread(target=gets) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(got) == [base * 1000 + number for base in range(3) for number in range(300)]
    assert max(most) <= 5


# Queues that store items their own way, by the standard library's hooks.


class UniqueQueue(Queue):
    """As programs write it for the standard library's queue."""

    def _init(self, maxsize):
        self.queue = OrderedDict()

    def _put(self, item):
        self.queue[item] = True

    def _get(self):
        return self.queue.popitem(last=False)[0]


def test_a_subclass_stores_by_the_standard_librarys_hooks(hub):
    queue = UniqueQueue(3)
    for item in "aab":
        queue.put(item)
    assert (queue.qsize(), queue.unfinished_tasks) == (2, 3)
    task = spawn(lambda: [queue.get() for _ in range(3)])
    settle(hub)
    queue.put("c")
    assert task.get() == ["a", "b", "c"]


def test_a_subclass_gets_back_what_somebody_could_not_take(hub):
    queue = UniqueQueue()
    task = spawn(queue.get)
    settle(hub)
    hub.loop.run_callback(task.throw, GreenletExit)
    queue.put("a")
    task.join()
    assert queue.get() == "a"


def test_a_subclass_is_shut_down_immediately(hub):
    queue = UniqueQueue()
    queue.put("a")
    queue.shutdown(immediate=True)
    assert (queue.qsize(), queue.unfinished_tasks, type(queue.queue)) == (0, 0, OrderedDict)


def test_a_subclass_may_make_another_container(hub):
    class Newest(Queue):
        def _create_queue(self, items=()):
            return list(items)

        def _get(self):
            return self.queue.pop()

    queue = Newest(items=[1, 2])
    queue.put(3)
    assert (queue.get(), queue.get(), queue.get()) == (3, 2, 1)


def test_a_hook_that_fails_is_the_error_of_who_gets_and_not_of_who_puts(hub):
    class Picky(Queue):
        def _get(self):
            if super()._peek() == "bad":
                super()._get()
                raise KeyError("bad")
            return super()._get()

    queue = Picky()
    first, second = spawn(queue.get), spawn(queue.get)
    settle(hub)
    queue.put("bad")
    queue.put("good")
    with pytest.raises(KeyError):
        first.get()
    assert second.get() == "good"


def test_put_and_get_may_be_overridden(hub):
    class Loud(Queue):
        def put(self, item, block=True, timeout=None):
            return super().put(item.upper(), block, timeout)

        def get(self, *args, **kwargs):
            return super().get(*args, **kwargs) + "!"

    queue = Loud()
    queue.put("a", timeout=5)
    assert queue.get() == "A!"


# Channel


def test_a_channel_hands_over_from_hand_to_hand(hub):
    channel, log = Channel(), []

    def puts(item):
        channel.put(item)
        log.append(f"put {item}")

    putters = [spawn(puts, item) for item in "ab"]
    settle(hub)
    assert log == []
    assert (channel.balance, len(channel.putters), len(channel.getters), channel.ready()) == (2, 2, 0, True)
    assert channel.get() == "a"
    assert log == []
    assert channel.get_nowait() == "b"
    hubcore.joinall(putters)
    assert log == ["put a", "put b"]
    getter = spawn(channel.get)
    settle(hub)
    assert channel.balance == -1
    channel.put_nowait("c")
    assert getter.get() == "c"
    assert (channel.qsize(), channel.empty(), channel.full(), channel.ready(), bool(channel)) == (
        0,
        True,
        True,
        False,
        True,
    )
    assert Channel[int].__origin__ is Channel


def test_a_channels_size_is_one_by_convention(hub):
    Channel(1)
    with pytest.raises(ValueError, match="not 2"):
        Channel(2)


def test_nobody_there_in_time(hub):
    channel = Channel()
    for arguments in ((False,), (False, 5), (False, -1), (True, 0), (True, 0.001)):
        with pytest.raises(Empty):
            channel.get(*arguments)
        with pytest.raises(Full):
            channel.put("a", *arguments)
    for call in (lambda: channel.get(True, -1), lambda: channel.put("a", True, -1)):
        with pytest.raises(ValueError, match="non-negative number, not -1"):
            call()
    for call in (lambda: channel.get(True, "soon"), lambda: channel.put("a", True, "soon")):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(Empty):
        channel.get_nowait()
    with pytest.raises(Full):
        channel.put_nowait("a")
    assert channel.balance == 0
    with pytest.raises(LoopExit, match="get from <Channel"):
        channel.get()
    with pytest.raises(LoopExit, match="put to <Channel"):
        channel.put("a")


def test_who_is_killed_is_passed_over(hub):
    channel = Channel()
    victim, getter = spawn(channel.get), spawn(channel.get)
    settle(hub)
    victim.kill()
    channel.put("a", timeout=1)
    assert getter.get() == "a"
    victim, putter = spawn(channel.put, "b"), spawn(channel.put, "c")
    settle(hub)
    victim.kill()
    assert channel.get() == "c"
    putter.join()


def test_an_item_whose_getter_is_thrown_into_goes_to_the_next(hub):
    channel, ready = Channel(), []
    first, second = spawn(channel.get), spawn(channel.get)
    settle(hub)
    hub.loop.run_callback(first.throw, GreenletExit)
    channel.put("a")
    assert second.get() == "a"
    first = spawn(channel.get)
    settle(hub)
    hub.loop.run_callback(first.throw, GreenletExit)
    channel.rawlink(ready.append)
    channel.put("b")
    first.join()
    settle(hub)
    assert ready == [channel]
    assert channel.ready()
    assert channel.get_nowait() == "b"


def test_iterating_over_a_channel(hub):
    channel = Channel()
    task = spawn(list, channel)
    for item in (1, 2, StopIteration):
        channel.put(item)
    assert task.get() == [1, 2]
    putter = spawn(channel.put, 3)
    assert channel.next() == 3
    putter.join()


def test_a_channel_is_ready_where_somebody_puts(hub):
    channel = Channel()
    putter = spawn(channel.put, "a")
    assert hubcore.wait([channel], timeout=1) == [channel]
    assert channel.get() == "a"
    putter.join()


def test_in_the_hub_a_channel_is_not_waited_for(hub):
    channel, said = Channel(), []

    def callback():
        for call in (channel.get, lambda: channel.put("a"), lambda: channel.get(timeout=1)):
            with pytest.raises(BlockingSwitchOutError):
                call()
        with pytest.raises(Empty):
            channel.get(timeout=0)
        said.append(channel.balance)

    hub.loop.run_callback(callback)
    settle(hub)
    assert said == [0]
