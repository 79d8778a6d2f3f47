"""Worker threads: made on demand, kept for a while, then ended."""

import queue
import sys
import threading

import pytest

from hubcore._base import worker_threads as _worker_threads
from hubcore._base.worker_threads import Workers, idle_thread_idents
from hubcore.testing import run_python

PATIENCE = 20


@pytest.fixture
def workers(monkeypatch):
    monkeypatch.setattr(_worker_threads, "_idle", [])  # threads of its own, which end with the test
    made = Workers(3)
    yield made
    _worker_threads._all.remove(made)


def run(workers, call):
    """Have a worker run `call`; its result and error."""
    answer = queue.SimpleQueue()
    workers.submit(call, lambda *outcome: answer.put(outcome))
    return answer.get(timeout=PATIENCE)


def eventually(condition):
    """Wait for another thread to get there; there is no event for the end of a thread that is not threading's."""
    turn = threading.Event()
    for _ in range(PATIENCE * 1000):
        if condition():
            return True
        turn.wait(0.001)
    return False


def test_a_result_and_an_error_come_back(workers):
    assert run(workers, lambda: 6 * 7) == (42, None)
    result, error = run(workers, lambda: 1 // 0)
    assert result is None
    assert isinstance(error, ZeroDivisionError)
    assert isinstance(run(workers, exit)[1], SystemExit)


def test_jobs_one_after_another_take_one_thread(workers):
    idents = set()
    for _ in range(20):
        idents.add(run(workers, threading.get_ident)[0])
        assert eventually(lambda: idents <= idle_thread_idents())
    assert len(idents) == 1
    assert workers._threads == 0


def test_jobs_at_once_take_as_many_threads_as_there_may_be(workers):
    go_on, started, done = threading.Event(), queue.SimpleQueue(), queue.SimpleQueue()

    def job():
        started.put(threading.get_ident())
        assert go_on.wait(PATIENCE)

    for _ in range(10):
        workers.submit(job, lambda *outcome: done.put(outcome))
    idents = {started.get(timeout=PATIENCE) for _ in range(3)}
    assert len(idents) == workers._threads == 3
    assert started.empty()
    assert not idents & idle_thread_idents()
    go_on.set()
    assert [done.get(timeout=PATIENCE) for _ in range(10)] == [(None, None)] * 10
    assert {started.get(timeout=PATIENCE) for _ in range(7)} <= idents
    assert eventually(lambda: idents <= idle_thread_idents())


def test_a_thread_without_work_ends_and_another_is_made(workers, monkeypatch):
    monkeypatch.setattr(_worker_threads, "_IDLE_SECONDS", 0.01)
    ident, _ = run(workers, threading.get_ident)
    assert eventually(lambda: ident not in sys._current_frames())
    assert run(workers, lambda: "again") == ("again", None)
    assert eventually(lambda: not idle_thread_idents())


def test_no_job_is_lost_while_threads_end(workers, monkeypatch):
    monkeypatch.setattr(_worker_threads, "_IDLE_SECONDS", 0.0)
    answers = queue.SimpleQueue()
    for i in range(500):
        workers.submit(lambda i=i: i, lambda result, error: answers.put(result))
        if i % 7 == 0:
            eventually(lambda: workers._threads == 0)
    assert sorted(answers.get(timeout=PATIENCE) for _ in range(500)) == list(range(500))
    assert eventually(lambda: workers._threads == 0)


def test_where_no_thread_can_be_started_whoever_relied_on_it_learns_of_that(workers, monkeypatch):
    workers.limit, outcomes = 1, []

    def fails(call):
        # Meanwhile another thread submits, and sees a worker that is being started.
        workers.submit(lambda: "never", lambda *outcome: outcomes.append(outcome))
        raise RuntimeError("no more threads")

    with monkeypatch.context() as patch:
        patch.setattr(_worker_threads, "start", fails)
        with pytest.raises(RuntimeError, match="no more threads"):
            workers.submit(lambda: "never", lambda *outcome: outcomes.append("own"))
    ((result, error),) = outcomes
    assert result is None
    assert isinstance(error, RuntimeError)
    assert run(workers, lambda: "now") == ("now", None)


def test_a_failing_done_is_reported_and_the_worker_goes_on(workers, monkeypatch):
    reported = queue.SimpleQueue()
    monkeypatch.setattr("sys.excepthook", lambda kind, value, trace: reported.put(kind))
    workers.submit(lambda: None, lambda result, error: 1 // 0)
    assert reported.get(timeout=PATIENCE) is ZeroDivisionError
    assert run(workers, lambda: "still") == ("still", None)
    assert eventually(lambda: len(idle_thread_idents()) == 1)


def test_nothing_of_a_job_is_kept_after_it(workers):
    class Argument:
        def __del__(self):
            gone.set()

    gone = threading.Event()
    argument = Argument()
    run(workers, lambda held=argument: None)
    del argument
    assert gone.wait(PATIENCE)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit):
    with pytest.raises(ValueError, match="1 or more"):
        Workers(limit)


def test_no_thread_to_be_had_is_an_error(workers, monkeypatch):
    def refuse(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_worker_threads, "start_new_thread", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        workers.submit(lambda: None, lambda *outcome: None)
    assert workers._threads == 0


def test_a_job_waits_for_the_threads_there_are_when_no_more_can_be_had(workers, monkeypatch):
    go_on, done = threading.Event(), queue.SimpleQueue()
    workers.submit(lambda: go_on.wait(PATIENCE), lambda *outcome: done.put(outcome))

    def refuse(*args):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_worker_threads, "start_new_thread", refuse)
    workers.submit(lambda: "second", lambda *outcome: done.put(outcome))
    assert workers._threads == 1
    go_on.set()
    assert [done.get(timeout=PATIENCE) for _ in range(2)] == [(True, None), ("second", None)]


def test_threads_at_work_do_not_keep_the_process_from_ending():
    done = run_python(
        """
        import threading
        from hubcore._base.worker_threads import Workers
        started = threading.Event()

        def call():
            started.set()
            threading.Event().wait()

        Workers(1).submit(call, print)
        assert started.wait(20)
        print("end")
        """
    )
    assert done.stdout == "end\n"
    assert done.stderr == ""


def test_a_forked_child_has_threads_of_its_own():
    done = run_python(
        """
        import os, queue, threading
        from hubcore._base.worker_threads import Workers, idle_thread_idents

        go_on, started = threading.Event(), threading.Event()
        workers = Workers(1)
        workers.submit(lambda: (started.set(), go_on.wait(30)), lambda *outcome: None)
        assert started.wait(20)
        pid = os.fork()
        if pid == 0:
            answers = queue.SimpleQueue()
            assert not idle_thread_idents()
            workers.submit(os.getpid, lambda *outcome: answers.put(outcome))
            os._exit(0 if answers.get(timeout=20) == (os.getpid(), None) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        go_on.set()
        """
    )
    assert done.stdout == "0\n"


def test_a_worker_is_traced_and_profiled_as_threads_of_threading_are(workers):
    traced, profiled = [], []

    def work():
        return sys._getframe().f_code

    # What they were is put back: coverage may be at it.
    trace, profile = threading.gettrace(), threading.getprofile()
    threading.settrace(lambda frame, event, _: traced.append((frame.f_code, event)))
    threading.setprofile(lambda frame, event, _: profiled.append((frame.f_code, event)))
    try:
        code, error = run(workers, work)
    finally:
        threading.settrace(trace)
        threading.setprofile(profile)
    assert error is None
    assert (code, "call") in traced
    assert {(code, "call"), (code, "return")} <= set(profiled)


def test_a_tracer_acts_on_the_calls_from_the_next_one_on_until_it_is_taken_back(workers):
    """Also in a thread that has begun: a debugger or a profiler may be started at any time."""
    traced, profiled = [], []

    def work():
        return sys._getframe().f_code

    assert run(workers, work) == (work.__code__, None)
    trace, profile = threading.gettrace(), threading.getprofile()
    threading.settrace(lambda frame, event, _: traced.append(frame.f_code))
    threading.setprofile(lambda frame, event, _: profiled.append(frame.f_code))
    try:
        run(workers, work)
    finally:
        threading.settrace(trace)
        threading.setprofile(profile)
    assert work.__code__ in traced
    assert work.__code__ in profiled
    traced.clear()
    profiled.clear()
    run(workers, work)
    assert traced == profiled == []


def test_what_a_call_sets_itself_ends_with_it(workers):
    before = threading.gettrace(), threading.getprofile()
    if before != (None, None):
        pytest.skip("something traces this run")

    def sets():
        sys.settrace(lambda *args: None)
        sys.setprofile(lambda *args: None)

    assert run(workers, sets) == (None, None)
    assert run(workers, lambda: (sys.gettrace(), sys.getprofile())) == ((None, None), None)


def test_a_failure_to_set_a_tracer_up_is_the_callers(hub_backend):
    """An audit hook may refuse it."""
    code = """
        import sys, threading
        from hubcore.threadpool import ThreadPool
        from hubcore.socket import getaddrinfo

        refused = [True]

        def hook(event, args):
            if event == "sys.setprofile" and refused[0]:
                raise PermissionError("refused")

        sys.addaudithook(hook)
        threading.setprofile(lambda *args: None)
        pool = ThreadPool(1)
        for call in (lambda: pool.apply(int), lambda: pool.spawn(int).get(), lambda: getaddrinfo("localhost", 1)):
            try:
                print(call())
            except PermissionError as error:
                print(error)
        refused[0] = False
        print(pool.apply(int), bool(getaddrinfo("localhost", 1)), len(pool), pool.full())
    """
    done = run_python(code, hub_backend)
    assert done.stdout == "refused\nrefused\nrefused\n0 True 0 False\n"
    assert done.stderr == ""
