"""The hub: one per thread, its loop, and how it ends."""

import gc
import os
import threading
import weakref

import pytest

import hubcore
from hubcore import get_hub, sleep, spawn, spawn_raw
from hubcore.exceptions import HubDestroyed, InvalidSwitchError, InvalidThreadUseError
from hubcore.hub import Hub, get_hub_if_any, set_hub


def in_thread(function):
    """Run `function` in a thread; what it returned or raised."""
    result = []

    def run():
        try:
            result.append(function())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def test_a_thread_gets_its_hub_at_first_use_and_keeps_it(hub):
    assert get_hub() is hub
    assert spawn(get_hub).get() is hub
    assert in_thread(get_hub_if_any) is None
    assert in_thread(lambda: get_hub() is not hub and get_hub() is get_hub())


def test_a_second_hub_in_one_thread_is_refused(hub):
    with pytest.raises(InvalidSwitchError, match="has a hub already"):
        Hub()


def test_a_hub_tells_its_thread_backend_and_state(hub):
    assert hub.thread_ident == threading.get_ident()
    assert hub.main_hub
    assert in_thread(lambda: get_hub().main_hub) is False
    assert hub.backend == hub.loop.name
    assert hub.loop.name in repr(hub)
    hub.name = "mine"
    assert "'mine'" in repr(hub)


def test_a_destroyed_hub_is_replaced_when_the_thread_next_needs_one(hub):
    hub.destroy()
    hub.destroy()
    assert "destroyed" in repr(hub)
    assert get_hub_if_any() is None
    sleep(0.001)
    assert get_hub() is not hub
    assert spawn(lambda: 5).get() == 5


def test_a_destroyed_hub_is_freed(hub):
    hub.destroy()

    def use_one():
        mine = get_hub()
        spawn(sleep, 0.001).join()
        mine.destroy()
        return weakref.ref(mine)

    seen = use_one()
    gc.collect()
    assert seen() is None


def test_destroying_unwinds_what_is_parked_and_does_not_start_what_never_ran(hub):
    ran = []

    def task(name, cleanup=lambda: None):
        try:
            ran.append(f"{name} started")
            sleep(100)
        finally:
            ran.append(f"{name} unwinds")
            cleanup()

    parked = spawn(task, "task")
    raw = spawn_raw(task, "raw")
    sleep(0)
    unstarted = spawn(task, "never")
    hub.destroy()
    assert ran == ["task started", "raw started", "task unwinds", "raw unwinds"]
    assert isinstance(parked.value, HubDestroyed)
    assert parked.value.destroyed_hub is hub
    assert isinstance(unstarted.value, HubDestroyed)
    assert raw.dead


def test_a_finally_block_that_waits_while_the_hub_is_destroyed_is_unwound_too(hub):
    ran = []

    def task():
        try:
            sleep(100)
        finally:
            ran.append("first")
            try:
                sleep(1)
            finally:
                ran.append("second")

    spawn(task)
    sleep(0)
    hub.destroy()
    assert ran == ["first", "second"]


def test_a_greenlet_that_will_not_end_does_not_keep_destroy_from_returning(hub, caplog):
    def stubborn():
        for _ in range(5):
            try:
                sleep(100)
            except HubDestroyed:
                pass
        return "ended"

    task = spawn(stubborn)
    sleep(0)
    hub.destroy()
    assert task.value == "ended"


def test_what_is_spawned_while_the_hub_is_destroyed_never_runs(hub):
    ran = []

    def task():
        try:
            sleep(100)
        finally:
            children.append(spawn(ran.append, 1))

    children = []
    spawn(task)
    sleep(0)
    hub.destroy()
    assert ran == []
    assert isinstance(children[0].value, HubDestroyed)
    with pytest.raises(HubDestroyed):
        hub.schedule(new_raw(hub))


def new_raw(hub):
    from hubcore._core.raw_greenlet import RawGreenlet

    return RawGreenlet(hub, int)


def test_a_greenlet_cannot_destroy_the_hub_that_runs_it(hub):
    with pytest.raises(InvalidSwitchError, match="main greenlet"):
        spawn(hub.destroy).get()


def test_another_thread_cannot_destroy_or_take_over_a_hub(hub):
    with pytest.raises(InvalidThreadUseError):
        in_thread(hub.destroy)
    with pytest.raises(InvalidThreadUseError):
        in_thread(lambda: set_hub(hub))
    assert not hub.destroyed


def test_a_hub_that_is_set_aside_is_left_alone_and_can_be_set_again(hub):
    task = spawn(sleep, 0.01)
    sleep(0)
    set_hub(None)
    other = get_hub()
    assert other is not hub
    assert spawn(lambda: 5).get() == 5
    other.destroy()
    set_hub(hub)
    assert not hub.destroyed
    task.join()
    assert task.successful()


def test_join_waits_until_nothing_is_left(hub):
    slow = spawn(sleep, 0.02)
    assert hub.join(timeout=0.001) is False
    assert not slow.ready()
    assert hub.join() is True
    assert slow.ready()
    assert hub.join() is True


def test_several_may_join_a_hub_at_once(hub):
    joiners = [spawn(hub.join) for _ in range(3)]
    slow = spawn(sleep, 0.01)
    assert hub.join()
    hubcore.joinall(joiners)
    assert [joiner.value for joiner in joiners] == [True] * 3
    assert slow.ready()


def test_threads_that_end_with_a_hub_unwind_it_and_release_every_fd(hub):
    unwound = []

    def use_a_hub():
        def task():
            try:
                sleep(100)
            finally:
                unwound.append(1)

        spawn(task)
        sleep(0.001)

    in_thread(use_a_hub)  # whatever is made once for all threads is there from now on
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        in_thread(use_a_hub)
    gc.collect()
    assert len(unwound) == 21
    assert len(os.listdir("/proc/self/fd")) == before


def test_hubs_come_and_go_without_leaving_memory_or_fds(hub):
    hub.destroy()
    before = len(os.listdir("/proc/self/fd"))
    seen = []
    for _ in range(20):
        spawn(sleep, 0.0001).join()
        seen.append(weakref.ref(get_hub()))
        get_hub().destroy()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
    assert [each() for each in seen] == [None] * 20


def test_wait_parks_until_a_watcher_fires(hub):
    read, write = os.pipe()
    try:
        spawn(os.write, write, b"x")
        watcher = hub.loop.io(read, 1)
        hub.wait(watcher)
        assert os.read(read, 1) == b"x"
        assert not watcher.active
        watcher.close()
    finally:
        os.close(read)
        os.close(write)


def test_idle_returns_once_nothing_else_is_ready(hub):
    order = []
    for i in range(3):
        spawn(lambda i=i: (sleep(0), sleep(0), order.append(i)))
    hubcore.idle()
    assert order == [0, 1, 2]


def test_sleep_takes_zero_and_less_as_a_yield_and_refuses_what_is_no_number(hub):
    sleep(0)
    sleep(-1)
    with pytest.raises(ValueError, match="time to sleep"):
        sleep(float("nan"))
    with pytest.raises(TypeError):
        sleep("1")


@pytest.mark.parametrize("close", [False, True])
def test_cancel_wait_reaches_who_waits_in_hub_wait(hub, close):
    timer = hub.loop.timer(3600.0)
    waiting = hubcore.spawn(hub.wait, timer)
    hub.exception_stream = None
    hubcore.sleep(0)
    hub.cancel_wait(timer, ConnectionError("cancelled"), close)
    waiting.join(5.0)
    assert isinstance(waiting.exception, ConnectionError)
    hub.cancel_wait(timer, ConnectionError)  # nobody waits any more


def test_names_that_programs_written_for_gevent_import_from_the_module_hub(hub):
    from hubcore import hub as module

    assert module.wait is hubcore.wait
    assert module.iwait is hubcore.iwait
    assert module._get_hub() is hub
    assert module._get_hub_noargs() is hub
    assert threading.main_thread().ident == module.MAIN_THREAD_IDENT
    seen = []
    task = hubcore.spawn(int)
    task.rawlink(module.linkproxy(seen.append, "an object"))
    task.join()
    assert seen == ["an object"]
