"""ThreadPool: calls in native threads, limits, cancelled waits, many hubs at once, fork and the end of the process."""

import contextvars
import gc
import sys
import threading
import time
import weakref

import pytest

import hubcore
from hubcore import GreenletExit, LoopExit, Timeout, spawn
from hubcore._base import worker_threads as _worker_threads
from hubcore._core import waiter as _waiter
from hubcore.event import AsyncResult, Event
from hubcore.testing import run_python, settle
from hubcore.threadpool import ThreadPool, ThreadResult

PATIENCE = 20


@pytest.fixture
def pool(hub):
    return ThreadPool(2)


class Gate:
    """A call that blocks its thread until it is opened."""

    def __init__(self):
        self.begun = AsyncResult()
        self.opened = threading.Event()

    def __call__(self, result=None):
        self.begun.set()
        assert self.opened.wait(PATIENCE)
        return result


def test_a_call_runs_in_another_thread_while_greenlets_go_on(pool):
    gate = Gate()
    job = pool.spawn(gate, "result")
    assert pool.apply(threading.get_ident) != threading.get_ident()
    assert not job.ready()
    assert len(pool) == 1
    gate.opened.set()
    assert job.get() == "result"
    assert len(pool) == 0


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GreenletExit, BaseException])
def test_whatever_a_call_raises_comes_out_with_its_traceback(pool, error):
    def deep():
        raise error("reason")

    with pytest.raises(error, match="reason") as caught:
        pool.apply(deep)
    assert caught.traceback[-1].name == "deep"
    assert pool.apply(int) == 0


def test_results_need_be_neither_hashable_nor_picklable(pool):
    value = [lambda: None, {}]
    assert pool.apply(lambda: value) is value


@pytest.mark.skipif(_waiter.__file__.endswith(".py"), reason="hubcore's own frames refer to the result, too")
def test_nothing_of_a_call_is_kept(pool):
    class Argument:
        pass

    def fail(argument):
        raise ValueError

    argument = Argument()
    gone = weakref.ref(argument)
    pool.apply(id, (argument,))
    del argument
    assert gone() is None
    argument = Argument()
    gone = threading.Event()  # the worker still refers to what it raised when the caller learns of it
    seen = weakref.ref(argument, lambda _: gone.set())
    gc.disable()
    try:
        with pytest.raises(ValueError):
            pool.apply(fail, (argument,))
        del argument
        assert gone.wait(30)
        assert seen() is None
    finally:
        gc.enable()


def test_spawn_waits_while_the_pool_is_full(pool):
    gates = [Gate(), Gate()]
    for gate in gates:
        pool.spawn(gate)
    assert pool.full()
    third = spawn(pool.spawn, int)
    settle(hubcore.get_hub())
    assert not third.ready()
    gates[0].opened.set()
    assert third.get().get() == 0
    gates[1].opened.set()
    pool.join()
    assert not pool.full()


@pytest.mark.parametrize("how", ["kill", "timeout"])
def test_whoever_stops_waiting_for_room_leaves_nothing(pool, how):
    gates = [Gate(), Gate()]
    for gate in gates:
        pool.spawn(gate)
    called = []
    waiting = spawn(pool.apply, called.append, (1,))
    settle(hubcore.get_hub())
    if how == "kill":
        waiting.kill()
    else:
        with pytest.raises(Timeout), Timeout(0.01):
            pool.apply(called.append, (2,))
        waiting.kill()
    for gate in gates:
        gate.opened.set()
    pool.join()
    assert called == []
    assert pool._semaphore.counter == 2


def test_whoever_stops_waiting_for_a_result_goes_on_at_once(pool):
    gate = Gate()
    waiting = spawn(pool.apply, gate)
    gate.begun.get()
    waiting.kill()
    assert waiting.dead
    assert len(pool) == 1
    gate.opened.set()
    pool.join()


def test_a_call_that_has_not_begun_is_dropped_with_its_wait(pool, monkeypatch):
    handed_over = []
    monkeypatch.setattr(_worker_threads, "_idle", [])
    monkeypatch.setattr(_worker_threads, "start_new_thread", lambda run, args: handed_over.append((run, args)))
    called = []
    waiting = spawn(pool.apply, called.append, (1,))
    settle(hubcore.get_hub())
    waiting.kill()
    monkeypatch.undo()
    assert pool.full() is False
    _worker_threads.start_new_thread(*handed_over[0])
    pool.join()
    assert called == []


def test_no_thread_to_be_had_is_an_error_and_takes_no_room(pool, monkeypatch):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_worker_threads, "_idle", [])
    monkeypatch.setattr(_worker_threads, "start_new_thread", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        pool.apply(int)
    monkeypatch.undo()
    assert pool._semaphore.counter == 2
    assert pool.apply(int) == 0


def test_a_call_sees_its_callers_context_and_leaves_nothing_there(pool):
    variable = contextvars.ContextVar("variable", default="none")

    def call():
        before = variable.get()
        variable.set("changed in the call")
        return before

    variable.set("mine")
    assert [pool.apply(call) for _ in range(5)] == ["mine"] * 5
    assert variable.get() == "mine"
    assert contextvars.Context().run(pool.apply, variable.get) == "none"


def test_a_call_may_use_the_pool_it_runs_in():
    pool = ThreadPool(1)
    assert pool.apply(lambda: pool.apply(lambda: pool.apply(int))) == 0
    assert pool.apply(lambda: pool.map(abs, [-1, -2])) == [1, 2]


def test_a_call_may_use_another_pool_and_wait_natively(pool):
    other = ThreadPool(1)
    assert pool.apply(lambda: other.apply(threading.get_ident)) != threading.get_ident()


def test_a_hub_that_a_call_made_ends_with_it(pool, hub):
    from hubcore.hub import hubs

    before = set(hubs)
    pool.apply(lambda: hubcore.spawn(hubcore.sleep, 100) and hubcore.sleep(0))
    assert set(hubs) == before


def test_maxsize_may_be_set(pool):
    pool.maxsize = 0
    with pytest.raises(Timeout), Timeout(0.01):
        pool.apply(int)
    waiting = spawn(pool.apply, int)
    settle(hubcore.get_hub())
    pool.maxsize = 3
    assert waiting.get() == 0
    assert pool.maxsize == 3
    gates = [Gate() for _ in range(3)]
    for gate in gates:
        pool.spawn(gate)
    pool.maxsize = 1
    assert pool.full()
    for gate in gates:
        gate.opened.set()
    pool.join()
    assert pool._semaphore.counter == 1


@pytest.mark.parametrize(("value", "error"), [(-1, ValueError), ("x", TypeError), (None, TypeError), (1.5, TypeError)])
def test_a_maxsize_that_is_none(pool, value, error):
    with pytest.raises(error):
        ThreadPool(value)
    with pytest.raises(error):
        pool.maxsize = value


def test_a_call_gives_its_room_back_once_whoever_notes_its_end(pool):
    """The worker and `join` may come to that at the same moment."""

    class Crossed(set):
        """Whoever looks whether a job is there is overtaken by somebody else who notes its end."""

        def __contains__(self, job):
            found = super().__contains__(job)
            if found:
                self.remove(job)
                pool._semaphore.release()
            return found

    gate = Gate()
    job = pool.spawn(gate)
    pool._jobs = Crossed(pool._jobs)
    pool.job_ended(job)
    gate.opened.set()
    job.get()
    pool.join()
    assert pool._semaphore.counter == 2


def test_the_statistics_count_calls_under_way(pool, hub):
    gate = Gate()
    job = pool.spawn(gate)
    assert hub.statistics().external == 1
    gate.opened.set()
    job.get()


def test_size_is_what_is_under_way_or_was_set(pool):
    assert pool.size == 0
    pool.size = 2
    assert pool.size == 2
    for wrong in (-1, 3):
        with pytest.raises(ValueError):
            pool.size = wrong
    pool.adjust()
    pool.kill()
    assert pool.size == 0
    assert pool.apply(int) == 0
    assert pool.task_queue.qsize() == pool.task_queue.unfinished_tasks == 0
    assert pool.hub is hubcore.get_hub()


def test_a_hub_has_a_pool(hub):
    assert hub.threadpool.apply(int) == 0
    assert hub.threadpool is hub.threadpool
    assert hub.threadpool.maxsize == hub.threadpool_size == 10
    own = hub.threadpool = ThreadPool(1)
    assert hub.threadpool is own
    del hub.threadpool
    assert isinstance(hub.threadpool, hub.threadpool_class)
    assert hub.threadpool is not own


def test_calls_can_be_waited_for_with_others(pool):
    event = Event()
    jobs = [pool.spawn(int), pool.spawn(int)]
    assert set(hubcore.wait([*jobs, event], timeout=PATIENCE, count=2)) == set(jobs)


def test_a_call_under_way_keeps_the_hub_waiting(pool):
    gate, event = Gate(), Event()
    pool.spawn(gate).rawlink(lambda job: event.set())
    gate.opened.set()
    assert event.wait()


def test_an_idle_thread_wakes_nobody(pool):
    pool.apply(int)
    while set(sys._current_frames()) - {threading.get_ident()} - _worker_threads.idle_thread_idents():
        time.sleep(0.001)  # it is on its way back
    with pytest.raises(LoopExit):
        AsyncResult().get()


def test_virtual_time_stands_still_while_a_call_is_under_way(hub):
    started = hub.loop.now()
    pool = ThreadPool(1)
    job = pool.spawn(time.sleep, 0.05)
    with Timeout(PATIENCE):
        hubcore.wait([job])
    assert hub.loop.now() - started < PATIENCE


def test_a_hub_destroyed_meanwhile_needs_no_result():
    gate = Gate()
    pool = ThreadPool(1)
    jobs = []

    def in_thread():
        jobs.append(pool.spawn(gate))
        hubcore.get_hub().destroy()

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    gate.opened.set()
    jobs[0].get(timeout=PATIENCE)
    assert not len(pool)


def test_a_thousand_calls_from_four_hubs_and_a_thread_without_one():
    pool = ThreadPool(5)
    lock, running, most, done = threading.Lock(), [0], [0], []

    def call(number):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.0001)
        with lock:
            running[0] -= 1
        return number

    def with_hub():
        done.append(sum(hubcore.joinall([spawn(pool.map, call, range(25)) for _ in range(8)]) and [200]))
        hubcore.get_hub().destroy()

    def without_hub():
        from hubcore.hub import get_hub_if_any

        done.append(len(pool.map(call, range(200))))
        assert get_hub_if_any() is None

    threads = [threading.Thread(target=target) for target in [with_hub] * 4 + [without_hub]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert done == [200] * 5
    assert 1 < most[0] <= 5
    assert pool._semaphore.counter == 5


def test_a_finalizer_may_submit(pool):
    results = []

    class Finalized:
        def __init__(self):
            self.itself = self

        def __del__(self):
            results.append(pool.spawn(int))

    pool.maxsize = 20
    for _ in range(10):
        Finalized()
        gc.collect()
    assert [result.get() for result in results] == [0] * 10


@pytest.mark.parametrize("moment", range(8))
def test_a_kill_at_any_moment_loses_no_room(pool, moment):
    jobs = [spawn(pool.apply, time.sleep, (0.001,)) for _ in range(6)]
    for _ in range(moment):
        hubcore.sleep(0.0005)
    hubcore.killall(jobs)
    pool.join()
    assert pool._semaphore.counter == 2
    assert pool.apply(int) == 0


def test_a_thread_result_reaches_its_receiver_in_the_hub(hub):
    got = []
    result = ThreadResult(got.append, hub, lambda: got.append("ready"))
    threading.Thread(target=result.set, args=(5,)).start()
    while len(got) < 2:
        hubcore.sleep(0.001)
    assert got == ["ready", result]
    assert result.value == 5
    assert result.successful()


def test_a_forked_child_uses_the_pool_afresh(hub_backend):
    done = run_python(
        """
        import os, threading
        from hubcore.threadpool import ThreadPool
        pool = ThreadPool(1)
        go_on, begun = threading.Event(), threading.Event()
        pool.spawn(lambda: (begun.set(), go_on.wait(30)))
        assert begun.wait(20)
        pid = os.fork()
        if pid == 0:
            assert len(pool) == 0
            assert pool.apply(os.getpid) == os.getpid() == pool.pid
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        go_on.set()
        pool.join()
        assert pool.apply(int) == 0
        """,
        hub_backend,
    )
    assert done.stdout == "7\n"


def test_a_call_that_forks_ends_its_child(hub_backend):
    done = run_python(
        """
        import os
        from hubcore.threadpool import ThreadPool
        pid = ThreadPool(1).apply(os.fork)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        hub_backend,
    )
    assert done.stdout == "0\n"


@pytest.mark.parametrize("call", ["time.sleep(100)", "exec('while True: pass')", "pool.spawn(time.sleep, 100).get()"])
def test_calls_under_way_do_not_keep_the_process_from_ending(hub_backend, call):
    done = run_python(
        f"""
        import time
        import hubcore
        from hubcore.threadpool import ThreadPool
        pool = ThreadPool(5)
        for _ in range(2):
            pool.spawn(lambda: {call})
        hubcore.sleep(0.05)
        print("end")
        """,
        hub_backend,
    )
    assert done.stdout == "end\n"
    assert done.stderr == ""
