"""Greenlet: starting it, its result, and how it ends."""

import gc
import sys
import weakref

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore import Greenlet, GreenletExit, Timeout, getcurrent, move_on_after, sleep, spawn, spawn_later


def boom(error=ValueError("boom")):
    raise error


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def test_a_spawned_greenlet_runs_only_once_the_caller_waits():
    ran = []
    task = spawn(ran.append, 1)
    assert ran == []
    assert (bool(task), task.started, task.dead, task.ready(), task.successful()) == (True, True, False, False, False)
    task.join()
    assert ran == [1]
    assert (bool(task), task.started, task.dead, task.ready(), task.successful()) == (False, False, True, True, True)


def test_a_greenlet_that_was_not_started_is_false_and_waits_for_start():
    task = Greenlet(lambda: 3)
    assert (bool(task), task.started, task.dead, task.ready()) == (False, False, False, False)
    sleep(0)
    assert not task.ready()
    task.start()
    assert task
    assert task.get() == 3


def test_starting_twice_runs_it_once():
    ran = []
    task = Greenlet(ran.append, 1)
    task.start()
    task.start()
    task.start_later(0.001)
    task.join()
    sleep(0.002)
    task.start()
    sleep(0)
    assert ran == [1]


def test_arguments_reach_the_function_and_are_forgotten_at_the_end():
    task = spawn(lambda *args, **kwargs: (args, kwargs), 1, 2, key=3)
    assert (task.args, task.kwargs) == ((1, 2), {"key": 3})
    assert task.get() == ((1, 2), {"key": 3})
    assert (task.args, task.kwargs) == ((), {})


def test_a_greenlet_refuses_to_run_what_cannot_be_called():
    with pytest.raises(TypeError, match="callable"):
        spawn(3)
    with pytest.raises(TypeError, match="callable"):
        Greenlet("name")
    with pytest.raises(TypeError, match="callable"):
        hubcore.spawn_raw(None)


def test_spawn_later_starts_after_its_delay_in_loop_time(hub):
    began = hub.loop.update_now()
    task = spawn_later(0.02, hub.loop.update_now)
    assert task.started
    assert task.get() - began >= 0.02


def test_a_negative_delay_is_refused():
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match=r"seconds must be >= 0|number of seconds"):
            spawn_later(seconds, boom)


def test_greenlets_of_the_same_delay_start_in_the_order_they_were_made():
    order = []
    for i in range(20):
        spawn_later(0, order.append, i)
    sleep(0.01)
    assert order == list(range(20))


def test_a_value_is_there_after_the_end_and_not_before():
    task = spawn(lambda: "result")
    assert (task.value, task.exception, task.exc_info) == (None, None, None)
    assert task.get() == "result"
    assert (task.value, task.exception, task.exc_info) == ("result", None, None)
    assert task.get(block=False) == "result"


def test_a_failure_is_kept_and_raised_by_each_get_with_its_traceback():
    error = ValueError("no")
    task = spawn(boom, error)
    for _ in range(3):
        with pytest.raises(ValueError, match="no") as caught:
            task.get()
        assert caught.value is error
        assert "boom" in [entry.name for entry in caught.traceback]
        assert len(caught.traceback) < 8, "each get() must start from the failure's own traceback"
    assert (task.value, task.exception, task.successful()) == (None, error, False)
    kind, value, traceback = task.exc_info
    assert (kind, value) == (ValueError, error)
    assert traceback is not None


def test_join_returns_none_and_never_raises_the_failure():
    task = Greenlet(boom)
    task.rawlink(lambda source: None)
    task._add_observer()
    task.start()
    assert task.join() is None
    assert task.join(timeout=0) is None
    assert isinstance(task.exception, ValueError)


def test_a_join_that_times_out_leaves_the_greenlet_alone():
    task = spawn(sleep, 0.05)
    task.join(timeout=0.01)
    assert not task.ready()
    assert not task.has_links(), "the join has to take its link back"
    task.join()
    assert task.successful()


def test_get_raises_timeout_when_the_result_is_late_and_at_once_without_block():
    task = spawn(sleep, 0.05)
    with pytest.raises(Timeout):
        task.get(block=False)
    with pytest.raises(Timeout) as caught:
        task.get(timeout=0.01)
    assert caught.value.seconds == 0.01
    assert not task.has_links()
    assert task.get(timeout=5) is None


def test_a_timeout_that_is_raised_inside_the_greenlet_is_its_failure():
    task = Greenlet(boom, Timeout(3))
    task.start()
    with pytest.raises(Timeout) as caught:
        task.get(timeout=10)
    assert caught.value is task.exception


def test_a_greenlet_cannot_join_itself():
    with pytest.raises(RuntimeError, match="own end"):
        spawn(lambda: getcurrent().join()).get()


def test_many_greenlets_may_join_one_and_each_is_woken_once():
    slow = spawn_later(0.01, lambda: 7)
    assert [task.get() for task in [spawn(slow.get) for _ in range(50)]] == [7] * 50


def test_greenletexit_is_a_success_whose_value_is_the_exception():
    raised = GreenletExit("enough")
    task = spawn(boom, raised)
    assert task.get() is raised
    assert task.successful()
    assert task.exception is None


class Doubler(Greenlet):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def _run(self):
        sleep(0)
        return 2 * self.number


def test_a_subclass_may_say_by_its_own_run_what_it_runs():
    assert Doubler.spawn(4).get() == 8
    assert Doubler.spawn_later(0.001, 5).get() == 10
    assert isinstance(Doubler.spawn(1), Doubler)


def test_a_greenlet_without_anything_to_run_says_so():
    with pytest.raises(NotImplementedError, match="_run"):
        Greenlet.spawn().get()


def test_an_override_of_run_is_what_the_first_switch_calls():
    class Loud(Greenlet):
        def run(self):
            return super().run(), "and more"

    task = Loud.spawn(lambda: 5)
    assert task.get() == 5


def test_a_finished_greenlet_lets_go_of_what_it_ran():
    class Payload:
        pass

    payload = Payload()
    seen = weakref.ref(payload)
    task = spawn(lambda _: None, payload)
    del payload
    task.join()
    gc.collect()
    assert seen() is None


def test_a_finished_greenlet_that_nobody_holds_is_freed_without_the_collector():
    gc.disable()
    try:
        task = spawn(lambda: None)
        task.join()
        seen = weakref.ref(task)
        del task
        assert seen() is None
    finally:
        gc.enable()


def test_the_with_statement_joins_and_a_failing_body_kills():
    with spawn(sleep, 0.01) as task:
        assert not task.ready()
    assert task.value is None
    assert task.successful()
    for turns in (1, 0):  # with and without a start
        with pytest.raises(KeyError) as caught, spawn(sleep, 100) as task:
            for _ in range(turns):
                sleep(0)
            raise KeyError
        assert task.exception is caught.value
        assert not task.successful()
        with pytest.raises(KeyError):
            task.get()
        assert task.exc_info[:2] == (KeyError, caught.value)
    with pytest.raises(GreenletExit), spawn(sleep, 100) as task:
        raise GreenletExit("mine")
    assert str(task.value) == "mine"


def test_the_exception_of_a_with_block_keeps_its_traceback_and_context_and_is_not_reported(caplog):
    def stubborn():
        try:
            sleep(100)
        except ValueError:
            raise LookupError from None

    for run in (sleep, stubborn):
        with pytest.raises(ValueError, match="of the block") as caught, spawn(run, *([100] if run is sleep else [])):
            sleep(0)
            raise ValueError("of the block")
        assert [entry.name for entry in caught.traceback][-1] == sys._getframe().f_code.co_name
        assert caught.value.__context__ is None
    assert not caplog.records


def test_a_with_block_that_a_scope_cancels_kills_and_one_whose_wait_times_out_kills():
    with move_on_after(0.001), spawn(sleep, 100) as task:
        sleep(100)
    sleep(0)
    assert isinstance(task.value, GreenletExit)
    with Timeout(0.001, False), spawn(sleep, 100) as task:
        pass
    assert isinstance(task.value, GreenletExit)


def test_ten_levels_of_greenlets_that_each_spawn_and_join_the_next():
    def level(depth):
        return 1 if depth == 0 else 1 + spawn(level, depth - 1).get()

    assert spawn(level, 10).get() == 11


def test_a_task_is_a_real_greenlet_whose_parent_is_the_hub(hub):
    seen = []
    task = spawn(lambda: seen.append((getcurrent(), getcurrent().parent)))
    raw = hubcore.spawn_raw(lambda: seen.append((getcurrent(), getcurrent().parent)))
    assert isinstance(task, greenlet_module.greenlet)
    assert type(raw) is not greenlet_module.greenlet
    assert isinstance(raw, greenlet_module.greenlet)
    task.join()
    sleep(0)
    assert seen == [(task, hub), (raw, hub)]


def test_repr_tells_name_function_and_state():
    task = spawn(boom, GreenletExit())
    assert "boom(" in repr(task)
    assert task.name in repr(task)
    task.join()
    assert "ended" in repr(task)
    failing = spawn(boom)
    failing._add_observer()
    failing.join()
    assert "failed with ValueError('boom')" in repr(failing)
    assert "_run" in repr(Doubler(1))
