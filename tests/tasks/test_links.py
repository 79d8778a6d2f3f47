"""Links: callbacks at the end of a greenlet; and failures without an observer, which are reported."""

import copy
import gc
import logging

import pytest

import hubcore
from hubcore import Greenlet, GreenletExit, getcurrent, joinall, sleep, spawn, spawn_later
from hubcore._sync.links import DirectLink
from hubcore.event import Event


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


def boom():
    raise ValueError("boom")


def fails(error, function, *args, **kwargs):
    with pytest.raises(error):
        function(*args, **kwargs)


def settle():
    """Let the hub run the links and what they start."""
    for _ in range(3):
        sleep(0.001)


def ended(task):
    task._add_observer()
    task.join()
    return task


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_link_is_called_in_a_greenlet_of_its_own_and_a_rawlink_in_the_hub(hub, when):
    seen = []

    def wait_and_tell(source):
        sleep(0)
        seen.append((source, getcurrent().parent is hub))

    def tell(source):
        seen.append((source, getcurrent() is hub))

    task = spawn(int)
    if when == "after":
        task.join()
    task.link(wait_and_tell)
    task.rawlink(tell)
    settle()
    assert seen == [(task, True), (task, True)]
    assert not task.has_links()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("function", "expected"), [(int, ["link", "value"]), (boom, ["link", "exception"])], ids=["success", "failure"]
)
def test_value_links_and_exception_links_are_called_for_their_kind_of_end(when, function, expected):
    seen = []
    task = Greenlet(function)
    if when == "after":
        task.start()
        ended(task)
    task.link(lambda source: seen.append("link"))
    task.link_value(lambda source: seen.append("value"))
    task.link_exception(lambda source: seen.append("exception"))
    if when == "before":
        task.start()
        task.join()
    settle()
    assert seen == expected


def test_a_killed_greenlet_counts_as_a_success():
    seen = []
    task = spawn(sleep, 100)
    task.link_value(seen.append)
    task.link_exception(pytest.fail)
    task.kill()
    settle()
    assert seen == [task]


def test_links_are_called_in_the_order_in_which_they_were_made():
    seen = []
    task = spawn(int)
    for i in range(10):
        task.rawlink(lambda source, i=i: seen.append(i))
    settle()
    assert seen == list(range(10))


def test_an_unlinked_callback_is_not_called():
    task = spawn(int)
    for add in (task.link, task.link_value, task.link_exception, task.rawlink):
        add(pytest.fail)
        assert task.has_links()
        task.unlink(pytest.fail)
        assert not task.has_links()
    task.unlink(pytest.fail)
    settle()


def test_unlink_takes_one_link_of_several_to_the_same_callback():
    seen = []
    task = spawn(int)
    task.rawlink(seen.append)
    task.rawlink(seen.append)
    task.unlink(seen.append)
    settle()
    assert seen == [task]


def test_unlink_all_leaves_those_who_wait():
    task = spawn_later(0.01, int)
    joiner = spawn(task.join)
    sleep(0)
    task.link(pytest.fail)
    task.rawlink(pytest.fail)
    task.unlink_all()
    joiner.join()
    assert task.ready()
    settle()


def test_unlinking_after_the_end_but_before_the_call_is_in_time():
    task = spawn(int)
    task.rawlink(pytest.fail)
    task.start()
    while not task.ready():
        hubcore.get_hub().yield_now()
        if task.ready() and task.has_links():
            task.unlink(pytest.fail)
    settle()


def test_only_what_can_be_called_can_be_linked():
    task = spawn(int)
    for add in (task.link, task.link_value, task.link_exception, task.rawlink):
        with pytest.raises(TypeError, match="callable"):
            add(3)
    assert not task.has_links()
    task.join()


def test_a_link_may_link_again(hub):
    seen = []
    task = spawn(int)
    task.rawlink(lambda source: source.rawlink(seen.append))
    settle()
    assert seen == [task]


def test_a_link_that_fails_is_reported_and_the_others_are_called(caplog):
    seen = []
    task = spawn(int)
    task.rawlink(lambda source: boom())
    task.rawlink(seen.append)
    settle()
    assert seen == [task]
    assert [record.name for record in caplog.records] == ["hubcore"]
    assert "ValueError" in caplog.text


def test_a_greenlet_can_be_linked_to_another_ones_waiter(hub):
    waiter = hub.new_waiter("a link")
    task = spawn(int)
    task.rawlink(waiter)
    assert hub.park(waiter)
    assert waiter.value is task


# -- failures that nobody looks at


def test_a_failure_nobody_looks_at_is_reported_once_with_the_spawn_site(caplog):
    task = spawn(boom)  # the spawn site
    settle()
    assert len(caplog.records) == 1
    record = caplog.records[0]
    assert (record.name, record.levelno) == ("hubcore", logging.ERROR)
    line = test_a_failure_nobody_looks_at_is_reported_once_with_the_spawn_site.__code__.co_firstlineno + 1
    assert f"{__file__}:{line}" in record.getMessage()
    assert task.spawn_site == (
        __file__,
        line,
        "test_a_failure_nobody_looks_at_is_reported_once_with_the_spawn_site",
    )
    assert "boom" in caplog.text
    with pytest.raises(ValueError, match="boom"):
        task.get()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "look",
    [
        lambda task: fails(ValueError, task.get),
        lambda task: fails(ValueError, joinall, [task], raise_error=True),
        lambda task: task.link(lambda source: None),
        lambda task: task.link_exception(lambda source: None),
    ],
    ids=["get", "joinall", "link", "link_exception"],
)
def test_a_failure_that_somebody_looks_at_is_not_reported(look, caplog):
    look(spawn(boom))
    settle()
    assert not caplog.records


@pytest.mark.parametrize(
    "glance",
    [
        lambda task: task.join(),
        lambda task: joinall([task]),
        lambda task: task.link_value(pytest.fail),
        lambda task: (task.link(pytest.fail), task.unlink(pytest.fail)),
        lambda task: fails(hubcore.Timeout, task.get, timeout=0),
    ],
    ids=["join", "joinall", "link_value", "unlinked", "get that timed out"],
)
def test_waiting_for_the_end_alone_is_not_looking_at_the_failure(glance, caplog):
    glance(spawn_later(0.005, boom))
    sleep(0.01)
    settle()
    assert len(caplog.records) == 1


def test_an_exit_is_no_failure(caplog):
    def leave():
        raise GreenletExit

    spawn(leave)
    hubcore.spawn_raw(leave)
    settle()
    assert not caplog.records


def test_a_raw_greenlet_reports_its_failure_too(caplog):
    hubcore.spawn_raw(boom)
    settle()
    assert len(caplog.records) == 1
    assert __file__ in caplog.records[0].getMessage()


def test_a_program_may_silence_or_replace_the_reports(hub, caplog):
    hub.exception_stream = None
    spawn(boom)
    settle()
    assert not caplog.records


def test_the_greenlet_has_ended_when_its_failure_is_reported(caplog):
    """So that a report that waits, as a log handler on a socket does, keeps nobody waiting."""
    seen = []

    class Handler(logging.Handler):
        def emit(self, record):
            seen.append(task.ready())
            sleep(0.01)

    handler = Handler()
    logging.getLogger("hubcore").addHandler(handler)
    try:
        task = spawn(boom)
        task.join()
        sleep(0.02)
    finally:
        logging.getLogger("hubcore").removeHandler(handler)
    assert seen == [True]


def test_what_the_loop_keeps_by_identity_cannot_be_copied(hub):
    """A copy of a scheduled deadline would have the place in the heap that the original has."""
    if not hubcore._core.scheduler.__file__.endswith(".so"):
        pytest.skip("compiled classes only")
    things = [hub.new_waiter("x"), hub.ready, hub.parked, hub.loop.deadlines, hub.loop.timer(1), hub.loop.io(0, 1)]
    for thing in [*things, DirectLink()]:
        with pytest.raises((TypeError, AttributeError)):
            copy.copy(thing)
        assert not hasattr(thing, "__setstate__")


@pytest.mark.parametrize("make", [lambda: Greenlet(int), Event], ids=["Greenlet", "Event"])
@pytest.mark.parametrize("moment", range(7))
def test_what_a_finalizer_links_meanwhile_is_kept(make, moment):
    """The collector runs at some allocation on the way: each `moment` is another one, the last ones come too late."""
    thing, called = make(), []

    def collecting(phase, info):
        if phase == "start" and called == []:
            called.append("linking")
            thing.rawlink(lambda source: called.append("inner"))

    threshold = gc.get_threshold()
    gc.disable()
    gc.collect()
    # Else lists and tuples come from lists of free ones, and collect nothing.
    held: list[object] = [(i, i) for i in range(3000)]
    held.extend([] for _ in range(200))
    gc.callbacks.append(collecting)
    try:
        gc.set_threshold(gc.get_count()[0] + moment)
        gc.enable()
        thing.rawlink(lambda source: called.append("outer"))
    finally:
        gc.set_threshold(*threshold)
        gc.enable()
        gc.callbacks.remove(collecting)
    if isinstance(thing, Event):
        thing.set()
    else:
        thing.start()
    settle()
    assert sorted(called) == (["inner", "linking", "outer"] if called[0] == "linking" else ["outer"])


@pytest.mark.parametrize("count", [10, 64, 65, 100])
def test_a_link_is_called_also_where_adding_it_has_the_garbage_collected_that_ends_what_it_is_to(count):
    class Ending:
        def __init__(self, end):
            self.end = end
            self.itself = self

        def __del__(self):
            self.end()

    thresholds = gc.get_threshold()
    gc.freeze()  # each collection looks at what is new only
    try:
        for threshold in range(1, 8):  # the collection comes after so many allocations
            greenlet, event, called = Greenlet(boom), Event(), []
            for _ in range(count):
                greenlet.rawlink(id)
                event.rawlink(id)
            for source, end in [(greenlet, lambda g=greenlet: g.kill(block=False)), (event, event.set)]:
                gc.collect()
                gc.set_threshold(1_000_000)
                Ending(end)
                gc.set_threshold(threshold)
                source.rawlink(called.append)
                gc.set_threshold(*thresholds)
                gc.collect()
            sleep(0)
            sleep(0)
            assert called == [greenlet, event]
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
