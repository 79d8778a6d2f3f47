"""Condition, hubcore's and the patched standard library's: the lock is owned after `wait`, or its error comes out."""

import threading

import pytest
from greenlet import GreenletExit

import hubcore
from hubcore import CancelScope, Timeout, sleep, spawn
from hubcore._patching.replace import patch_attribute
from hubcore.exceptions import Cancelled
from hubcore.lock import Condition, RLock, Semaphore
from hubcore.testing import run_python, settle
from hubcore.thread import Lock as ThreadLock
from hubcore.thread import RLock as ThreadRLock
from tests.support.patched_condition import PatchedCondition, use_cooperative_locks


@pytest.fixture(params=[Condition, PatchedCondition])
def kind(request, monkeypatch):
    use_cooperative_locks(monkeypatch)
    return request.param


class ServerLock:
    """A lock somewhere else: the first `acquire` succeeds, later ones do what the test says."""

    def __init__(self, *later):
        self.later = list(later)
        self.held = False
        self.tries = 0

    def acquire(self, blocking=True, timeout=-1):
        self.tries += 1
        if self.tries > 1 and self.later:
            self.later.pop(0)()
        self.held = True
        return True

    def release(self):
        self.held = False

    def _is_owned(self):
        return self.held

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *failure):
        self.release()


def fails():
    raise ConnectionError("the lock server is gone")


def test_the_error_of_a_lock_comes_out_of_wait_at_the_first_try(hub, kind):
    lock = ServerLock(fails)
    condition = kind(lock)

    def body():
        condition.acquire()
        with pytest.raises(ConnectionError, match="the lock server is gone"):
            condition.wait(0.001)
        sleep(0)

    spawn(body).get()
    assert (lock.tries, lock.held) == (2, False)
    assert len(condition._waiters if kind is PatchedCondition else []) == 0


def test_a_with_block_does_not_release_the_lock_that_failed(hub):
    lock = ServerLock(fails)
    condition = Condition(lock)
    releases = []
    with pytest.raises(ConnectionError), condition:
        lock.release = lambda: releases.append(1)
        condition.wait(0.001)
    assert releases == [1]  # by `wait`


@pytest.mark.parametrize("interrupt", [GreenletExit, Timeout, ValueError])
def test_an_interrupt_that_came_before_the_lock_failed_is_raised_at_the_next_wait(hub, kind, interrupt):
    log = []
    condition = kind(ServerLock(lambda: sleep(0.01), fails))

    def body():
        condition.acquire()
        with pytest.raises(ConnectionError):
            condition.wait()
        try:
            sleep(10)
        except interrupt as error:
            log.append(type(error))

    task = spawn(body)
    settle(hub)
    hub.interrupt(task, interrupt())  # ends the wait; the first attempt sleeps
    settle(hub)
    hub.interrupt(task, interrupt())  # ends the first attempt; the second fails
    task.get()
    assert log == [interrupt]


@pytest.mark.parametrize("interrupt", [GreenletExit, Timeout, ValueError, ConnectionError])
def test_an_interrupt_while_a_foreign_lock_is_taken_waits_until_it_is(hub, kind, interrupt):
    lock = ServerLock(lambda: sleep(0.01), lambda: sleep(0.01), lambda: sleep(0.01))
    condition, log = kind(lock), []

    def body():
        condition.acquire()
        try:
            condition.wait(0.001)
        except interrupt:
            log.append(lock.held)
        with pytest.raises(interrupt):
            sleep(10)

    task = spawn(body)
    while lock.tries < 2:
        sleep(0.001)
    hub.interrupt(task, interrupt())
    settle(hub)
    hub.interrupt(task, interrupt())
    task.get()
    assert log == [True]
    assert lock.tries == 4


def test_a_timeout_of_the_lock_itself_is_its_failure(hub, kind):
    def gives_up():
        with Timeout(0.001):
            sleep(10)

    condition = kind(ServerLock(gives_up, gives_up))

    def body():
        condition.acquire()
        with pytest.raises(Timeout):
            condition.wait(0.001)
        sleep(0)

    spawn(body).get()


def test_a_timeout_that_the_lock_handles_itself_is_nothing_special(hub, kind):
    def tries_twice():
        with Timeout(0.001, False):
            sleep(10)

    lock = ServerLock(tries_twice)
    condition = kind(lock)

    def body():
        condition.acquire()
        assert condition.wait(0.001) is False
        assert lock.held

    spawn(body).get()


def test_a_cancellation_while_a_foreign_lock_is_taken_comes_out_with_the_lock(hub, kind):
    lock, log = ServerLock(lambda: sleep(0.01)), []
    condition = kind(lock)

    def body():
        condition.acquire()
        with CancelScope() as scope:
            log.append(scope)
            try:
                condition.wait(0.001)
            except Cancelled:
                log.append(lock.held)
                raise
        assert scope.cancelled_caught

    task = spawn(body)
    while lock.tries < 2:
        sleep(0.001)
    log[0].cancel()
    task.get()
    assert log[1:] == [True]


LOCKS = [ThreadLock, ThreadRLock, RLock, lambda: Semaphore(1)]


@pytest.mark.parametrize("make", LOCKS)
def test_each_kind_of_interrupt_finds_the_lock_owned(hub, kind, make):
    """The holder keeps the lock while the waiter is interrupted, once or twice."""

    def play(begin, twice=False):
        lock = make()
        condition = kind(lock)
        owners, seen = [], []

        def waiter():
            with condition:
                try:
                    condition.wait()
                finally:
                    seen.append((list(owners), condition._is_owned()))

        def holder():
            with condition:
                owners.append("holder")
                sleep(0.02)
                owners.clear()

        task, interrupt = begin(waiter)
        settle(hub)
        holds = spawn(holder)
        settle(hub)
        interrupt()
        settle(hub)
        if twice:
            task.kill(block=False)
        hubcore.joinall([task, holds], raise_error=False, timeout=5)
        assert seen == [([], True)]
        assert lock.acquire(False)

    def killed(waiter):
        task = spawn(waiter)
        return task, lambda: task.kill(block=False)

    def timed_out(waiter):
        def run():
            with Timeout(0.005, False), Timeout(0.01, False):
                waiter()

        return spawn(run), lambda: None

    def cancelled(waiter):
        scopes = []

        def run():
            with CancelScope() as scope:
                scopes.append(scope)
                waiter()

        return spawn(run), lambda: scopes[0].cancel()

    for begin in (killed, timed_out, cancelled):
        play(begin)
        play(begin, twice=True)


def test_a_notification_of_a_waiter_that_fails_goes_to_the_next(hub, kind):
    condition, log = kind(ThreadLock()), []

    def waits(name):
        with condition:
            condition.wait()
            log.append(name)

    first, second = spawn(waits, "first"), spawn(waits, "second")
    settle(hub)
    with condition:
        condition.notify()
        first.kill(block=False)
        sleep(0)
        sleep(0)
    hubcore.joinall([first, second], timeout=1)
    assert log == ["second"]


def test_a_thread_without_a_hub_waits_too(hub, kind):
    condition, log = kind(ThreadRLock()), []

    def native():
        with condition:
            log.append(condition.wait(20))

    thread = threading.Thread(target=native)
    thread.start()
    while not log:
        with condition:
            condition.notify()
        sleep(0.001)
    thread.join()
    assert log == [True]


def test_the_method_says_that_it_is_the_standard_librarys():
    class Sample:
        def method(self):
            """Old."""

    def new(self):
        """New."""

    patch_attribute(Sample, "method", new)
    assert Sample.method is new
    assert new.__qualname__.endswith("Sample.method")


def test_after_patch_all(hub_backend):
    done = run_python(
        """
        import threading
        before = threading.Condition()  # made before the patch
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import inspect, queue
        from hubcore import Timeout, move_on_after, sleep, spawn

        print(threading.Condition.wait.__module__, threading.Condition.wait.__qualname__)
        print(list(inspect.signature(threading.Condition.wait).parameters))
        print(hubcore.monkey.get_original("threading", "Condition.wait").__qualname__)

        for condition in (threading.Condition(), threading.Condition(threading.Lock()), before):
            held = []
            def holder():
                with condition:
                    held.append(1)
                    sleep(0.03)
                    held.clear()
            with condition:
                task = threading.Thread(target=holder)
                task.start()
                with move_on_after(0.01) as scope:
                    try:
                        condition.wait()
                    finally:
                        assert not held
                assert scope.cancelled_caught
                assert condition.wait(0) is False
                try:
                    condition.wait("soon")
                except TypeError as error:
                    print("TypeError")
                assert condition._is_owned()
            task.join()
            assert not condition._waiters
            try:
                condition.wait()
            except RuntimeError as error:
                print(error)
        """,
        hub_backend,
    )
    expected = "threading Condition.wait\n['self', 'timeout']\nCondition.wait\n"
    expected += "TypeError\ncannot wait on un-acquired lock\n" * 3
    assert (done.stdout, done.stderr) == (expected, "")
