"""The ready queue: a FIFO ring, an inbox for other threads, and the callbacks in it."""

import gc
import threading
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubcore._core.ready_queue import Callback, ReadyQueue


class FakeLoop:
    """Counts the wake-ups."""

    def __init__(self):
        self.woken = 0

    def wake(self):
        self.woken += 1


def test_an_empty_queue_gives_none():
    queue = ReadyQueue(None)
    assert queue.pop() is None
    assert len(queue) == queue.count == queue.drain_inbox() == 0
    assert queue.is_empty()


@given(st.lists(st.one_of(st.none(), st.integers(1, 200))))
def test_it_behaves_as_a_deque_while_it_grows_and_wraps_around(steps):
    """A number pushes as many entries, None pops one."""
    queue = ReadyQueue(None)
    model = deque()
    pushed = 0
    for step in steps:
        for _ in range(step or 0):
            pushed += 1
            queue.push(pushed)
            model.append(pushed)
        if step is None:
            assert queue.pop() == (model.popleft() if model else None)
        assert queue.count == len(queue) == len(model)
        assert queue.is_empty() is (not model)
    assert [queue.pop() for _ in range(len(model))] == list(model)


def test_it_keeps_its_order_when_it_grows_with_its_head_in_the_middle():
    queue = ReadyQueue(None)
    for number in range(50):
        queue.push(number)
    for _ in range(40):
        queue.pop()
    for number in range(50, 300):
        queue.push(number)
    assert [queue.pop() for _ in range(queue.count)] == list(range(40, 300))


def test_a_popped_entry_is_not_kept_alive():
    import weakref

    class Entry:
        pass

    queue = ReadyQueue(None)
    entry = Entry()
    gone = weakref.ref(entry)
    queue.push(entry)
    queue.pop()
    del entry
    assert gone() is None


def test_what_other_threads_send_counts_at_once_and_is_ready_once_drained():
    loop = FakeLoop()
    queue = ReadyQueue(loop)
    queue.push("first")
    thread = threading.Thread(target=queue.push_threadsafe, args=("second",))
    thread.start()
    thread.join()
    assert loop.woken == 1
    assert (queue.count, len(queue)) == (1, 2)
    assert not queue.is_empty()
    assert queue.drain_inbox() == 1
    assert (queue.count, len(queue)) == (2, 2)
    assert [queue.pop(), queue.pop()] == ["first", "second"]


def test_a_disconnected_queue_keeps_what_is_sent_and_wakes_nobody():
    loop = FakeLoop()
    queue = ReadyQueue(loop)
    queue.disconnect()
    queue.push_threadsafe("entry")
    assert loop.woken == 0
    assert queue.drain_inbox() == 1


def test_nothing_that_many_threads_send_is_lost():
    queue = ReadyQueue(FakeLoop())
    senders, each = 8, 2000
    seen = []

    def send(sender):
        for number in range(each):
            queue.push_threadsafe((sender, number))

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(senders)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or len(queue):
        queue.drain_inbox()
        while queue.count:
            seen.append(queue.pop())
    assert len(seen) == senders * each
    for sender in range(senders):
        assert [number for who, number in seen if who == sender] == list(range(each))


def test_a_callback_runs_once():
    seen = []
    callback = Callback(seen.append, (1,))
    assert callback
    assert callback.pending
    callback.run()
    callback.run()
    assert seen == [1]
    assert not callback
    assert not callback.pending


@pytest.mark.parametrize("stop", [Callback.stop, Callback.close])
def test_a_stopped_callback_does_not_run(stop):
    callback = Callback(pytest.fail, ("it was stopped",))
    stop(callback)
    callback.run()
    stop(callback)
    assert (callback.callback, callback.args) == (None, None)


def test_what_a_callback_raises_comes_out_and_it_is_done():
    callback = Callback(int, ("x",))
    with pytest.raises(ValueError, match="invalid literal"):
        callback.run()
    assert not callback.pending


def test_a_callback_that_runs_itself_runs_once():
    calls = []

    def nested():
        calls.append(1)
        callback.run()

    callback = Callback(nested, ())
    callback.run()
    assert calls == [1]


def test_their_text_says_what_they_hold():
    callback = Callback(print, (1, 2))
    assert "print" in repr(callback)
    assert "(1, 2)" in repr(callback)
    callback.stop()
    assert "done or stopped" in repr(callback)
    queue = ReadyQueue(None)
    queue.push(callback)
    queue.push_threadsafe(callback)
    assert "1 and 1" in repr(queue)


def test_what_a_finalizer_pushes_while_the_queue_grows_is_kept_and_in_order():
    """Growing makes a list, which may run the garbage collector, and with it any finalizer."""
    queue = ReadyQueue(None)

    class InACycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            queue.push("finalizer")

    before = gc.get_threshold()
    gc.disable()
    try:
        for i in range(10):  # so that the head is in the middle
            queue.push(i)
            queue.pop()
        for i in range(64):
            queue.push(i)
        InACycle()
        gc.set_threshold(1)
        gc.enable()
        queue.push(64)
    finally:
        gc.disable()
        gc.set_threshold(*before)
        gc.enable()
        gc.collect()
    entries = [queue.pop() for _ in range(len(queue))]
    assert [entry for entry in entries if entry != "finalizer"] == list(range(65))
    assert entries.count("finalizer") == 1
