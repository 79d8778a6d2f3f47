"""hubcore.threading without any patch: threads that are greenlets, beside the standard library's."""

import contextvars
import gc
import sys
import threading as stdlib

import pytest

import hubcore
from hubcore import spawn, threading
from hubcore.testing import run_python, settle


def test_a_thread_is_a_greenlet_that_the_standard_library_lists(hub):
    seen, go = [], threading.Event()

    def run(a, b):
        seen.append((a, b, threading.current_thread(), threading.get_ident()))
        go.wait()

    one = threading.Thread(target=run, args=(1,), kwargs={"b": 2}, name="one")
    other = threading.Thread(target=run, args=(3, 4), daemon=True)
    assert (one.daemon, other.daemon, one.is_alive(), one.ident) == (False, True, False, None)
    for each in (one, other):
        with pytest.raises(RuntimeError, match="before it is started"):
            each.join()
        each.start()
        with pytest.raises(RuntimeError, match="only be started once"):
            each.start()
    assert isinstance(one, stdlib.Thread)
    assert {one, other} <= set(stdlib.enumerate())
    assert one.is_alive()
    go.set()
    one.join()
    other.join(5)
    assert seen == [(1, 2, one, one.ident), (3, 4, other, other.ident)]
    assert not one.is_alive()
    assert not other.is_alive()
    assert one.ident != other.ident
    assert not {one, other} & set(stdlib.enumerate())


def test_a_thread_cannot_join_itself_and_its_failure_goes_to_the_hook(hub, monkeypatch):
    told = []
    monkeypatch.setattr(
        stdlib, "excepthook", lambda args: told.append((args.exc_type, str(args.exc_value), args.thread))
    )

    def join_myself():
        threading.current_thread().join()

    failing = threading.Thread(target=join_myself)
    failing.start()
    failing.join()
    assert told == [(RuntimeError, "cannot join current thread", failing)]
    told.clear()


def test_who_is_no_thread_gets_a_dummy_that_goes_with_its_greenlet(hub):
    before = stdlib.enumerate()
    names = []

    def run():
        dummy = threading.current_thread()
        assert dummy is threading.current_thread()
        assert dummy in stdlib.enumerate()
        names.append(dummy.name)
        return dummy.daemon, dummy.is_alive()

    tasks = [spawn(run) for _ in range(3)]
    assert [task.get() for task in tasks] == [(True, True)] * 3
    assert len(set(names)) == 3
    assert all(name.startswith("Dummy-") for name in names)
    gc.collect()
    assert stdlib.enumerate() == before  # although the greenlets are still referred to
    assert threading.current_thread() is threading.main_thread() is threading.main_native_thread()


def test_a_timer_calls_later_unless_it_is_cancelled(hub):
    called = []
    timer = threading.Timer(0.01, called.append, args=(1,))
    cancelled = threading.Timer(60, called.append, args=(2,))
    for each in (timer, cancelled):
        each.start()
    cancelled.cancel()
    for each in (timer, cancelled):
        each.join()
    assert called == [1]
    assert isinstance(timer, stdlib.Timer)


def test_conditions_events_semaphores_barriers_and_locals(hub):
    condition, event, barrier = threading.Condition(), threading.Event(), threading.Barrier(2)
    semaphore, bounded, mine = threading.Semaphore(2), threading.BoundedSemaphore(1), threading.local()

    def wait():
        mine.value = 1
        with condition:
            return condition.wait(5), event.wait(5), barrier.wait(5) in (0, 1), semaphore.acquire(timeout=5)

    task = spawn(wait)
    settle(hub)
    with condition:
        condition.notifyAll()
    event.set()
    assert repr(event).endswith(": set>")
    semaphore.acquire()
    semaphore.acquire()
    settle(hub)
    barrier.wait(5)
    semaphore.release(2)
    assert task.get() == (True, True, True, True)
    assert not hasattr(mine, "value")
    with pytest.raises(ValueError, match="released too many times"):
        bounded.release()
    bounded.acquire()
    bounded.release()
    with pytest.raises(ValueError, match="one or more"):
        semaphore.release(0)
    for make in (threading.Semaphore, threading.BoundedSemaphore):
        with pytest.raises(ValueError, match=">= 0"):
            make(-1)
        with pytest.raises(ValueError, match="non-blocking"):
            make().acquire(False, 1)
    with pytest.warns(DeprecationWarning, match="is_set"):
        assert event.isSet()


@pytest.mark.skipif(not hasattr(stdlib, "serialize_iterator"), reason="of CPython 3.15")
def test_iterators_that_wait_are_shared(hub):
    def numbers(n):
        for number in range(n):
            hubcore.sleep(0.001)
            yield number

    together = threading.serialize_iterator(numbers(6))
    tasks = [spawn(list, together) for _ in range(3)]
    assert sorted(number for task in tasks for number in task.get()) == list(range(6))
    again = threading.synchronized_iterator(numbers)(6)
    tasks = [spawn(list, again) for _ in range(3)]
    assert sorted(number for task in tasks for number in task.get()) == list(range(6))
    first, second = threading.concurrent_tee(numbers(6))
    (third,) = threading.concurrent_tee(second, 1)
    tasks = [spawn(list, each) for each in (first, second, third)]
    assert [task.get() for task in tasks] == [list(range(6))] * 3
    assert threading.concurrent_tee([], 0) == ()
    with pytest.raises(ValueError, match="non-negative"):
        threading.concurrent_tee([], -1)


@pytest.mark.skipif(not hasattr(stdlib.Thread, "_set_os_name"), reason="of CPython 3.14")
def test_a_thread_has_the_context_that_it_is_given_and_does_not_rename_the_process(hub):
    variable, seen = contextvars.ContextVar("variable", default=0), []
    variable.set(1)
    inherited = 1 if sys.flags.thread_inherit_context else 0

    def run():
        with open("/proc/thread-self/comm") as file:
            seen.append((variable.get(), file.read()))
        variable.set(3)
        hubcore.sleep(0)
        seen.append(variable.get())

    with open("/proc/thread-self/comm") as file:
        name = file.read()
    own = contextvars.copy_context()
    own.run(variable.set, 2)
    for context in (None, own, contextvars.Context()):
        thread = threading.Thread(target=run, context=context, name="renamed")
        thread.start()
        thread.join()
    assert seen == [(inherited, name), 3, (2, name), 3, (0, name), 3]
    assert (variable.get(), own[variable]) == (1, 3)
    timer = threading.Timer(0.001, run)
    timer.start()
    timer.join()
    assert seen[-2:] == [(inherited, name), 3]


def test_the_process_waits_for_threads_that_are_no_daemons(hub_backend):
    done = run_python(
        """
        import hubcore
        from hubcore import threading

        def run(seconds, text):
            hubcore.sleep(seconds)
            print(text)

        threading.Thread(target=run, args=(0.05, "waited for")).start()
        threading.Thread(target=run, args=(50, "never"), daemon=True).start()
        print("end")
        """,
        hub_backend,
    )
    assert (done.stdout.split("\n"), done.stderr) == (["end", "waited for", ""], "")


def test_dummies_whose_greenlets_the_end_of_the_process_finds_parked_say_nothing(hub_backend):
    done = run_python(
        """
        import hubcore
        from hubcore import threading

        def run():
            threading.current_thread()
            hubcore.sleep(50)

        tasks = [hubcore.spawn(run) for _ in range(2)]
        tasks[0].cycle = tasks
        hubcore.sleep(0)
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("", "")
