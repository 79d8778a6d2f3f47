"""Patched threads: threads and locks from before the patch, names and tables, the end of the process, fork."""

import pytest

from hubcore.testing import run_python
from tests.support.existing_locks import EXISTING_LOCKS


def test_locks_made_before_are_replaced_where_nobody_has_them(hub_backend):
    done = run_python(
        """
        import concurrent.futures.thread, functools, logging, queue, threading, _thread

        class Slotted:
            __slots__ = ("lock",)

        class Plain:
            shared = threading.RLock()

        def closure():
            lock = threading.Lock()
            return lambda: lock

        slotted, plain, held, nested = Slotted(), Plain(), threading.RLock(), [threading.Lock()]
        slotted.lock, plain.lock = threading.Lock(), threading.Lock()
        condition, jobs, inner = threading.Condition(), queue.Queue(), closure()
        in_tuple = (threading.Lock(),)
        held.acquire()
        handler = logging.StreamHandler()
        unstarted = threading.Timer(0, print, args=("timer",))

        def patch():
            local = threading.Lock()
            globals().update(in_a_local=local)
            import hubcore.monkey
            hubcore.monkey.patch_all()

        patch()
        from hubcore import thread
        from hubcore._patching.threads import left_locks

        replaced = [slotted.lock, Plain.shared, plain.lock, nested[0], condition._lock, jobs.mutex, jobs.not_full._lock,
                    inner(), handler.lock, logging._lock, concurrent.futures.thread._global_shutdown_lock,
                    threading._active_limbo_lock]
        for lock in replaced:
            assert isinstance(lock, (thread.LockType, thread.RLock)), lock
        assert jobs.mutex is jobs.not_full._lock and condition.acquire.__self__ is condition._lock
        for lock in (held, in_tuple[0], in_a_local):
            assert type(lock).__module__ == "_thread", lock
        with condition:
            condition.notify()
        left = {where: each.reason for each in left_locks() for where in each.where}
        assert left["__main__.held"] == "it was held"
        assert "tuple" in left["in a tuple"]
        assert "__main__.in_a_local" in left
        assert not any("hubcore" in where for where in left), left
        unstarted.start()
        unstarted.join()
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("timer\n", "")


def test_existing_locks_stay_if_so_wished_or_while_other_threads_run():
    done = run_python(EXISTING_LOCKS, python=("-W", "ignore"))
    assert (done.stdout, done.stderr) == ("fine\n", "")


STORY = """
import threading, sys
import hubcore

events, go = [], threading.Event()
mine = threading.local()

def run(n):
    mine.n = n
    go.wait()
    events.append((n, mine.n, threading.current_thread().name))

class Old(Thread):
    def run(self):
        run(7)

threads = [Old(name="old")] + [threading.Thread(target=run, args=(n,), name=f"T{n}") for n in range(2)]
for each in threads:
    each.start()
assert {each.name for each in threading.enumerate()} == {"MainThread", "old", "T0", "T1"}
assert len({each.ident for each in threading.enumerate()}) == 4 and threading.active_count() == 4
go.set()
for each in threads:
    each.join()
assert sorted(events) == [(0, 0, "T0"), (1, 1, "T1"), (7, 7, "old")] and not hasattr(mine, "n")

told = []
threading.excepthook = lambda args: told.append((args.exc_type, args.thread.name))
threading.Thread(target=lambda: 1 / 0, name="F").start()
assert told == [(ZeroDivisionError, "F")]

traced = []
threading.settrace(lambda frame, event, arg: traced.append(frame.f_code.co_name))
def traced_function():
    pass
one = threading.Thread(target=traced_function)
threading.settrace(None)
one.start()
one.join()
threading.settrace(lambda frame, event, arg: traced.append(frame.f_code.co_name))
two = threading.Thread(target=traced_function)
two.start()
two.join()
threading.settrace(None)
assert traced.count("traced_function") == 1, traced

before = dict(threading._active)
assert hubcore.spawn(lambda: threading.current_thread().name).get().startswith("Dummy")
assert threading._active == before, threading._active

from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2) as pool:
    def idle(n):
        hubcore.sleep(0.01)
        return n, threading.current_thread().name.startswith("ThreadPoolExecutor")
    assert list(pool.map(idle, range(4))) == [(n, True) for n in range(4)]
    import os
    submitted = threading.Thread(target=lambda: pool.submit(idle, 1).result())
    submitted.start()
    child = os.fork()  # while another is in submit
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    submitted.join()
print("so far")
sys.stdout.flush()

def wait_for_main():
    threading.main_thread().join()
    print("main ended")

threading.Thread(target=wait_for_main).start()
threading.Thread(target=lambda: (hubcore.sleep(0.05), print("late"))).start()
threading.Thread(target=hubcore.sleep, args=(100,), daemon=True).start()
with_dummy = hubcore.spawn(lambda: (threading.current_thread(), hubcore.sleep(100)))  # dropped late, with this module
hubcore.sleep(0)
"""


def test_threads_behave_as_threads(hub_backend):
    code = "from threading import Thread\nimport hubcore.monkey\nhubcore.monkey.patch_all()\n" + STORY
    done = run_python(code, hub_backend)
    assert (done.stdout, done.stderr) == ("so far\nmain ended\nlate\n", "")


def test_in_a_forked_child_there_is_one_thread(hub_backend):
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import os, sys, threading, hubcore

        other = threading.Thread(target=hubcore.sleep, args=(0.2,), name="other")
        other.start()

        def fork(name):
            child = os.fork()
            if child:
                assert os.waitpid(child, 0)[1] == 0
                return
            try:
                assert [each.name for each in threading.enumerate()] == [name]
                assert threading.current_thread() is threading.main_thread()
                assert threading.current_thread().is_alive() and not other.is_alive()
                assert hubcore.get_hub().main_hub
                other.join()
                new = threading.Thread(target=print, args=(name, "forked"))
                new.start()
                new.join()
                sys.stdout.flush()
                os._exit(0)
            finally:
                os._exit(1)

        fork("MainThread")
        forker = threading.Thread(target=fork, args=("forker",), name="forker")
        forker.start()
        forker.join()
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("MainThread forked\nforker forked\n", "")


def test_logging_from_greenlets_and_native_threads(hub_backend):
    done = run_python(
        """
        import logging
        stream = logging.StreamHandler()  # before the patch
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import hubcore, threading
        from hubcore.hub import get_hub_if_any
        from hubcore.threadpool import ThreadPool

        class Slow(logging.Handler):
            def __init__(self):
                super().__init__()
                self.inside, self.seen, self.hubs = 0, 0, set()

            def emit(self, record):
                assert not self.inside, "two at once"
                self.inside = 1
                if get_hub_if_any() is not None:
                    hubcore.sleep(0.0005)
                self.inside, self.seen = 0, self.seen + 1

        handler = Slow()
        logging.basicConfig(level=logging.INFO, handlers=[handler])

        def work():
            for _ in range(20):
                logging.info("x")
            return get_hub_if_any() is not None

        pool = ThreadPool(2)
        native = [pool.spawn(work) for _ in range(2)]
        threads = [threading.Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        print([each.get() for each in native], handler.seen)
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("[False, False] 120\n", "")


def test_two_greenlets_import_the_same_module(hub_backend, tmp_path):
    (tmp_path / "slow_to_import.py").write_text("import hubcore\nhubcore.sleep(0.02)\nvalue = 1\n")
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import hubcore, os, sys

        sys.path.insert(0, os.environ["WHERE"])

        def load():
            import slow_to_import
            return slow_to_import.value

        print([each.get() for each in [hubcore.spawn(load) for _ in range(3)]])
        """,
        hub_backend,
        env={"WHERE": str(tmp_path)},
    )
    assert (done.stdout, done.stderr) == ("[1, 1, 1]\n", "")


@pytest.mark.parametrize("backend", ["libev", "libuv"])  # native threads take real time
def test_executors_made_before_the_patch(backend):
    done = run_python(
        """
        import concurrent.futures, threading, warnings

        unused, used, lost = (concurrent.futures.ThreadPoolExecutor(3) for _ in range(3))
        gate = threading.Event()
        first = [used.submit(gate.wait), used.submit(gate.wait)]
        lost.submit(pow, 2, 3).result()
        workers = list(lost._threads)

        import hubcore.monkey
        warnings.simplefilter("ignore")
        hubcore.monkey.patch_all()

        assert unused.submit(pow, 2, 3).result(timeout=9) == 8
        # The workers that run wait natively; the third is a greenlet, and takes what is submitted.
        assert list(used.map(abs, [-1, -2], timeout=9)) == [1, 2]
        gate.set()
        assert [each.result(timeout=9) for each in first] == [True, True]
        meet = threading.Barrier(3)
        jobs = [used.submit(lambda: (meet.wait(9), threading.get_ident())[1]) for _ in range(3)]
        assert len({each.result(timeout=9) for each in jobs}) == 3
        del lost  # which ends its native worker
        workers.pop().join(9)
        unused.shutdown()
        used.shutdown()
        assert [each.name for each in threading.enumerate()] == ["MainThread"]
        print("done")
        """,
        backend,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_trace_or_profile_function_set_in_a_thread_is_that_threads_alone(hub_backend):
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import sys, threading

        seen, go = [], threading.Event()

        def trace(frame, event, arg):
            if frame.f_code in (inner.__code__, outside.__code__):
                seen.append((threading.current_thread().name, event))
            return trace

        def inner():
            return 1

        def outside():
            return 1

        def run():
            go.wait()
            inner()
            mine.append((sys.gettrace(), sys.getprofile()))

        for begin in (threading.settrace, threading.setprofile):
            mine = []
            go.clear()
            begin(trace)
            threads = [threading.Thread(target=run, name=name) for name in ("a", "b")]
            for each in threads:
                each.start()
            outside()
            begin(None)
            go.set()
            for each in threads:
                each.join()
            outside()
            assert sys.gettrace() is sys.getprofile() is None
            assert all(trace in each for each in mine), mine
            assert {name for name, event in seen} == {"a", "b"} and seen.count(("a", "call")) == 1, seen
            seen.clear()
        """,
        hub_backend,
    )
    assert done.stderr == ""


def test_executors_and_thread_pools_work_where_queue_is_not_patched():
    done = run_python(
        """
        import concurrent.futures.thread, _queue, queue
        import hubcore.monkey
        hubcore.monkey.patch_all(queue=False)
        import time
        from multiprocessing.pool import ThreadPool

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            print(list(pool.map(lambda n: time.sleep(0.001) or n, range(4))))
        with ThreadPool(2) as pool:
            print(pool.map(len, ["a", "bb"]))
        assert queue.SimpleQueue is _queue.SimpleQueue
        """,
        "virtual",
    )
    assert (done.stdout, done.stderr) == ("[0, 1, 2, 3]\n[1, 2]\n", "")


@pytest.mark.parametrize("with_hub", [False, True])
def test_finalizers_use_locks_and_wait_for_a_time_while_the_interpreter_is_finalized(hub_backend, with_hub):
    done = run_python(
        f"""
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import queue, sys, threading, time

        if {with_hub}:
            time.sleep(0.001)
        lock, rlock, condition, event = threading.Lock(), threading.RLock(), threading.Condition(), threading.Event()
        held, jobs = threading.Lock(), queue.Queue()
        held.acquire()

        class Last:
            def __del__(self, finalizing=sys.is_finalizing, write=sys.stdout.write):
                with lock, rlock, condition:
                    condition.notify_all()
                    said = [condition.wait(0.001)]
                said += [event.wait(0.001), held.acquire(timeout=0.001)]
                time.sleep(0.001)
                jobs.put(1)
                said.append(jobs.get())
                try:
                    jobs.get(timeout=0.001)
                except queue.Empty:
                    said.append("empty")
                try:
                    held.acquire()
                except RuntimeError:
                    said.append("for ever")
                write(f"{{finalizing()}} {{said}}")

        last = Last()
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("True [False, False, False, 1, 'empty', 'for ever']", "")
