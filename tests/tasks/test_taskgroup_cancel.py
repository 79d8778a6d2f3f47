"""Cancelling a TaskGroup: from inside, from an outer scope, by an interrupt of its block; shields in between."""

import threading

import pytest

from hubcore import Cancelled, CancelScope, GreenletExit, TaskGroup, Timeout, fail_after, move_on_after, sleep, spawn
from hubcore.exceptions import LoopExit
from hubcore.testing import run_python


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog):
    """What comes out of a block is not reported as well."""
    yield
    assert not caplog.records


def fail_after_a_while(error, seconds=0.001):
    sleep(seconds)
    raise error


def in_both(body):
    """Run it in the main greenlet, and in one of its own."""
    body()
    spawn(body).get()


def raised(body):
    """The exceptions in the group that `body` raises."""
    with pytest.raises(BaseExceptionGroup) as caught:
        body()
    return caught.value.exceptions


# -- cancelling


def test_cancelling_the_group_ends_the_tasks_and_the_block_quietly():
    with TaskGroup() as group:
        task = group.spawn(sleep, 100)
        spawn(group.cancel, "enough")
        sleep(100)
        pytest.fail("the block goes on")
    assert group.cancel_scope.cancelled_caught
    assert task.exception.reason == "enough"


def test_a_group_cancelled_while_it_waits_at_its_end():
    with TaskGroup() as group:
        group.spawn(sleep, 100)
        spawn(group.cancel)
    assert group.cancel_scope.cancelled_caught


def test_a_scope_around_the_group_cancels_it():
    for in_block in (True, False):
        with move_on_after(0.01) as scope:
            with TaskGroup() as group:
                task = group.spawn(sleep, 100)
                if in_block:
                    sleep(100)
            pytest.fail("the outer block goes on")
        assert scope.cancelled_caught
        assert not group.cancel_scope.cancelled_caught
        assert task.killed
    with pytest.raises(TimeoutError), fail_after(0.01), TaskGroup() as group:
        group.spawn(sleep, 100)


def test_a_scope_in_a_task_cancels_that_task_only():
    def task():
        with move_on_after(0.001) as scope:
            sleep(100)
        sleep(0.001)
        return scope.cancelled_caught

    with TaskGroup() as group:
        one = group.spawn(task)
        other = group.spawn(sleep, 0.005)
    assert one.value is True
    assert not other.killed


def test_a_shield_in_a_task_keeps_the_groups_cancellation_out():
    def task():
        with CancelScope(shield=True):
            sleep(0.005)
            shielded.append(None)
        sleep(100)

    shielded = []
    with TaskGroup() as group:
        task = group.spawn(task)
        sleep(0.001)
        group.cancel()
    assert shielded
    assert task.killed


def test_a_shield_between_the_block_and_what_cancels_it():
    with CancelScope() as outer:
        with CancelScope(shield=True) as shield, TaskGroup() as group:
            task = group.spawn(sleep, 0.002)
            outer.cancel()
            sleep(0.001)
        assert task.successful()
        shield.cancel()
        with pytest.raises(Cancelled):
            sleep(0)


def test_lowering_a_shield_reaches_tasks_of_tasks():
    def nested():
        with TaskGroup() as inner:
            inner.spawn(sleep, 100)
            with CancelScope():
                sleep(100)

    with CancelScope() as outer:
        outer.cancel()
        with CancelScope(shield=True) as shield:
            with TaskGroup() as group:
                group.spawn(nested)
                sleep(0.001)
                assert len(group) == 1
                shield.shield = False
                sleep(100)
        pytest.fail("the outer block goes on")
    assert outer.cancelled_caught


def test_a_group_in_a_cancelled_scope_runs_each_task_to_its_first_wait():
    def task(n):
        reached.append(n)
        sleep(0)
        reached.append("further")

    reached = []
    with CancelScope() as scope:
        scope.cancel()
        with TaskGroup() as group:
            group.spawn(task, 1)
            group.spawn(task, 2)
    assert reached == [1, 2]
    assert scope.cancelled_caught


def test_a_task_of_a_cancelled_group_is_cancelled_at_its_first_wait():
    def task():
        reached.append(None)
        sleep(0)
        reached.append(None)

    reached = []
    with TaskGroup() as group:
        group.cancel()
        group.spawn(task)
    assert len(reached) == 1


def test_a_foreign_thread_cancels_a_group():
    with TaskGroup() as group:
        group.spawn(sleep, 100)
        thread = threading.Thread(target=group.cancel)
        thread.start()
        thread.join()
    assert group.cancel_scope.cancelled_caught


def test_a_greenlet_spawned_otherwise_is_not_cancelled():
    with TaskGroup() as group:
        other = spawn(sleep, 0.001)
        group.cancel()
    other.get()
    assert not other.killed


def test_a_task_that_swallows_its_cancellation_is_waited_for():
    def task():
        while len(ends) < 3:
            try:
                sleep(100)
            except BaseException:
                ends.append(None)

    ends = []
    with TaskGroup() as group:
        group.spawn(task)
        sleep(0)
        group.cancel()
    assert len(ends) == 3


# -- what hits the block


def test_a_killed_block_takes_its_tasks_along_and_is_killed():
    def body(wait_in_block):
        with TaskGroup() as group:
            tasks.append(group.spawn(sleep, 100))
            if wait_in_block:
                sleep(100)

    tasks = []
    for wait_in_block in (True, False):
        killed = spawn(body, wait_in_block)
        sleep(0.001)
        killed.kill()
        assert isinstance(killed.value, GreenletExit)
        assert killed.killed
        assert tasks[-1].killed


def test_a_timeout_takes_the_tasks_along_and_is_recognised():
    for seconds in (100, 0):
        with Timeout(0.01, False) as timeout:
            with TaskGroup() as group:
                task = group.spawn(sleep, 100)
                sleep(seconds)
            pytest.fail("the outer block goes on")
        assert not timeout.pending
        assert task.killed


def test_the_block_waits_for_tasks_that_take_time_to_end_whatever_hits_it():
    def task():
        try:
            sleep(100)
        finally:
            with CancelScope(shield=True):
                while not enough:
                    sleep(0.001)
            ends.append(None)

    def body():
        with TaskGroup() as group:
            group.spawn(task)

    ends, enough = [], []
    killed = spawn(body)
    sleep(0.001)
    killed.kill(block=False)
    sleep(0.001)
    killed.kill(block=False)
    sleep(0.001)
    killed.kill(KeyError, block=False)
    sleep(0.001)
    killed.kill(block=False)
    sleep(0.001)
    assert not ends
    assert not killed.ready()
    enough.append(None)
    killed.join()
    assert ends
    # A KeyError is a failure, whoever sent it; of the kills the last comes out with it.
    assert [type(each) for each in killed.exception.exceptions] == [KeyError, GreenletExit]


def test_an_interrupt_and_a_failure_come_out_together():
    def task():
        try:
            sleep(100)
        finally:
            raise KeyError

    def body():
        with Timeout(0.001), TaskGroup() as group:
            group.spawn(task)

    assert [type(each) for each in raised(body)] == [KeyError, Timeout]


def test_the_end_of_everything_ends_the_tasks(hub):
    def body():
        with pytest.raises(LoopExit), TaskGroup() as group:
            tasks.append(group.spawn(lambda: hub.park(hub.new_waiter("nothing"))))

    tasks = []
    body()
    assert tasks[0].killed


def test_a_task_that_nothing_can_end_is_not_waited_for_for_ever(hub):
    def task():
        with CancelScope(shield=True):
            hub.park(hub.new_waiter("nothing"))

    with pytest.raises(LoopExit), TaskGroup() as group:
        left = group.spawn(task)
    assert left.task_group is None
    left.kill()


def test_destroying_the_hub_unwinds_a_group(hub):
    def body():
        with TaskGroup() as group:
            group.spawn(sleep, 100)

    task = spawn(body)
    sleep(0.001)
    hub.destroy()
    assert task.dead


# -- what concerns the whole process


def test_ctrl_c_ends_the_tasks_and_comes_out_once(hub_backend):
    code = """
        import os, signal, time
        from hubcore import TaskGroup, sleep, spawn

        def task():
            try:
                sleep(100)
            finally:
                print("ended")

        def press():
            sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)

        spawn(press)
        try:
            with TaskGroup() as group:
                group.spawn(task)
        except KeyboardInterrupt as error:
            print("interrupted", error.__cause__)
        sleep(0.01)
    """
    done = run_python(code, hub_backend)
    assert (done.stdout, done.stderr) == ("ended\ninterrupted None\n", "")


def test_a_forked_child_does_not_wait_for_its_parents_tasks(hub_backend):
    code = """
        import os, sys
        from hubcore import TaskGroup, move_on_after, sleep

        with move_on_after(50) as scope, TaskGroup() as group:
            group.spawn(sleep, 0.05)
            sleep(0)
            pid = os.fork()
        if pid == 0:
            with TaskGroup() as group:
                group.spawn(sleep, 0.01)
            print("child", len(group), scope.cancel_called, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print("parent", len(group))
    """
    done = run_python(code, hub_backend)
    assert done.stdout == "child 0 False\nparent 0\n"
