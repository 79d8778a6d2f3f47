"""Condition: a waiter releases the lock while it waits for a change, and owns it when `wait` returns or raises."""

import pytest
from greenlet import GreenletExit

import hubcore
from hubcore import Timeout, sleep, spawn
from hubcore.exceptions import BlockingSwitchOutError, LoopExit
from hubcore.lock import Condition, RLock, Semaphore
from hubcore.testing import settle

LOCKS = pytest.mark.parametrize("lock", [None, RLock, Semaphore], ids=["none", "RLock", "Semaphore"])


@pytest.fixture
def condition(hub, lock):
    return Condition() if lock is None else Condition(lock())


def waits(condition, log, name, timeout=None):
    with condition:
        came = condition.wait(timeout)
        assert condition._is_owned()
        log.append((name, came))


@LOCKS
def test_a_notice_wakes_the_first_and_notify_all_the_rest(hub, condition):
    log = []
    tasks = [spawn(waits, condition, log, name) for name in "abcde"]
    settle(hub)
    with condition:
        condition.notify()
        condition.notify(2)
        condition.notify(0)
        assert log == []
    settle(hub)
    assert log == [("a", True), ("b", True), ("c", True)]
    with condition:
        condition.notify_all()
        condition.notify(5)
    hubcore.joinall(tasks, raise_error=True)
    assert [name for name, _ in log] == list("abcde")
    assert "0 waiting" in repr(condition)


@LOCKS
def test_it_has_to_have_the_lock(hub, condition):
    for call in (condition.wait, condition.notify, condition.notify_all, lambda: condition.wait_for(lambda: False)):
        with pytest.raises(RuntimeError, match="the caller does not own its lock"):
            call()
    assert "0 waiting" in repr(condition)


@LOCKS
@pytest.mark.parametrize("timeout", [0, 0.001, -1])
def test_a_wait_that_times_out_has_the_lock_and_leaves_the_queue(hub, condition, timeout):
    with condition:
        assert condition.wait(timeout) is False
        assert condition._is_owned()
        condition.notify_all()
    assert "0 waiting" in repr(condition)


@LOCKS
def test_a_timeout_that_is_no_number_leaves_it_as_it_was(hub, condition):
    with condition:
        with pytest.raises(TypeError):
            condition.wait("soon")
        assert condition._is_owned()
        assert "0 waiting" in repr(condition)


@LOCKS
def test_wait_for(hub, condition):
    items = []

    def consumer():
        with condition:
            return condition.wait_for(lambda: items and items.pop())

    task = spawn(consumer)
    settle(hub)
    for item in ("", "x"):
        with condition:
            items.append(item)
            condition.notify()
        settle(hub)
    assert task.get() == "x"
    with condition:
        assert condition.wait_for(lambda: 0, 0.001) == 0
        assert condition.wait_for(lambda: 5, 0) == 5
        assert condition.wait_for(lambda: "", -1) == ""


def test_a_lock_taken_several_times_is_let_go_of_altogether_and_taken_as_often(hub):
    lock = RLock()
    condition, log = Condition(lock), []

    def waits_inside():
        with lock, condition:
            condition.wait()
            log.append(lock._recursion_count())

    task = spawn(waits_inside)
    settle(hub)
    assert not lock.locked()
    with condition:
        condition.notify()
    task.join()
    assert log == [2]
    assert not lock.locked()


@LOCKS
def test_who_is_killed_while_it_waits_has_the_lock_when_it_unwinds(hub, condition):
    owned = []

    def body():
        with condition:
            try:
                condition.wait()
            finally:
                owned.append(condition._is_owned())

    task = spawn(body)
    settle(hub)
    task.kill()
    assert owned == [True]
    assert isinstance(task.value, GreenletExit)
    with condition:
        condition.notify()


def holds(condition, seconds):
    with condition:
        sleep(seconds)


@LOCKS
def test_a_kill_while_it_takes_the_lock_again_waits_for_the_lock(hub, condition):
    log = []

    def body():
        with condition:
            try:
                condition.wait()
            finally:
                log.append(condition._is_owned())
                assert hub.loop.now() >= begin + 0.01

    begin = hub.loop.update_now()
    task = spawn(body)
    settle(hub)
    holder = spawn(holds, condition, 0.01)
    settle(hub)
    task.kill()
    assert log == [True]
    assert isinstance(task.value, GreenletExit)
    holder.join()


@LOCKS
def test_whoever_was_told_and_then_fails_passes_the_notice_on(hub, condition):
    log = []
    first = spawn(waits, condition, log, "first")
    second = spawn(waits, condition, log, "second")
    settle(hub)
    with condition:
        condition.notify()
        hub.interrupt(first, GreenletExit())  # it comes while the first waits for the lock
        sleep(0)
        sleep(0)
    hubcore.joinall([first, second], timeout=1)
    assert log == [("second", True)]


@LOCKS
def test_neither_a_timeout_nor_a_kill_that_comes_while_it_takes_the_lock_is_lost(hub, condition):
    log = []

    def body():
        try:
            with Timeout(0.001), condition:
                condition.wait()
        except Timeout:
            log.append("timeout")
        sleep(10)
        log.append("it lives on")

    task = spawn(body)
    settle(hub)
    holder = spawn(holds, condition, 0.02)
    settle(hub)
    sleep(0.01)
    task.kill(block=False)
    task.join(5)
    assert log == ["timeout"]
    assert isinstance(task.value, GreenletExit)
    holder.join()


@LOCKS
def test_in_the_hub_waiting_is_refused_and_the_lock_stays_taken(hub, condition):
    said = []

    def callback():
        assert condition.acquire(False)
        with pytest.raises(BlockingSwitchOutError):
            condition.wait()
        said.append(condition._is_owned())
        condition.notify_all()
        condition.release()

    hub.loop.run_callback(callback)
    settle(hub)
    assert said == [True]
    assert "0 waiting" in repr(condition)


def test_a_deadlock_over_the_lock_is_a_loop_exit_and_no_endless_loop(hub):
    condition = Condition()

    def takes_and_keeps():
        condition.acquire()
        hub.park(hub.new_waiter("nothing ever"))

    condition.acquire()
    task = spawn(takes_and_keeps)
    with pytest.raises(LoopExit, match="RLock"):
        condition.wait()
    assert not condition._is_owned()
    task.kill()


def test_a_hub_that_is_destroyed_while_one_waits_and_another_has_the_lock(hub, caplog):
    condition, log = Condition(), []

    def body():
        condition.acquire()
        try:
            condition.wait()
        except hubcore.exceptions.HubDestroyed:
            log.append("unwound")

    tasks = [spawn(body), spawn(holds, condition, 10)]
    settle(hub)
    hub.destroy()
    assert log == ["unwound"]
    assert all(task.ready() for task in tasks)


def test_its_owner_is_the_locks(hub):
    condition = Condition()
    assert condition.owner is None
    with condition:
        assert condition.owner is hubcore.getcurrent()
    assert Condition(Semaphore(2)).owner is None
    condition.acquire()
    condition._at_fork_reinit()
    assert condition.owner is None


@pytest.mark.parametrize("kind", [RLock, lambda: Semaphore(1)])
def test_a_with_block_that_lost_its_lock_with_the_hub_does_not_release_it(hub, caplog, kind):
    lock = kind()
    condition = Condition(lock)

    def body():
        with condition:
            if kind is RLock:
                with condition:
                    condition.wait()
            else:
                condition.wait()

    waits = spawn(body)
    settle(hub)
    assert lock.acquire(timeout=1)  # the main greenlet's, which keeps it
    hub.destroy()
    assert isinstance(waits.value, hubcore.exceptions.HubDestroyed)
    assert lock.locked()
    assert caplog.records == []
