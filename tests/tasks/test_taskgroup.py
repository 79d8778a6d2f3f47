"""TaskGroup and Supervisor: no task outlives the block, and no failure is lost."""

import gc
import threading
import weakref
from contextvars import ContextVar

import pytest

import hubcore
from hubcore import Cancelled, CancelScope, Supervisor, TaskGroup, Timeout, getcurrent, move_on_after, sleep, spawn
from hubcore.exceptions import BlockingSwitchOutError, GreenletCancelled, InvalidThreadUseError


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


def fail(error):
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


# -- tasks


def test_the_block_ends_when_all_its_tasks_have():
    def body():
        done = []

        def task(n):
            sleep(n / 1000)
            done.append(n)
            return n * 2

        with TaskGroup() as group:
            tasks = [group.spawn(task, n) for n in (3, 1, 2)]
            assert len(group) == 3
            assert set(group) == set(tasks)
            assert not done
        assert sorted(done) == [1, 2, 3]
        assert [each.value for each in tasks] == [6, 2, 4]
        assert len(group) == 0

    in_both(body)


def test_a_group_without_tasks_is_left_at_once():
    ran = []
    spawn(ran.append, 1)
    with TaskGroup():
        pass
    assert not ran


def test_tasks_take_arguments_and_context_variables_along():
    variable = ContextVar("variable")
    token = variable.set("of the spawner")

    def task(*args, **kwargs):
        return args, kwargs, variable.get()

    with TaskGroup() as group:
        one = group.spawn(task, 1, 2, three=3)
    variable.reset(token)
    assert one.value == ((1, 2), {"three": 3}, "of the spawner")


def test_tasks_start_tasks_while_the_block_waits():
    order = []

    def task(depth):
        order.append(depth)
        if depth:
            group.spawn(task, depth - 1)

    with TaskGroup() as group:
        group.spawn(task, 5)
    assert order == [5, 4, 3, 2, 1, 0]


def test_a_task_knows_its_group_while_it_runs():
    groups = []
    with TaskGroup() as group:
        task = group.spawn(lambda: groups.append(getcurrent().task_group))
        assert task.task_group is group
        assert task in group
    assert groups == [group]
    assert task.task_group is None
    assert spawn(int).task_group is None


def test_thousands_of_tasks(hub):
    count = []
    with TaskGroup() as group:
        for n in range(5000):
            group.spawn(lambda n: (sleep(0.001), count.append(n)), n)
    assert len(count) == 5000
    with TaskGroup() as group:
        tasks = [group.spawn(sleep, 100) for _ in range(5000)]
        sleep(0)
        group.cancel()
    assert all(task.killed for task in tasks)


def test_groups_nested_a_thousand_deep_are_cancelled_together():
    def task(depth):
        with TaskGroup() as group:
            if depth:
                group.spawn(task, depth - 1)
            else:
                scope.cancel()

    with CancelScope() as scope:
        task(1000)
    assert scope.cancelled_caught


# -- failures


def test_the_first_failure_cancels_the_others_and_the_block():
    def body():
        error = ValueError("first")
        with pytest.raises(ExceptionGroup, match="unhandled errors in a TaskGroup") as caught, TaskGroup() as group:
            failed = group.spawn(fail_after_a_while, error)
            other = group.spawn(sleep, 100)
            sleep(100)
            pytest.fail("the block goes on")
        assert caught.value.exceptions == (error,)
        assert failed.exception is error
        assert other.killed
        assert other.exception.reason == "a task failed with ValueError"

    in_both(body)


def test_all_failures_arrive():
    def clean_up_badly():
        try:
            sleep(100)
        finally:
            raise KeyError

    def body():
        with TaskGroup() as group:
            group.spawn(clean_up_badly)
            group.spawn(fail, ValueError())
            group.spawn(fail, TypeError())
            try:
                sleep(100)
            finally:
                raise IndexError

    assert {type(each) for each in raised(body)} == {KeyError, ValueError, TypeError, IndexError}


def test_a_failure_of_the_block_cancels_the_tasks():
    def body():
        with TaskGroup() as group:
            tasks.append(group.spawn(sleep, 100))
            sleep(0)
            raise KeyError("body")

    tasks = []
    (error,) = raised(body)
    assert repr(error) == "KeyError('body')"
    assert error.__context__ is None
    assert tasks[0].killed


def test_groups_in_groups_give_groups_in_groups():
    def inner():
        with TaskGroup() as group:
            group.spawn(fail_after_a_while, ValueError())
            sleep(100)

    def body():
        with TaskGroup() as group:
            group.spawn(inner)

    (error,) = raised(body)
    assert isinstance(error, ExceptionGroup)
    assert isinstance(error.exceptions[0], ValueError)


def test_a_base_exception_of_a_task_makes_a_base_exception_group():
    def body():
        with TaskGroup() as group:
            group.spawn(fail_after_a_while, Timeout(5))

    (error,) = raised(body)
    assert isinstance(error, Timeout)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("cls", [TaskGroup, Supervisor])
def test_what_ends_the_program_comes_out_as_it_is(kind, cls):
    with pytest.raises(kind) as caught, cls() as group:
        other = group.spawn(sleep, 100)
        group.spawn(fail_after_a_while, kind())
    assert caught.value.__cause__ is None
    assert other.killed
    with pytest.raises(kind), cls() as group:
        other = group.spawn(sleep, 100)
        raise kind
    sleep(0.001)  # and it comes once only


def test_what_ends_the_program_has_the_failures_as_its_cause():
    def clean_up_badly():
        try:
            sleep(100)
        finally:
            raise KeyError

    with pytest.raises(KeyboardInterrupt) as caught, TaskGroup() as group:
        group.spawn(clean_up_badly)
        sleep(0)
        raise KeyboardInterrupt
    assert isinstance(caught.value.__cause__.exceptions[0], KeyError)


def test_a_killed_task_is_no_failure():
    with TaskGroup() as group:
        killed, unstarted = group.spawn(sleep, 100), group.spawn(sleep, 100)
        other = group.spawn(sleep, 0.001)
        unstarted.kill(block=False)
        sleep(0)
        killed.kill()
    assert other.successful()
    assert not other.killed


def test_a_task_whose_result_is_taken_still_fails_the_group():
    def body():
        with TaskGroup() as group:
            task = group.spawn(fail_after_a_while, ValueError())
            with pytest.raises((ValueError, Cancelled)):
                task.get()

    assert [type(each) for each in raised(body)] == [ValueError]


def test_getting_the_result_of_a_cancelled_task_is_not_being_cancelled():
    with TaskGroup() as group:
        task = group.spawn(sleep, 100)
        watcher = spawn(task.get)
        sleep(0)
        group.cancel("enough")
    with pytest.raises(GreenletCancelled):
        watcher.get()
    hubcore.get_hub()


# -- misuse


def test_a_group_takes_tasks_only_while_its_block_runs():
    group = TaskGroup()
    for use in (group.spawn, group.start):
        with pytest.raises(RuntimeError, match="was not entered"):
            use(int)
    with group:
        with pytest.raises(RuntimeError, match=r"cannot enter .* again"):
            group.__enter__()
        with pytest.raises(TypeError, match="not 5"):
            group.spawn(5)
        assert len(group) == 0
    for use in (group.spawn, group.start):
        with pytest.raises(RuntimeError, match="has ended"):
            use(int)
    with pytest.raises(RuntimeError, match=r"cannot enter .* again"), group:
        pass


def test_another_thread_cannot_spawn_into_a_group():
    errors = []

    def use():
        try:
            group.spawn(int)
        except InvalidThreadUseError as error:
            errors.append(error)
        hubcore.get_hub().destroy()

    with TaskGroup() as group:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert errors


def test_the_hub_cannot_run_a_group(hub):
    errors = []

    def callback():
        try:
            TaskGroup().__enter__()
        except BlockingSwitchOutError as error:
            errors.append(error)

    hub.loop.run_callback(callback)
    sleep(0.001)
    assert errors


def test_a_scope_left_open_in_the_block_is_an_error_that_loses_no_failure():
    scope = move_on_after(10)
    with pytest.raises(RuntimeError, match=r"left before .* which is inside it") as caught, TaskGroup() as group:
        scope.__enter__()
        group.spawn(fail_after_a_while, KeyError())
    assert isinstance(caught.value.__cause__.exceptions[0], KeyError)
    sleep(0)


def test_a_scope_left_open_by_a_task_is_given_up(hub):
    with TaskGroup() as group:
        group.spawn(lambda: move_on_after(10).__enter__())
    assert len(hub.loop.deadlines) == 0


def test_a_group_that_has_ended_keeps_nothing_alive():
    class Error(Exception):
        pass

    def body():
        try:
            with TaskGroup() as group:
                groups.append(group)
                tasks.append(weakref.ref(group.spawn(fail_after_a_while, Error())))
                tasks.append(weakref.ref(group.spawn(sleep, 100)))
        except* Error:
            pass

    groups, tasks = [], []
    body()
    gc.collect()
    assert [each() for each in tasks] == [None, None]


def test_a_group_says_how_it_is():
    group = TaskGroup()
    assert "not entered" in repr(group)
    with group:
        group.spawn(int)
        assert "of 1 tasks" in repr(group)
        group.cancel()
        assert "cancelled" in repr(group)
    assert "ended" in repr(group)


# -- Supervisor


def test_a_supervisor_lets_the_others_go_on():
    def body():
        with Supervisor() as group:
            group.spawn(fail_after_a_while, KeyError())
            tasks.append(group.spawn(sleep, 0.01))
            group.spawn(fail_after_a_while, ValueError(), 0.005)

    tasks = []
    with pytest.raises(ExceptionGroup, match="in a Supervisor") as caught:
        body()
    assert {type(each) for each in caught.value.exceptions} == {KeyError, ValueError}
    assert not tasks[0].killed


def test_a_supervisor_whose_block_fails_cancels_all():
    def body():
        with Supervisor() as group:
            tasks.append(group.spawn(sleep, 100))
            raise KeyError

    tasks = []
    assert len(raised(body)) == 1
    assert tasks[0].killed
