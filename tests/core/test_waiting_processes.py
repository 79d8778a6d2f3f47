"""Waits that signals and forks interrupt, in processes of their own."""

import os
import textwrap

import pytest

from hubcore.testing import run_python

PRELUDE = """
import os, signal, sys, threading, time, hubcore
from hubcore.event import Event
from hubcore.hub import get_hub_if_any, hubs
from hubcore.lock import Condition, RLock, Semaphore
from hubcore.queue import Queue

def main_waits():
    ident = threading.main_thread().ident
    return any(hub.thread_ident == ident and hub.progress()[2] for hub in tuple(hubs))

def when_main_waits(call):
    def body():
        while not main_waits():
            time.sleep(0.001)
        time.sleep(0.01)
        call()
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    return thread

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
"""


def run(code):
    done = run_python(PRELUDE + textwrap.dedent(code), timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def test_ctrl_c_ends_the_main_threads_wait_and_loses_nothing():
    said = run(
        """
        semaphore, queue, event = Semaphore(0), Queue(), Event()
        for wait in (semaphore.acquire, queue.get, event.wait):
            thread = when_main_waits(interrupt)
            try:
                wait()
            except KeyboardInterrupt:
                print("interrupted")
            thread.join()
        assert semaphore.linkcount() == queue.linkcount() == event.linkcount() == 0
        semaphore.release()
        queue.put("a")
        assert semaphore.acquire(timeout=1) and queue.get(timeout=1) == "a"
        assert get_hub_if_any().parked.count == 0
        print("whole")
        """
    )
    assert said == ["interrupted"] * 3 + ["whole"]


def test_ctrl_c_in_the_main_threads_condition_wait_leaves_with_the_lock():
    said = run(
        """
        condition = Condition()
        thread = when_main_waits(interrupt)
        try:
            with condition:
                try:
                    condition.wait()
                finally:
                    print(condition._is_owned())
        except KeyboardInterrupt:
            print("interrupted")
        thread.join()
        print(get_hub_if_any().parked.count, condition._is_owned())
        """
    )
    assert said == ["True", "interrupted", "0", "False"]


def test_a_signal_handler_sets_what_the_main_thread_waits_for():
    said = run(
        """
        event, queue = Event(), Queue()
        signal.signal(signal.SIGINT, lambda *ignored: (event.set(), queue.put("a")))
        thread = when_main_waits(interrupt)
        print(event.wait(20), queue.get(timeout=20))
        thread.join()
        """
    )
    assert said == ["True", "a"]


def test_a_signal_handler_may_itself_wait():
    said = run(
        """
        from hubcore.signal import signal as set_handler
        outer, inner, over, said = Event(), Event(), Event(), threading.Event()
        def handler(*ignored):
            helper = threading.Thread(target=lambda: (outer.set(), said.wait(20), inner.set()))
            helper.start()
            print("inner", inner.wait(20))
            helper.join()
            over.set()
        set_handler(signal.SIGINT, handler)
        thread = when_main_waits(interrupt)
        print("outer", outer.wait(20))
        said.set()
        assert over.wait(20)
        thread.join()
        assert get_hub_if_any().parked.count == 0
        """
    )
    assert said == ["outer", "True", "inner", "True"]


@pytest.mark.skipif(os.environ.get("HUBCORE_PURE") == "1", reason="uncompiled, a handler may raise within a step")
def test_a_storm_of_signals_loses_no_item_and_no_wake_up():
    """The main thread puts and gets while signals raise in it at every moment."""
    said = run(
        """
        there, back, got = Queue(), Queue(), []
        stop = [False]

        class Storm(Exception):
            pass

        armed = [False]

        def handler(*ignored):
            if armed[0]:
                raise Storm

        signal.signal(signal.SIGALRM, handler)

        def echo():
            while True:
                item = there.get()
                if item is None:
                    return
                back.put(item)

        thread = threading.Thread(target=echo)
        thread.start()
        there.put("first")  # what is imported for it is imported in calm
        assert back.get(timeout=10) == "first"
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        end, sent, storms = time.monotonic() + 1.5, 0, 0
        while time.monotonic() < end:
            try:
                armed[0] = True
                there.put(sent)
                got.append(back.get(timeout=10))
            except Storm:
                storms += 1
            armed[0] = False
            sent += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        armed[0] = False
        there.put(None)
        thread.join(20)
        assert not thread.is_alive(), "a wake-up was lost"
        rest = [back.get() for _ in range(back.qsize())]
        # Of a call that a signal ended, the item may or may not have been put or kept by the caller; none comes twice.
        assert len(set(got + rest)) == len(got + rest)
        assert sent - len(got + rest) <= 2 * storms, (sent, len(got + rest), storms)
        assert there.linkcount() == back.linkcount() == 0
        print("storms" if storms else "calm")
        """
    )
    assert said == ["storms"]


# Fork.


@pytest.mark.parametrize("waiting", ["thread", "greenlet"])
def test_in_a_forked_child_nothing_goes_to_the_parents_waiters(waiting):
    said = run(
        f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        semaphore, queue, event = Semaphore(0), Queue(), Event()
        def waits():
            semaphore.acquire(); semaphore.release()
        def gets():
            queue.put(queue.get())
        if {waiting!r} == "thread":
            threads = [threading.Thread(target=each) for each in (waits, gets, event.wait)]
            for thread in threads: thread.start()
        else:
            tasks = [hubcore.spawn(each) for each in (waits, gets, event.wait)]
            hubcore.sleep(0)
        while semaphore.linkcount() + queue.linkcount() + event.linkcount() < 3:
            time.sleep(0.001)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                assert semaphore.linkcount() + queue.linkcount() + event.linkcount() == 0
                assert semaphore.release() == 1
                queue.put("child")
                assert queue.qsize() == 1 and queue.get() == "child"
                event.set()
                assert semaphore.acquire(timeout=1)
                status = 0
            finally:
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        semaphore.release()
        queue.put("parent")
        event.set()
        if {waiting!r} == "thread":
            for thread in threads: thread.join(20)
        else:
            hubcore.joinall(tasks, timeout=20)
        print(semaphore.acquire(timeout=1), queue.get(timeout=1))
        """
    )
    assert said == ["0", "True", "parent"]


def test_in_a_forked_child_what_was_handed_to_a_parents_greenlet_is_there_again():
    said = run(
        """
        from hubcore.channel import open_channel, select
        first, second = Queue(), Queue()
        send, receive = open_channel(1)
        tasks = [hubcore.spawn(first.get), hubcore.spawn(select, receive, second)]
        hubcore.sleep(0)
        first.put(1)
        second.put(2)
        pid = os.fork()
        if pid == 0:
            os._exit(0 if (first.qsize(), second.qsize()) == (1, 1) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(tasks[0].get(), tasks[1].get()[1])
        """
    )
    assert said == ["0", "1", "2"]


@pytest.mark.parametrize("who", ["main", "greenlet", "thread"])
def test_a_lock_held_by_whoever_forks_is_releasable_in_the_child(who):
    said = run(
        f"""
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        lock, semaphore = RLock(), Semaphore(1)
        def forks():
            with lock, semaphore:
                pid = os.fork()
                if pid == 0:
                    status = 1
                    try:
                        assert lock._is_owned()
                        lock.release(); semaphore.release()
                        assert lock.acquire(timeout=1) and semaphore.acquire(timeout=1)
                        status = 0
                    finally:
                        os._exit(status)
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            print(lock.locked(), semaphore.counter)
        if {who!r} == "main":
            forks()
        elif {who!r} == "greenlet":
            hubcore.spawn(forks).join()
        else:
            thread = threading.Thread(target=forks)
            thread.start()
            thread.join()
        """
    )
    assert said == ["0", "False", "1"]


def test_a_permit_handed_to_a_waiter_of_the_parent_that_did_not_run_yet_is_there_in_the_child():
    said = run(
        """
        semaphore = Semaphore(0)
        task = hubcore.spawn(semaphore.acquire)
        hubcore.sleep(0)
        semaphore.release()
        pid = os.fork()
        if pid == 0:
            os._exit(0 if semaphore.acquire(timeout=0) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), task.get(), semaphore.counter)
        """
    )
    assert said == ["0", "True", "0"]
