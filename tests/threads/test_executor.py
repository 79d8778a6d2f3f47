"""ThreadPoolExecutor: the same tests for the standard library's and hubcore's; then features of hubcore's alone."""

import concurrent.futures
import contextvars
import gc
import threading
import time
import weakref

import pytest

import hubcore
from hubcore import Timeout, spawn
from hubcore.event import Event
from hubcore.testing import run_python, settle
from hubcore.threadpool import ThreadPoolExecutor

PATIENCE = 20

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture(params=[concurrent.futures.ThreadPoolExecutor, ThreadPoolExecutor], ids=["standard", "hubcore"])
def kind(request):
    return request.param


def test_calls_return_and_raise(kind):
    with kind(2) as executor:
        assert executor.submit(divmod, 7, 2).result() == (3, 1)
        future = executor.submit(int, "x")
        assert isinstance(future.exception(), ValueError)
        with pytest.raises(ValueError, match="x"):
            future.result()
        assert isinstance(future, concurrent.futures.Future)
        assert list(executor.map(pow, [2, 3], [3, 2])) == [8, 9]
        with pytest.raises(ValueError):
            list(executor.map(int, "1x"))


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, BaseException])
def test_what_is_no_exception_comes_out_too(kind, error):
    def call():
        raise error("reason")

    with kind(1) as executor:
        assert isinstance(executor.submit(call).exception(), error)
        assert executor.submit(int).result() == 0


def test_at_most_so_many_threads(kind):
    lock, running, most = threading.Lock(), [0], [0]

    def call():
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.001)
        with lock:
            running[0] -= 1

    with kind(3) as executor:
        concurrent.futures.wait([executor.submit(call) for _ in range(30)])
    assert most[0] <= 3


def test_a_result_that_takes_too_long_is_a_timeout(kind):
    go_on = threading.Event()
    with kind(1) as executor:
        future = executor.submit(go_on.wait, PATIENCE)
        for look in (future.result, future.exception):
            with pytest.raises(concurrent.futures.TimeoutError):
                look(timeout=0.001)
            with pytest.raises(concurrent.futures.TimeoutError):
                look(timeout=0)
        go_on.set()
        assert future.result(PATIENCE) is True


def test_what_has_not_begun_can_be_cancelled(kind):
    go_on, begun, called = threading.Event(), threading.Event(), []
    with kind(1) as executor:
        first = executor.submit(lambda: (begun.set(), go_on.wait(PATIENCE)))
        second = executor.submit(called.append, 2)
        third = executor.submit(called.append, 3)
        assert begun.wait(PATIENCE)
        assert not first.cancel()
        assert first.running()
        assert second.cancel()
        go_on.set()
        assert third.result() is None
        with pytest.raises(concurrent.futures.CancelledError):
            second.result()
    assert called == [3]


@pytest.mark.parametrize("cancel", [False, True])
def test_shutdown_waits_and_cancels(kind, cancel):
    go_on, begun, called = threading.Event(), threading.Event(), []
    executor = kind(1)
    first = executor.submit(lambda: (begun.set(), go_on.wait(PATIENCE)))
    second = executor.submit(called.append, 2)
    assert begun.wait(PATIENCE)
    executor.shutdown(wait=False, cancel_futures=cancel)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(int)
    go_on.set()
    executor.shutdown()
    assert first.done()
    assert second.cancelled() is cancel
    assert called == ([] if cancel else [2])


def test_wait_and_as_completed_take_the_futures(kind):
    with kind(2) as executor:
        futures = [executor.submit(time.sleep, 0.002), executor.submit(int)]
        assert set(concurrent.futures.as_completed(futures, PATIENCE)) == set(futures)
        done, rest = concurrent.futures.wait(futures, PATIENCE)
        assert done == set(futures)
        assert not rest


def test_done_callbacks_are_called(kind):
    said = []
    with kind(1) as executor:
        future = executor.submit(int)
        future.add_done_callback(said.append)
    assert said == [future]


def test_each_thread_is_initialised_once(kind):
    initialised = []
    with kind(2, "name", lambda value: initialised.append((threading.get_ident(), value)), ("x",)) as executor:
        names = set(executor.map(lambda _: threading.current_thread().name, range(20)))
    assert names <= {"name_0", "name_1"}
    assert len(initialised) == len(set(initialised)) <= 2
    assert {value for _, value in initialised} == {"x"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_initializer_that_fails_breaks_it(kind):
    executor = kind(1, initializer=lambda: 1 // 0)
    with pytest.raises(concurrent.futures.BrokenExecutor):
        executor.submit(int).result(PATIENCE)
    with pytest.raises(concurrent.futures.BrokenExecutor):
        executor.submit(int)
    executor.shutdown()


@pytest.mark.parametrize("wrong", [{"max_workers": 0}, {"max_workers": -1}, {"initializer": 3}])
def test_what_it_cannot_be_made_with(kind, wrong):
    with pytest.raises((ValueError, TypeError)):
        kind(**wrong)


def test_a_dropped_executor_ends_its_threads_and_frees_results(kind):
    class Result:
        pass

    executor = kind(1)
    gone = weakref.ref(executor.submit(Result).result())
    ended = weakref.ref(executor)
    del executor
    gc.collect()
    assert ended() is None
    end = time.monotonic() + PATIENCE
    while gone() is not None and time.monotonic() < end:
        time.sleep(0.001)
    assert gone() is None


# What only ours does.


def test_greenlets_go_on_while_one_waits():
    go_on = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(go_on.wait, PATIENCE)
        spawn(go_on.set)
        assert future.result() is True
        go_on.clear()
        spawn(executor.submit, go_on.wait, PATIENCE)
        settle(hubcore.get_hub())
        spawn(go_on.set)
        executor.shutdown()  # waits cooperatively, too


def test_futures_can_be_waited_for_with_others():
    with ThreadPoolExecutor(2) as executor:
        futures = [executor.submit(int), executor.submit(int)]
        assert set(hubcore.wait(futures, timeout=PATIENCE)) == set(futures)
        assert set(hubcore.iwait(futures)) == set(futures)
        assert futures[0].ready()


def test_a_wait_can_be_killed_and_times_out():
    go_on = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(go_on.wait, PATIENCE)
        waiting = spawn(future.result)
        settle(hubcore.get_hub())
        waiting.kill()
        with pytest.raises(Timeout), Timeout(0.001):
            future.result()
        go_on.set()
        assert future.result() is True


def test_calls_see_the_submitters_context():
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("mine")
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(variable.get).result() == "mine"
        assert contextvars.Context().run(executor.submit, variable.get).result() == "none"


def test_a_thread_without_a_hub_waits_natively():
    from hubcore.hub import get_hub_if_any

    said = []
    with ThreadPoolExecutor(1) as executor:

        def use():
            said.append(executor.submit(int).result())
            said.append(get_hub_if_any())

        thread = threading.Thread(target=use)
        thread.start()
        thread.join(PATIENCE)
    assert said == [0, None]


def test_cancelling_all_is_not_stopped_by_what_was_cancelled_before():
    executor, gate, begun = ThreadPoolExecutor(1), threading.Event(), threading.Event()
    held = executor.submit(lambda: begun.set() or gate.wait(PATIENCE))
    assert begun.wait(PATIENCE)
    cancelled, other = executor.submit(int), executor.submit(int)
    assert cancelled.cancel()
    executor._shared.cancel_all(KeyError("no more"))  # what an initializer that fails comes to
    assert isinstance(other.exception(), KeyError)
    gate.set()
    assert held.result()
    executor.shutdown()


def test_cancelling_all_leaves_the_sign_that_tells_the_threads_to_end():
    executor, gate, begun = ThreadPoolExecutor(2), threading.Event(), threading.Event()
    executor.submit(lambda: begun.set() or gate.wait(PATIENCE))
    assert begun.wait(PATIENCE)
    executor.shutdown(wait=False)
    executor._shared.cancel_all(None)
    gate.set()
    with Timeout(PATIENCE):
        executor.shutdown()


def test_virtual_time_stands_still_until_the_threads_have_ended():
    executor = ThreadPoolExecutor(1)
    assert executor.submit(int).result() == 0
    end = Event()
    executor._shared.ends.append(end)  # of a thread that is long in ending
    timer = threading.Timer(0.1, end.set)
    timer.start()
    with Timeout(3600):
        executor.shutdown()
    timer.join()


def test_a_forked_child_waits_for_no_thread_of_the_parent(hub_backend):
    run_python(
        """
        import os
        from hubcore.threadpool import ThreadPoolExecutor

        closed, open_ = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        for each in closed, open_:
            each.submit(int).result()
        closed.shutdown()
        pid = os.fork()
        if pid == 0:
            open_.shutdown()
            for each in closed, open_:
                try:
                    each.submit(int)
                except RuntimeError:
                    continue
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        """,
        hub_backend,
    )


def test_calls_under_way_do_not_keep_the_process_from_ending(hub_backend):
    done = run_python(
        """
        import sys, time, threading
        from hubcore.threadpool import ThreadPoolExecutor
        begun = threading.Event()
        executor = ThreadPoolExecutor(1)
        executor.submit(lambda: (begun.set(), time.sleep(100)))
        assert begun.wait(20)
        print("end")
        """,
        hub_backend,
    )
    assert done.stdout == "end\n"
    assert done.stderr == ""


def test_a_call_that_is_taken_while_another_thread_shuts_it_down_is_made(kind):
    for _ in range(50):
        executor, taken = kind(1), []

        def submit_on(executor=executor, taken=taken):
            try:
                while True:
                    taken.append(executor.submit(int))
            except RuntimeError:
                pass

        thread = threading.Thread(target=submit_on)
        thread.start()
        while not taken:
            time.sleep(0)
        executor.shutdown(wait=False)
        thread.join(PATIENCE)
        assert concurrent.futures.wait(taken, PATIENCE).not_done == set()


def test_hubcore_does_not_import_concurrent_futures_for_a_thread_pool():
    run_python("import sys, hubcore.threadpool; assert 'concurrent.futures' not in sys.modules")
