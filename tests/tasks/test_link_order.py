"""Links have their turn among the waiters: what was linked before a wait began was called when that wait returns."""

import threading

import pytest

from hubcore import get_hub, joinall, kill, sleep, spawn, wait
from hubcore.event import AsyncResult, Event
from hubcore.lock import Semaphore
from hubcore.pool import Group, Pool
from hubcore.scopes import move_on_after
from hubcore.threadpool import ThreadPool


@pytest.fixture(autouse=True)
def _on_each_backend(hub):
    """Every test here is about behaviour that no backend may change."""


@pytest.fixture
def log():
    return []


def boom():
    raise ValueError("boom")


def appends(log, text):
    return lambda source: log.append(text)


WAITS = {
    "join": lambda task: task.join(),
    "get": lambda task: task.get(),
    "joinall": lambda task: joinall([task]),
    "wait": lambda task: wait([task]),
    "with": lambda task: task.__exit__(None, None, None),
}


@pytest.mark.parametrize("link", ["link", "rawlink", "link_value", "link_exception"])
@pytest.mark.parametrize("waits", WAITS)
def test_what_was_linked_before_a_wait_was_called_when_it_returns(log, link, waits):
    task = spawn(boom if link == "link_exception" else int)
    getattr(task, link)(appends(log, "called"))
    if waits == "get" and link == "link_exception":
        with pytest.raises(ValueError, match="boom"):
            task.get()
    else:
        WAITS[waits](task)
    assert log == ["called"]


def waits_of(target, log):
    """Start a greenlet that waits for `target`, and let it begin."""

    def begin(text):
        def run():
            target.wait() if hasattr(target, "wait") else target.join()
            log.append(text)

        spawn(run)
        sleep(0)

    return begin


def test_links_and_waiters_of_a_greenlet_go_on_in_the_order_in_which_they_came(log):
    task = spawn(sleep, 1)
    begin = waits_of(task, log)
    task.link(appends(log, "link 1"))
    begin("wait 1")
    task.rawlink(appends(log, "rawlink 1"))
    begin("wait 2")
    task.rawlink(appends(log, "rawlink 2"))
    task.link(appends(log, "link 2"))
    task.join()
    assert log == ["link 1", "wait 1", "rawlink 1", "wait 2", "rawlink 2", "link 2"]


@pytest.mark.parametrize("kind", [AsyncResult, Event])
def test_links_and_waiters_of_an_event_go_on_in_the_order_in_which_they_came(log, kind):
    target = kind()
    begin = waits_of(target, log)
    target.rawlink(appends(log, "link 1"))
    begin("wait 1")
    target.rawlink(appends(log, "link 2"))
    begin("wait 2")
    begin("wait 3")
    target.rawlink(appends(log, "link 3"))
    spawn(target.set)
    target.wait()
    assert log == ["link 1", "wait 1", "link 2", "wait 2", "wait 3", "link 3"]


def test_the_order_holds_if_another_thread_sets(log):
    target = AsyncResult()
    begin = waits_of(target, log)
    target.rawlink(appends(log, "link 1"))
    begin("wait 1")
    target.rawlink(appends(log, "link 2"))
    setter = threading.Thread(target=target.set)
    spawn(setter.start)
    target.wait()
    setter.join()
    assert log == ["link 1", "wait 1", "link 2"]


def test_the_order_holds_for_many_links(log):
    task, result = spawn(sleep, 1), AsyncResult()
    for i in range(200):
        task.rawlink(appends(log, i))
        result.rawlink(appends(log, 200 + i))
    task.join()
    assert log == list(range(200))
    spawn(result.set)
    result.wait()
    assert log == list(range(400))


def test_a_link_may_wait_and_then_the_wait_goes_on_before_it(log):
    def waits(source):
        log.append("begins")
        sleep(0)
        log.append("ends")

    task = spawn(int)
    task.link(waits)
    task.join()
    assert log == ["begins"]
    sleep(0)
    assert log == ["begins", "ends"]


def test_a_link_that_fails_holds_up_neither_later_links_nor_waiters(log, caplog):
    task = spawn(int)
    task.rawlink(lambda source: boom())
    task.link(lambda source: boom())
    task.rawlink(appends(log, "called"))
    task.join()
    assert log == ["called"]
    assert len(caplog.records) == 2
    caplog.clear()


def test_a_wait_for_a_group_returns_after_the_links_of_its_members(log):
    group = Group()
    task = group.spawn(int)
    task.link(appends(log, "link"))
    task.rawlink(appends(log, "rawlink"))
    group.join()
    assert log == ["link", "rawlink"]


def test_a_killed_pool_also_kills_what_takes_the_room_of_its_first_member():
    pool = Pool(1)
    first = pool.spawn(sleep, 1000)
    adder = spawn(pool.spawn, sleep, 1000)
    sleep(0)
    pool.kill()
    assert first.dead
    assert adder.value.dead
    assert len(pool) == 0


@pytest.mark.parametrize("pool", [Pool, ThreadPool])
def test_the_callback_of_apply_async_was_called_when_get_returns(log, pool):
    assert pool(2).apply_async(int, ("7",), callback=log.append).get() == 7
    assert log == [7]


def test_the_callback_of_an_apply_async_may_wait(log):
    def waits(value):
        sleep(0)
        log.append(value)

    ThreadPool(1).apply_async(int, ("7",), callback=waits).get()
    sleep(0)
    assert log == [7]


# unlink


def test_an_unlink_after_the_end_prevents_a_call_that_is_still_to_come(log):
    called = appends(log, "called")
    for link in ("link", "rawlink"):
        task = spawn(int)
        task.rawlink(lambda task: task.unlink(called))
        getattr(task, link)(called)
        task.join()
    assert not task.has_links()
    sleep(0)
    assert log == []


@pytest.mark.parametrize("kind", [AsyncResult, Event, lambda: Semaphore(0)])
def test_an_unlink_after_it_became_ready_prevents_the_call(log, kind):
    target = kind()
    called = appends(log, "called")
    target.rawlink(called)
    target.release() if isinstance(target, Semaphore) else target.set()
    target.unlink(called)
    assert target.linkcount() == 0
    sleep(0)
    assert log == []


def test_one_link_of_an_event_can_undo_the_next(log):
    event = Event()
    second = appends(log, "second")

    def first(source):
        log.append("first")
        event.unlink(second)

    event.rawlink(first)
    event.rawlink(second)
    event.set()
    sleep(0)
    assert log == ["first"]


def test_a_link_of_an_event_is_called_once_however_often_it_is_set(log):
    event = Event()
    event.rawlink(appends(log, "called"))
    for _ in range(3):
        event.set()
        event.clear()
    sleep(0)
    event.set()
    sleep(0)
    assert log == ["called"]


def test_a_link_that_comes_when_it_is_ready_is_called_once(log):
    event, task = Event(), spawn(int)
    event.set()
    task.join()
    for target in (event, task):
        target.rawlink(appends(log, 1))
        target.rawlink(appends(log, 2))
    sleep(0)
    assert log == [1, 2, 1, 2]
    assert event.linkcount() == 0


def test_a_wait_that_a_link_cuts_short_takes_nothing_from_the_other_waiters(log):
    target = AsyncResult()
    begin = waits_of(target, log)
    begin("wait 1")
    victim = spawn(target.wait)
    sleep(0)
    target.rawlink(lambda source: kill(victim))
    begin("wait 2")
    target.set(5)
    victim.join()
    sleep(0)
    assert log == ["wait 1", "wait 2"]
    assert victim.value == 5  # it had been woken before the link was called


def test_a_scope_that_ends_a_wait_leaves_the_links_in_place(log):
    task = spawn(sleep, 2)
    task.rawlink(appends(log, "called"))
    with move_on_after(1):
        task.join()
    assert log == []
    task.join()
    assert log == ["called"]


def test_the_links_of_a_greenlet_killed_by_another_thread_come_before_the_waiters(log):
    task = spawn(sleep, 1000)
    task.link(appends(log, "called"))
    hub = get_hub()
    killer = threading.Thread(target=task.kill, kwargs={"block": False})
    killer.start()
    task.join()
    killer.join()
    assert hub is get_hub()
    assert log == ["called"]
