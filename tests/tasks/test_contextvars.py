"""Context variables: each greenlet has its own context, which begins as a copy of its spawner's."""

import contextvars as stdlib

import pytest

import hubcore
from hubcore import Greenlet, Timeout, sleep, spawn, spawn_later, spawn_raw
from hubcore import contextvars as ours
from hubcore.contextvars import ContextVar, Token, copy_context
from hubcore.testing import settle

VARIABLE = ContextVar[str]("VARIABLE", default="unset")


@pytest.fixture(autouse=True)
def _in_a_context_of_its_own(hub):
    token = VARIABLE.set("main")
    yield
    VARIABLE.reset(token)


def test_the_names_are_the_standard_librarys():
    assert {name: getattr(ours, name) for name in ours.__all__} == {
        name: getattr(stdlib, name) for name in ("Context", "ContextVar", "Token", "copy_context")
    }


def test_a_greenlet_sees_its_makers_values_as_of_when_it_was_made():
    task = Greenlet(VARIABLE.get)
    later = spawn_later(0.001, VARIABLE.get)
    VARIABLE.set("changed")
    task.start()
    assert (task.get(), later.get()) == ("main", "main")
    assert spawn(VARIABLE.get).get() == "changed"


def test_what_the_child_sets_stays_there_and_what_the_parent_sets_does_not_come():
    seen = []

    def child():
        VARIABLE.set("child")
        sleep(0)
        seen.append(VARIABLE.get())
        seen.append(spawn(VARIABLE.get).get())

    task = spawn(child)
    sleep(0)
    assert VARIABLE.get() == "main"
    VARIABLE.set("parent")
    task.join()
    assert (seen, VARIABLE.get()) == (["child", "child"], "parent")


def test_siblings_that_take_turns_keep_their_own():
    def work(name):
        VARIABLE.set(name)
        for _ in range(3):
            sleep(0)
            assert VARIABLE.get() == name
        return VARIABLE.get()

    tasks = [spawn(work, str(number)) for number in range(5)]
    assert [task.get() for task in tasks] == list("01234")


def test_a_raw_greenlet_begins_with_an_empty_context():
    seen = []
    spawn_raw(lambda: seen.append(VARIABLE.get()))
    settle(hubcore.get_hub())
    assert seen == ["unset"]


def test_gr_context_before_the_start_is_the_context_it_runs_in():
    context = copy_context()
    context.run(VARIABLE.set, "chosen")
    task = Greenlet(lambda: VARIABLE.set(VARIABLE.get() + ", and changed there"))
    task.gr_context = context
    task.start()
    task.join()
    assert context[VARIABLE] == "chosen, and changed there"
    assert VARIABLE.get() == "main"


def test_a_greenlet_may_switch_inside_context_run():
    context = copy_context()

    def inside():
        VARIABLE.set("inside")
        sleep(0)
        return VARIABLE.get()

    other = spawn(lambda: (sleep(0), VARIABLE.get())[1])
    assert context.run(inside) == "inside"
    assert (VARIABLE.get(), other.get()) == ("main", "main")


def test_a_token_is_good_after_switches_and_in_its_own_context_only():
    def work(foreign):
        token = VARIABLE.set("once")
        assert isinstance(token, Token)
        sleep(0)
        with pytest.raises(Timeout), Timeout(0.001):
            sleep(1)
        VARIABLE.reset(token)
        assert VARIABLE.get() == "main"
        with pytest.raises(ValueError, match="different Context"):
            VARIABLE.reset(foreign)

    spawn(work, VARIABLE.set("main")).get()


def test_a_killed_greenlet_unwinds_in_its_own_context():
    seen = []

    def work():
        VARIABLE.set("mine")
        try:
            sleep(100)
        finally:
            seen.append(VARIABLE.get())

    task = spawn(work)
    sleep(0)
    task.kill()
    assert seen == ["mine"]


def test_callbacks_run_in_the_hubs_context_and_links_in_an_empty_one(hub):
    """Not in that of whoever asked for them; what one callback sets the next one sees."""
    seen = []

    def callback(*args):
        seen.append(VARIABLE.get())
        VARIABLE.set("the hub's")

    hub.loop.run_callback(stdlib.Context().run, callback)
    hub.loop.run_callback(callback)
    task = spawn(VARIABLE.set, "ended")
    task.rawlink(callback)
    task.link(callback)
    settle(hub)
    assert seen == ["unset", "unset", "the hub's", "unset"]
    assert VARIABLE.get() == "main"
