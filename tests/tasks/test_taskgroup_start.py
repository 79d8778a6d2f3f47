"""TaskGroup.start: waits until a task reports that it has started."""

import threading

import pytest

from hubcore import CancelScope, GreenletExit, TaskGroup, Timeout, move_on_after, sleep, spawn
from hubcore.exceptions import GreenletCancelled, InvalidThreadUseError


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def serve(port=0, *, started, ends=None):
    sleep(0.001)
    started(port + 1)
    try:
        sleep(100)
    finally:
        if ends is not None:
            ends.append(port)


def test_start_waits_for_the_value_and_the_task_goes_on():
    ends = []
    with TaskGroup() as group:
        assert group.start(serve, 5, ends=ends) == 6
        assert len(group) == 1
        assert not ends
        group.cancel()
    assert ends == [5]


def test_a_task_may_start_without_a_value():
    with TaskGroup() as group:
        assert group.start(lambda started: started()) is None


def test_what_is_raised_before_the_start_is_the_callers_alone():
    def task(started):
        sleep(0.001)
        raise KeyError("early")

    with TaskGroup() as group:
        other = group.spawn(sleep, 100)
        with pytest.raises(KeyError, match="early"):
            group.start(task)
        assert set(group) == {other}
        sleep(0)
        other.kill()


def test_what_is_raised_after_the_start_is_the_groups():
    def task(started):
        started()
        raise KeyError("late")

    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        group.start(task)
        sleep(100)
    assert isinstance(caught.value.exceptions[0], KeyError)


def test_a_task_that_ends_without_starting():
    with TaskGroup() as group:
        with pytest.raises(RuntimeError, match="ended before it called started"):
            group.start(lambda started: None)
        with pytest.raises(RuntimeError, match="was killed before it called started"):
            group.start(lambda started: GreenletExit and (_ for _ in ()).throw(GreenletExit()))


def test_a_task_starts_once():
    def task(started):
        started()
        with pytest.raises(RuntimeError, match="twice"):
            started()

    with TaskGroup() as group:
        group.start(task)


def test_another_thread_cannot_say_that_a_task_has_started():
    def task(started):
        with pytest.raises(InvalidThreadUseError):
            call_in_thread(started)

    def call_in_thread(function):
        errors = []

        def call():
            try:
                function()
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        raise errors[0]

    with TaskGroup() as group, pytest.raises(RuntimeError, match="ended before it called"):
        group.start(task)


def test_whoever_is_cancelled_while_it_waits_cancels_the_task():
    def task(started):
        try:
            sleep(100)
        finally:
            with CancelScope(shield=True):
                sleep(0.001)
            ends.append(None)

    ends = []
    with TaskGroup() as group:
        with move_on_after(0.001) as scope:
            group.start(task)
        assert scope.cancelled_caught
        assert ends
        assert len(group) == 0
        assert not group.cancel_scope.cancel_called


def test_whoever_times_out_or_is_killed_while_it_waits_cancels_the_task():
    with TaskGroup() as group:
        with pytest.raises(Timeout), Timeout(0.001):
            group.start(lambda started: sleep(100))
        assert len(group) == 0
        starter = group.spawn(group.start, lambda started: sleep(100))
        sleep(0.001)
        starter.kill()
        assert len(group) == 0


def test_the_failure_of_a_task_that_was_given_up_is_the_groups():
    def task(started):
        try:
            sleep(100)
        finally:
            raise KeyError

    with pytest.raises(ExceptionGroup) as caught, TaskGroup() as group:
        with move_on_after(0.001):
            group.start(task)
    assert isinstance(caught.value.exceptions[0], KeyError)


def test_a_start_in_a_cancelled_group():
    with TaskGroup() as group:
        group.cancel()
        group.start(serve)
        pytest.fail("the block goes on")
    assert group.cancel_scope.cancelled_caught


def test_a_start_from_outside_while_the_group_is_cancelled():
    def outsider():
        with pytest.raises(GreenletCancelled):
            group.start(lambda started: sleep(100))
        seen.append(None)

    seen = []
    with TaskGroup() as group:
        other = spawn(outsider)
        sleep(0.001)
        group.cancel()
    other.get()
    assert seen


def test_the_block_waits_for_a_task_that_is_still_starting():
    with TaskGroup() as group:
        group.spawn(group.start, lambda started: (sleep(0.005), started()))
    assert len(group) == 0


def test_started_as_the_starter_is_interrupted_starts_nothing(hub):
    """The interrupt came first, so the task is cancelled all the same."""

    def task(started):
        sleep(0.001)
        hub.interrupt(starter, KeyError())
        started(5)
        sleep(100)

    def start():
        with pytest.raises(KeyError):
            group.start(task)

    with TaskGroup() as group:
        starter = group.spawn(start)
    assert len(group) == 0


def test_started_before_the_starter_is_interrupted_has_started(hub):
    def task(started):
        sleep(0.001)
        started(5)
        hub.interrupt(starter, KeyError())

    def start():
        assert group.start(task) == 5
        with pytest.raises(KeyError):
            sleep(0)

    with TaskGroup() as group:
        starter = group.spawn(start)


def test_a_scope_in_a_task_that_is_starting():
    def task(started):
        with move_on_after(10):
            started(1)
            with move_on_after(0.001) as inner:
                sleep(100)
            return inner.cancelled_caught

    with TaskGroup() as group:
        assert group.start(task) == 1
        (one,) = group
    assert one.value is True
