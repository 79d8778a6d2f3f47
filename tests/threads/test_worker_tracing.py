"""Trace and profile functions in worker threads: looked for at each task, and gone with it; a refusal is the task's."""

import sys
import threading

import pytest

from hubcore import get_hub
from hubcore._base import worker_threads as _worker_threads
from hubcore.testing import run_python
from hubcore.threadpool import ThreadPool, ThreadPoolExecutor


@pytest.fixture
def functions():
    trace, profile = threading.gettrace(), threading.getprofile()
    threading.settrace(None)
    threading.setprofile(None)
    yield
    threading.settrace(trace)
    threading.setprofile(profile)


def apply_by_pool(function):
    return get_hub().threadpool.apply(function)


def apply_by_executor(function):
    with ThreadPoolExecutor(1) as executor:
        executor.submit(int).result()
        return executor.submit(function).result()


def apply_by_workers(function):
    import queue

    answers = queue.SimpleQueue()
    workers = _worker_threads.Workers(1)
    try:
        workers.submit(function, lambda *answer: answers.put(answer))
        result, error = answers.get(timeout=20)
    finally:
        _worker_threads._all.remove(workers)
    if error is not None:
        raise error
    return result


APPLY = pytest.mark.parametrize("apply", [apply_by_pool, apply_by_executor, apply_by_workers])


@APPLY
def test_a_function_that_is_set_later_is_used_and_not_after_it_is_taken_back(hub, functions, apply):
    apply(int)
    codes = []

    def trace(frame, event, argument):
        codes.append(frame.f_code)

    def task():
        return sys.gettrace(), sys.getprofile()

    threading.settrace(trace)
    assert apply(task) == (trace, None)
    assert task.__code__ in codes
    threading.settrace(None)
    threading.setprofile(trace)
    assert apply(task) == (None, trace)
    threading.setprofile(None)
    assert apply(task) == (None, None)


@APPLY
def test_what_a_task_sets_itself_ends_with_it(hub, functions, apply):
    def ignore(frame, event, argument):
        return None

    apply(lambda: sys.settrace(ignore))
    apply(lambda: sys.setprofile(ignore))
    for other in (apply_by_pool, apply_by_executor, apply_by_workers):
        assert other(lambda: (sys.gettrace(), sys.getprofile())) == (None, None)


def test_a_function_that_replaces_itself_is_called_once_for_each_thread(hub, functions):
    replaced = []

    def tracer(frame, event, argument):
        return tracer

    def first(frame, event, argument):
        replaced.append(threading.get_ident())
        sys.settrace(tracer)
        return tracer

    threading.settrace(first)
    pool = ThreadPool(1)
    assert [pool.apply(sys.gettrace) for _ in range(5)] == [tracer] * 5
    assert len(replaced) == len(set(replaced))


@pytest.mark.parametrize("event", ["sys.settrace", "sys.setprofile"])
def test_a_refusal_fails_the_call_and_the_next_has_a_worker(hub_backend, event):
    """Each call gets the error of the audit hook, and the place of the worker is free again."""
    done = run_python(
        f"""
        import sys, threading
        from hubcore import get_hub, Timeout
        from hubcore._base.worker_threads import Workers
        from hubcore.threadpool import ThreadPool, ThreadPoolExecutor
        import queue

        refuse = threading.Event()
        def hook(name, arguments):
            if refuse.is_set() and name == {event!r}:
                raise RuntimeError("refused")
        sys.addaudithook(hook)

        pool, executor, workers, answers = ThreadPool(1), ThreadPoolExecutor(1), Workers(1), queue.SimpleQueue()
        executor.submit(int).result()

        def by_workers(function):
            workers.submit(function, lambda *answer: answers.put(answer))
            result, error = answers.get(timeout=10)
            if error is not None:
                raise error
            return result

        ways = [pool.apply, lambda function: executor.submit(function).result(5), by_workers]
        ways.append(get_hub().threadpool.apply)

        def ignore(*of_the_event):
            return None

        threading.settrace(ignore)
        threading.setprofile(ignore)
        refuse.set()
        for way in ways:
            for _ in range(3):
                try:
                    with Timeout(10):
                        way(int)
                except RuntimeError as error:
                    print(error)
        refuse.clear()
        threading.settrace(None)
        threading.setprofile(None)
        print([way(int) for way in ways], len(pool))
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("refused\n" * 12 + "[0, 0, 0, 0] 0\n", "")


def test_a_function_that_a_task_leaves_and_no_one_may_remove_ends_the_worker(hub_backend):
    done = run_python(
        """
        import sys, threading
        from hubcore.threadpool import ThreadPool

        refuse = threading.Event()
        def hook(name, arguments):
            if refuse.is_set() and name == "sys.settrace":
                raise RuntimeError("refused")
        sys.addaudithook(hook)

        def ignore(*of_the_event):
            return None

        def task():
            sys.settrace(ignore)
            refuse.set()
            return threading.get_ident()

        pool = ThreadPool(1)
        first = pool.apply(task)
        print(pool.apply(sys.gettrace))
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("None\n", "")
