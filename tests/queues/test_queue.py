"""SimpleQueue and Queue: items in order of arrival, a bound, and waiting for tasks with join."""

import gc
import queue as stdlib

import pytest
from greenlet import GreenletExit

import hubcore
from hubcore import Timeout, sleep, spawn
from hubcore.exceptions import BlockingSwitchOutError, LoopExit
from hubcore.queue import Empty, Full, JoinableQueue, Queue, ShutDown, SimpleQueue, UnboundQueue
from hubcore.testing import settle

KINDS = pytest.mark.parametrize("kind", [SimpleQueue, UnboundQueue, Queue, JoinableQueue])


def outcome(task):
    try:
        return task.get()
    except (Empty, Full, ShutDown) as error:
        return type(error)


@KINDS
def test_items_come_out_in_the_order_they_went_in(hub, kind):
    queue = kind()
    assert (queue.qsize(), len(queue), queue.empty(), queue.full(), bool(queue)) == (0, 0, True, False, True)
    for item in "abc":
        queue.put(item)
    queue.put_nowait("d")
    assert (queue.qsize(), len(queue), queue.empty(), queue.full(), bool(queue)) == (4, 4, False, False, True)
    assert (queue.peek(), queue.peek_nowait()) == ("a", "a")
    assert [queue.get(), queue.get(False), queue.get_nowait(), queue.get(timeout=0)] == list("abcd")
    assert queue.hub is None


def test_its_exceptions_are_the_standard_librarys():
    assert (Empty, Full) == (stdlib.Empty, stdlib.Full)
    assert getattr(stdlib, "ShutDown", ShutDown) is ShutDown


@KINDS
@pytest.mark.parametrize(
    ("maxsize", "bound"), [(None, None), (0, None), (-1, None), (1, 1), (3, 3), (True, 1), (2**40, 2**40)]
)
def test_its_bound(hub, kind, maxsize, bound):
    assert kind(maxsize).maxsize == bound


@KINDS
@pytest.mark.parametrize("maxsize", ["many", 1.5, []])
def test_a_bound_that_makes_no_sense_is_refused(hub, kind, maxsize):
    with pytest.raises(TypeError, match="maxsize must be an integer"):
        kind(maxsize)
    queue = kind(1)
    with pytest.raises(TypeError, match="maxsize must be an integer"):
        queue.maxsize = maxsize
    assert queue.maxsize == 1


@KINDS
def test_it_may_begin_with_items(hub, kind):
    queue = kind(items="abc")
    assert list(queue.queue) == list("abc")
    copy = queue.copy()
    assert queue.get() == "a"
    assert (type(copy), len(copy), len(queue)) == (kind, 3, 2)
    assert kind[int].__origin__ is kind


@KINDS
def test_an_empty_one_is_waited_for_and_a_put_does_not_switch(hub, kind):
    queue, got = kind(), []
    tasks = [spawn(lambda: got.append(queue.get())) for _ in range(3)]
    settle(hub)
    assert "3 getting" in repr(queue)
    queue.put("a")
    queue.put("b")
    assert (got, queue.qsize()) == ([], 0)
    assert queue.empty()
    queue.put("c")
    hubcore.joinall(tasks, raise_error=True)
    assert got == list("abc")


@KINDS
def test_a_full_one_is_waited_for(hub, kind):
    queue = kind(2)
    tasks = [spawn(queue.put, item) for item in "abcd"]
    settle(hub)
    assert (queue.qsize(), queue.full()) == (2, True)
    assert "2 putting" in repr(queue)
    assert queue.get() == "a"
    assert queue.qsize() == 2  # the next one's is in, before anybody else could take its place
    assert [task.ready() for task in tasks] == [True, True, False, False]
    assert [queue.get() for _ in range(3)] == list("bcd")
    hubcore.joinall(tasks, raise_error=True)
    assert queue.empty()


@KINDS
def test_not_in_time(hub, kind):
    queue = kind(1)
    for get in (queue.get, queue.peek):
        for arguments in ((False,), (False, 5), (False, -1), (True, 0), (True, 0.001)):
            with pytest.raises(Empty):
                get(*arguments)
        with pytest.raises(ValueError, match="non-negative number, not -1"):
            get(True, -1)
        with pytest.raises(TypeError):
            get(True, "soon")
    for get in (queue.get_nowait, queue.peek_nowait):
        with pytest.raises(Empty):
            get()
    queue.put("a")
    for arguments in ((False,), (False, 5), (False, -1), (True, 0), (True, 0.001)):
        with pytest.raises(Full):
            queue.put("b", *arguments)
    with pytest.raises(ValueError, match="non-negative number, not -1"):
        queue.put("b", True, -1)
    with pytest.raises(TypeError):
        queue.put("b", True, "soon")
    with pytest.raises(Full):
        queue.put_nowait("b")
    assert "0 getting, 0 putting" in repr(queue)
    assert (queue.get(), queue.qsize()) == ("a", 0)


@KINDS
def test_who_is_killed_or_times_out_takes_and_puts_nothing(hub, kind):
    queue = kind(1)
    getters = [spawn(queue.get) for _ in range(2)]
    settle(hub)
    getters[0].kill()
    with pytest.raises(Timeout), Timeout(0.001):
        queue.get()
    queue.put("a")
    assert getters[1].get() == "a"
    queue.put("b")
    putters = [spawn(queue.put, item) for item in "cd"]
    settle(hub)
    putters[0].kill()
    with pytest.raises(Timeout), Timeout(0.001):
        queue.put("e")
    assert [queue.get(), queue.get()] == ["b", "d"]
    with pytest.raises(Empty):
        queue.get(timeout=0.001)


@KINDS
def test_an_item_whose_getter_is_thrown_into_is_the_next_again(hub, kind):
    queue = kind()
    first = spawn(queue.get)
    settle(hub)
    hub.loop.run_callback(first.throw, GreenletExit)  # before its turn comes
    queue.put("a")
    queue.put("b")
    first.join()
    assert [queue.get(), queue.get()] == ["a", "b"]
    first, second = spawn(queue.get), spawn(queue.get)
    settle(hub)
    hub.loop.run_callback(first.throw, GreenletExit)
    queue.put("c")
    assert second.get() == "c"


@KINDS
def test_an_item_that_comes_back_is_there_for_whoever_is_linked(hub, kind):
    queue, ready = kind(), []
    first = spawn(queue.get)
    settle(hub)
    hub.loop.run_callback(first.throw, GreenletExit)
    queue.rawlink(ready.append)
    queue.put("a")
    assert hubcore.wait([queue], timeout=1) == [queue]
    settle(hub)
    assert ready == [queue]


@KINDS
def test_a_kill_after_the_hand_over_comes_at_the_next_wait(hub, kind):
    queue, got = kind(), []

    def body():
        got.append(queue.get())
        sleep(0)
        got.append("never")

    task = spawn(body)
    settle(hub)
    queue.put("a")
    task.kill()
    assert got == ["a"]


@KINDS
def test_who_peeks_is_shown_the_item_that_the_next_one_gets(hub, kind):
    queue = kind()
    tasks = [spawn(call) for call in (queue.peek, queue.get, queue.peek)]
    settle(hub)
    queue.put("a")
    settle(hub)
    assert [task.ready() for task in tasks] == [True, True, False]
    assert [task.value for task in tasks[:2]] == ["a", "a"]
    queue.put("b")
    assert tasks[2].get() == "b"
    assert queue.get() == "b"


@KINDS
def test_a_raised_bound_lets_in_those_who_wait(hub, kind):
    queue = kind(1, "a")
    tasks = [spawn(queue.put, item) for item in "bcd"]
    settle(hub)
    queue.maxsize = 3
    assert list(queue.queue) == list("abc")
    queue.maxsize = 1
    queue.get()
    assert queue.full()
    assert list(queue.queue) == list("bc")
    queue.maxsize = None
    hubcore.joinall(tasks, raise_error=True)
    assert list(queue.queue) == list("bcd")


@KINDS
def test_what_it_stores_in_may_be_replaced(hub, kind):
    from collections import deque

    queue = kind(2, "ab")
    task = spawn(queue.put, "c")
    settle(hub)
    queue.queue = deque("x")
    task.join()
    assert list(queue.queue) == ["x", "c"]
    queue.queue = deque()
    task = spawn(queue.get)
    settle(hub)
    queue.queue = deque("yz")
    assert task.get() == "y"
    assert queue.get() == "z"


@KINDS
def test_iterating_goes_on_until_stop_iteration_itself_is_an_item(hub, kind):
    queue = kind(items=[1, 2])
    task = spawn(list, queue)
    settle(hub)
    queue.put(3)
    queue.put(StopIteration)
    queue.put(4)
    assert task.get() == [1, 2, 3]
    assert queue.get() == 4


@KINDS
def test_links_wait_and_iwait(hub, kind):
    queue, calls = kind(), []
    queue.rawlink(calls.append)
    hub.loop.run_callback(queue.put, "a")
    assert hubcore.wait([queue], timeout=5) == [queue]
    settle(hub)
    assert calls == [queue]
    assert list(hubcore.iwait([queue])) == [queue]
    assert queue.linkcount() == 0
    assert queue.get() == "a"


@KINDS
def test_in_the_hub_nothing_waits(hub, kind):
    queue, full, said = kind(), kind(1, "x"), []

    def callback():
        calls = [queue.get, lambda: queue.get(timeout=1), queue.peek]
        calls += [lambda: full.put("y"), lambda: full.put("y", timeout=1)]
        for call in calls:
            with pytest.raises(BlockingSwitchOutError):
                call()
        with pytest.raises(Empty):
            queue.get(timeout=0)
        with pytest.raises(Full):
            full.put("y", timeout=0)
        said.append((repr(queue), repr(full)))
        queue.put("a")
        said.append(full.get())

    hub.loop.run_callback(callback)
    settle(hub)
    assert "0 getting, 0 putting" in said[0][0]
    assert "0 getting, 0 putting" in said[0][1]
    assert said[1] == "x"
    assert queue.get() == "a"


@KINDS
def test_nobody_who_could_put_is_a_loop_exit_that_names_it(hub, kind):
    with pytest.raises(LoopExit, match=f"get from <{kind.__name__} at"):
        kind().get()
    with pytest.raises(LoopExit, match=f"put to <{kind.__name__} at"):
        kind(1, "a").put("b")


@KINDS
def test_a_finalizer_may_put_while_an_item_is_put(hub, kind):
    queue = kind()

    class Last:
        def __del__(self):
            queue.put("last words")

    last = Last()
    last.itself = last
    task = spawn(queue.get)
    settle(hub)
    del last
    gc.collect()
    assert task.get() == "last words"


# Work that is waited for.


def test_join_waits_for_every_item_to_be_done_with(hub):
    queue = Queue()
    assert queue.join() is True
    queue.put("a")
    queue.put("b")
    assert queue.unfinished_tasks == 2
    assert queue.join(0) is False
    assert queue.join(0.001) is False
    assert queue.join(-1) is False
    tasks = [spawn(queue.join) for _ in range(2)]
    queue.get()
    queue.task_done()
    settle(hub)
    assert not any(task.ready() for task in tasks)
    queue.get()
    queue.task_done()
    assert [task.get() for task in tasks] == [True, True]
    with pytest.raises(ValueError, match="too many times"):
        queue.task_done()


def test_items_that_were_there_at_first_are_unfinished_and_so_are_those_of_a_copy(hub):
    assert Queue(items="ab").unfinished_tasks == 2
    queue = Queue(items="ab", unfinished_tasks=5)
    assert (queue.unfinished_tasks, queue.copy().unfinished_tasks) == (5, 5)


def test_an_item_handed_straight_to_who_waits_is_unfinished_too(hub):
    queue = Queue()
    task = spawn(queue.get)
    settle(hub)
    queue.put("a")
    assert queue.unfinished_tasks == 1
    task.join()
    queue.task_done()
    assert queue.join(0) is True


def test_a_kill_ends_a_join(hub):
    queue = Queue(items="a")
    task = spawn(queue.join)
    settle(hub)
    task.kill()
    with pytest.raises(TypeError):
        queue.join("soon")
    queue.task_done()


def test_a_shut_down_queue_gives_what_it_has_and_takes_nothing(hub):
    queue = Queue(2, "a")
    assert not queue.is_shutdown
    queue.shutdown()
    assert queue.is_shutdown
    for put in (queue.put, queue.put_nowait, lambda item: queue.put(item, False)):
        with pytest.raises(ShutDown):
            put("b")
    assert queue.peek() == "a"
    assert queue.get() == "a"
    for get in (queue.get, queue.get_nowait, queue.peek, queue.peek_nowait, lambda: queue.get(timeout=1)):
        with pytest.raises(ShutDown):
            get()
    assert list(queue) == []
    assert queue.unfinished_tasks == 1
    assert "shut down" in repr(queue)
    queue.shutdown()
    queue.shutdown(True)


def test_a_shutdown_wakes_those_who_wait_in_vain(hub):
    queue, full = Queue(), Queue(1, "a")
    tasks = [spawn(queue.get), spawn(queue.peek), spawn(full.put, "b"), spawn(full.join)]
    settle(hub)
    queue.shutdown()
    full.shutdown()
    assert [outcome(task) for task in tasks[:3]] == [ShutDown] * 3
    assert not tasks[3].ready()
    assert full.get() == "a"
    full.task_done()
    assert tasks[3].get() is True


def test_an_immediate_shutdown_drops_the_items_and_counts_them_as_done(hub):
    queue = Queue(3, "abc")
    assert queue.get() == "a"
    joiner = spawn(queue.join)
    putter = spawn(queue.put, "d")
    settle(hub)
    assert queue.unfinished_tasks == 4
    late = spawn(queue.put, "e")
    settle(hub)
    queue.shutdown(immediate=True)
    assert (queue.qsize(), queue.unfinished_tasks) == (0, 1)
    assert (outcome(putter), outcome(late)) == (None, ShutDown)
    settle(hub)
    assert not joiner.ready()
    queue.task_done()
    assert joiner.get() is True
    queue = Queue(items="ab")
    joiner = spawn(queue.join)
    settle(hub)
    queue.shutdown(True)
    assert joiner.get() is True
