"""A greenlet's identity: name, number, spawner, spawn site, inherited state; and careless subclasses."""

import contextvars
import gc
import traceback

import pytest

import hubcore
from hubcore import Greenlet, config, getcurrent, sleep, spawn, spawn_later, spawn_raw


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def test_minimal_idents_are_small_distinct_and_reused():
    tasks = [spawn(int) for _ in range(10)]
    idents = [task.minimal_ident for task in tasks]
    assert len(set(idents)) == 10
    assert [task.minimal_ident for task in tasks] == idents
    hubcore.joinall(tasks)
    highest = max(idents)
    del tasks
    gc.collect()
    again = [spawn(int) for _ in range(10)]
    assert max(task.minimal_ident for task in again) <= highest
    hubcore.joinall(again)


def test_a_name_can_be_given_and_has_a_default():
    class Worker(Greenlet):
        pass

    task = spawn(int)
    assert task.name == f"Greenlet-{task.minimal_ident}"
    task.name = "mine"
    assert task.name == "mine"
    assert '"mine"' in repr(task)
    worker = Worker(int)
    assert worker.name == f"Worker-{worker.minimal_ident}"
    task.join()


def test_the_spawning_greenlet_is_known_by_a_weak_reference():
    spawner = spawn(lambda: spawn(int))
    child = spawner.get()
    assert child.spawning_greenlet() is spawner
    direct = spawn(int)
    assert direct.spawning_greenlet() is getcurrent()
    sleep(0)


def test_a_spawning_greenlet_that_is_gone_is_not_kept_alive():
    children = []
    spawner = spawn(lambda: children.append(spawn(int)))
    spawner.join()
    del spawner
    sleep(0)
    gc.collect()
    assert children[0].spawning_greenlet() is None


def test_the_spawning_stack_is_the_calling_line_unless_all_of_it_is_tracked(monkeypatch):
    def helper():
        return spawn(int)

    task = helper()
    stack = task.spawning_stack
    assert (stack.f_code.co_name, stack.f_lineno) == ("helper", helper.__code__.co_firstlineno + 1)
    assert stack.f_back is None
    monkeypatch.setattr(config, "track_spawning_stack", True)
    tracked = helper().spawning_stack
    names = [entry.name for entry in traceback.StackSummary.extract(traceback.walk_stack(tracked))]
    assert names[:2] == ["helper", "test_the_spawning_stack_is_the_calling_line_unless_all_of_it_is_tracked"]
    assert len(names) == Greenlet.spawning_stack_limit
    assert tracked.f_locals == {}
    sleep(0)


def test_a_raw_greenlet_knows_its_spawn_site_too():
    task = spawn_raw(int)
    assert task.spawn_site[0] == __file__
    assert task.spawn_site[2] == "test_a_raw_greenlet_knows_its_spawn_site_too"
    sleep(0)


def test_spawn_tree_locals_are_one_dict_for_all_below_who_made_it():
    root = Greenlet(lambda: [spawn(lambda: spawn(getcurrent).get()).get(), getcurrent()])
    assert root.spawn_tree_locals is not None
    root.spawn_tree_locals["request"] = 7
    root.start()
    leaf, same = root.get()
    assert leaf.spawn_tree_locals is same.spawn_tree_locals
    assert leaf.spawn_tree_locals == {"request": 7}
    other = spawn(int)
    assert other.spawn_tree_locals is not root.spawn_tree_locals
    assert "request" not in other.spawn_tree_locals
    other.join()


def test_spawn_callbacks_see_each_greenlet_that_is_started_until_they_are_removed():
    started = []
    Greenlet.add_spawn_callback(started.append)
    try:
        Greenlet.add_spawn_callback(started.append)
        first = spawn(int)
        later = spawn_later(0, int)
        unstarted = Greenlet(int)
        assert started == [first, later]
        unstarted.start()
        assert started == [first, later, unstarted]
    finally:
        Greenlet.remove_spawn_callback(started.append)
    Greenlet.remove_spawn_callback(started.append)
    last = spawn(int)
    assert last not in started
    with pytest.raises(TypeError):
        Greenlet.add_spawn_callback(3)
    hubcore.joinall([first, later, unstarted, last])


VARIABLE = contextvars.ContextVar("VARIABLE", default="default")


def test_context_variables_are_copied_when_the_greenlet_is_made():
    def read_and_set():
        seen = VARIABLE.get()
        VARIABLE.set("changed there")
        sleep(0)
        return seen, VARIABLE.get()

    token = VARIABLE.set("outer")
    try:
        task = spawn(read_and_set)
        VARIABLE.set("too late")
        assert task.get() == ("outer", "changed there")
        assert VARIABLE.get() == "too late"
    finally:
        VARIABLE.reset(token)


def test_another_context_can_be_given_before_the_start_and_raw_greenlets_have_an_empty_one():
    token = VARIABLE.set("outer")
    try:
        task = Greenlet(VARIABLE.get)
        task.gr_context = contextvars.Context()
        task.start()
        assert task.get() == "default"
        seen = []
        spawn_raw(lambda: seen.append(VARIABLE.get()))
        sleep(0)
        assert seen == ["default"]
    finally:
        VARIABLE.reset(token)


def test_the_loop_of_a_greenlet_is_its_hubs(hub):
    task = spawn(int)
    assert task.loop is hub.loop
    task.join()


def test_a_raw_greenlet_takes_arguments_and_keywords_and_returns_nothing_to_anybody():
    seen = []
    spawn_raw(lambda *args, **kwargs: seen.append((args, kwargs)), 1, key=2)
    sleep(0)
    assert seen == [((1,), {"key": 2})]


class Forgetful(Greenlet):
    def __init__(self):
        pass


@pytest.mark.parametrize(
    "use",
    [
        lambda task: task.start(),
        lambda task: task.start_later(0),
        lambda task: task.kill(),
        lambda task: task.kill(block=False),
        lambda task: task.throw(),
        lambda task: task.switch(),
        lambda task: task.get(timeout=0),
        lambda task: task.get(block=False),
        lambda task: task.join(timeout=0),
        lambda task: hubcore.joinall([task], timeout=0),
        lambda task: hubcore.kill(task),
        lambda task: hubcore.killall([task], timeout=0),
        lambda task: task.link(print),
        lambda task: task.rawlink(print),
        lambda task: task.unlink(print),
        lambda task: task.unlink_all(),
        lambda task: (task.has_links(), task.ready(), task.successful(), task.dead, bool(task), task.started),
        lambda task: (task.value, task.exception, task.exc_info, task.args, task.kwargs, task.loop),
        lambda task: task.spawning_stack,
        lambda task: task.spawn_site,
        lambda task: task.spawn_tree_locals,
        lambda task: task.cross_thread,
        lambda task: repr(task),
        lambda task: task.name,
        lambda task: task.minimal_ident,
        lambda task: task.__enter__(),
        lambda task: task.run(),
    ],
)
def test_a_subclass_that_forgets_its_base_gets_an_error_at_worst_and_never_crashes(use):
    task = Forgetful()
    try:
        use(task)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError, hubcore.Timeout):
        pass
    del task
    gc.collect()
    assert spawn(lambda: 5).get() == 5
