"""A queue's lock and conditions, under the standard library's names."""

import gc
import threading
from _weakref import ref

import pytest

import hubcore
from hubcore import spawn
from hubcore.event import Event
from hubcore.exceptions import BlockingSwitchOutError
from hubcore.queue import Empty, Full, LifoQueue, PriorityQueue, Queue, ShutDown, SimpleQueue
from hubcore.testing import run_python, settle


@pytest.mark.parametrize("kind", [Queue, LifoQueue, PriorityQueue])
def test_who_has_the_lock_has_the_queue_to_himself(hub, kind):
    queue, done = kind(2, [1]), []
    with queue.mutex:
        with queue.mutex:
            others = [
                spawn(lambda: done.append(("got", queue.get()))),
                spawn(lambda: done.append(("put", queue.put_nowait(2)))),
                spawn(lambda: done.append(("done", queue.task_done()))),
            ]
            settle(hub)
        settle(hub)
        assert (done, list(queue.queue), queue.unfinished_tasks) == ([], [1], 1)
        queue.put(0)
        assert queue.get() in (0, 1)  # one's own calls go on
    hubcore.joinall(others, raise_error=True)
    assert [what for what, _ in done] == ["got", "put", "done"]
    assert (queue.qsize(), queue.unfinished_tasks) == (1, 2)


def test_what_was_done_with_the_lock_counts_once_it_is_let_go(hub):
    queue = Queue(1, ["old"])
    putting = spawn(queue.put, "new")
    settle(hub)
    with queue.mutex:
        queue.queue.clear()
        queue.unfinished_tasks = 0
        settle(hub)
        assert not putting.dead
    assert (putting.get(), list(queue.queue)) == (None, ["new"])

    getting = [spawn(queue.get) for _ in range(3)]
    settle(hub)
    with queue.not_empty:
        queue.queue.extend([2, 3])
        queue.not_empty.notify()
    assert [each.get() for each in getting] == ["new", 2, 3]
    with pytest.raises(Empty):
        queue.get_nowait()


def test_the_conditions_tell_what_they_say(hub):
    queue, said = Queue(1), []

    def wait_for(name):
        condition = getattr(queue, name)
        with condition:
            said.append((name, condition.wait(9.0)))

    for name, step in [
        ("not_empty", lambda: queue.put("a")),
        ("not_full", queue.get),
        ("all_tasks_done", queue.task_done),
    ]:
        waiting = spawn(wait_for, name)
        settle(hub)
        assert len(said) == 0
        step()
        waiting.get()
        assert said.pop() == (name, True)
    with queue.not_empty:
        assert not queue.not_empty.wait(0.01)


def test_an_item_that_somebody_waits_for_is_not_announced(hub):
    queue = Queue()

    def look():
        with queue.not_empty:
            return queue.not_empty.wait(0.01)

    looking = spawn(look)
    getting = spawn(queue.get)
    settle(hub)
    queue.put(1)
    assert (getting.get(), looking.get()) == (1, False)


def test_the_end_of_the_work_with_a_limit_of_time(hub):
    """As programs write it for `join`, which has none in the standard library."""
    queue, goes_on = Queue(), Event()
    queue.put("job")
    spawn(lambda: (goes_on.wait(), queue.get(), queue.task_done()))
    answers = []
    with queue.all_tasks_done:
        while queue.unfinished_tasks:
            answers.append(queue.all_tasks_done.wait(9.0 if goes_on.is_set() else 0.01))
            goes_on.set()
    assert answers == [False, True]


def test_a_join_ends_when_the_number_is_set_to_none(hub):
    queue = Queue(None, "abc")
    joining = spawn(queue.join)
    settle(hub)
    with queue.mutex:
        queue.unfinished_tasks = 0
    assert joining.get()


def test_a_full_and_a_closed_queue_as_without_the_lock(hub):
    queue = Queue(1, [1])
    assert queue.mutex is queue.mutex
    for call, failure in [
        (lambda: queue.put_nowait(2), Full),
        (lambda: queue.put(2, timeout=0.01), Full),
        (queue.shutdown, None),
        (lambda: queue.put(2), ShutDown),
        (queue.get, None),
        (queue.get, ShutDown),
    ]:
        if failure is None:
            call()
        else:
            with pytest.raises(failure):
                call()


def test_a_shutdown_wakes_who_waits_for_a_condition(hub):
    queue, woken = Queue(), []

    def wait_for(condition):
        with condition:
            woken.append(condition.wait())

    waiting = [spawn(wait_for, each) for each in (queue.not_empty, queue.not_full)]
    waiting.append(spawn(pytest.raises, ShutDown, queue.get))
    settle(hub)
    queue.shutdown()
    hubcore.joinall(waiting, raise_error=True)
    assert woken == [True, True]


def test_a_callback_cannot_wait_for_the_lock(hub):
    queue, failures = Queue(), []

    def put():
        try:
            queue.put(1)
        except BlockingSwitchOutError as error:
            failures.append(error)

    with queue.mutex:
        hub.loop.run_callback(put)
        settle(hub)
    hub.loop.run_callback(put)
    settle(hub)
    assert (len(failures), queue.qsize()) == (1, 1)


def test_threads_share_the_lock(hub):
    queue, seen = Queue(), []

    def count():
        for _ in range(300):
            with queue.mutex:
                seen.append(queue.unfinished_tasks)
                queue.unfinished_tasks += 1

    native = hubcore.get_hub().threadpool
    calls = [native.spawn(count) for _ in range(3)]
    hubcore.joinall(calls)
    assert sorted(seen) == list(range(900))


class Own(Queue):
    """Puts and gets as the standard library's own methods do."""

    def put(self, item, block=True, timeout=None):
        with self.not_full:
            while self._qsize() >= 1:
                self.not_full.wait()
            self._put(item)
            self.unfinished_tasks += 1
            self.not_empty.notify()

    def get(self, block=True, timeout=None):
        with self.not_empty:
            while not self._qsize():
                self.not_empty.wait()
            item = self._get()
            self.not_full.notify()
            return item


def test_a_subclass_may_do_it_all_by_itself(hub):
    queue = Own()
    puts = [spawn(queue.put, number) for number in range(3)]
    assert [queue.get() for _ in range(3)] == [0, 1, 2]
    hubcore.joinall(puts, raise_error=True)
    assert queue.unfinished_tasks == 3


def test_a_subclass_may_have_its_own_lock(hub):
    class Locked(Queue):
        def __init__(self):
            super().__init__()
            self.mutex = threading.Lock()

    queue = Locked()
    with queue.mutex:
        queue.put(1)
    assert queue.get() == 1


def test_only_a_queue_has_them_and_it_is_gone_when_it_is_let_go(hub):
    assert not hasattr(SimpleQueue(), "mutex")
    queue = Queue()
    lock, gone = queue.mutex, ref(queue)
    gc.disable()
    try:
        del queue
        assert gone() is None
    finally:
        gc.enable()
    with lock:
        pass


def test_a_finalizer_may_use_it_when_the_process_ends(hub_backend):
    done = run_python(
        """
        import hubcore
        from hubcore.queue import Queue

        class Last:
            def __init__(self, queue):
                self.queue = queue
            def __del__(self):
                with self.queue.mutex:
                    self.queue.put(1)
                print(self.queue.get())

        hubcore.sleep(0)
        queue = Queue()
        queue.mutex
        last = Last(queue)  # which goes when greenlet works no more
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
