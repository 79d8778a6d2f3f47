"""Calls from any thread into a hub: spawn_threadsafe and from_thread.run."""

import contextvars
import threading

import pytest

import hubcore
from hubcore import GreenletExit, from_thread, spawn
from hubcore.event import AsyncResult, Event
from hubcore.exceptions import HubDestroyed, InvalidThreadUseError
from hubcore.hub import get_hub_if_any
from hubcore.testing import run_python, settle
from hubcore.threadpool import ThreadPool

PATIENCE = 20


def in_thread(call):
    """Run `call()` in a plain thread while the hub goes on; what it returned, or it is raised."""
    result = AsyncResult()

    def target():
        try:
            result.set(call())
        except BaseException as error:
            result.set_exception(error)

    thread = threading.Thread(target=target)
    thread.start()
    try:
        return result.get()
    finally:
        thread.join(PATIENCE)


def test_a_plain_thread_calls_into_a_hub(hub):
    def call(a, b=0):
        hubcore.sleep(0)
        return threading.get_ident(), a + b

    assert in_thread(lambda: hub.spawn_threadsafe(call, 1, b=2).get()) == (threading.get_ident(), 3)
    assert in_thread(lambda: from_thread.run(call, 1, b=2)) == (threading.get_ident(), 3)
    assert in_thread(lambda: from_thread.run(call, 1, hub=hub))[1] == 1
    assert in_thread(lambda: (from_thread.run(int), get_hub_if_any())) == (0, None)


def test_what_the_call_raises_comes_out(hub, caplog):
    def fail():
        raise ValueError("reason")

    with pytest.raises(ValueError, match="reason") as caught:
        in_thread(lambda: from_thread.run(fail))
    assert caught.traceback[-1].name == "fail"
    assert not caplog.records
    assert isinstance(in_thread(lambda: hub.spawn_threadsafe(fail).wait() or "none"), str)


def test_the_call_sees_the_callers_context(hub):
    variable = contextvars.ContextVar("variable", default="none")

    def use():
        variable.set("the thread's")
        return from_thread.run(variable.get)

    assert in_thread(use) == "the thread's"
    assert variable.get() == "none"


def test_the_hubs_own_thread_may_spawn_but_not_wait_for_itself(hub):
    assert hub.spawn_threadsafe(int).get() == 0
    for call in (lambda: from_thread.run(int), lambda: from_thread.run(int, hub=hub)):
        with pytest.raises(InvalidThreadUseError, match="own hub"):
            call()
    with pytest.raises(TypeError, match="callable"):
        hub.spawn_threadsafe(3)


def test_a_pools_call_comes_back_to_the_hub_that_asked_for_it(hub):
    pool = ThreadPool(2)
    hubs = []

    def other():
        own = hubcore.get_hub()
        found = pool.apply(lambda: from_thread.run(lambda: hubcore.getcurrent().hub))
        hubs.append(found is own)
        own.destroy()

    thread = threading.Thread(target=other)
    thread.start()
    assert pool.apply(lambda: from_thread.run(lambda: hubcore.getcurrent().hub)) is hub
    thread.join(PATIENCE)
    assert hubs == [True]


def test_a_greenlet_of_another_hub_waits_cooperatively(hub):
    event = Event()
    order = []

    def other():
        waiting = spawn(from_thread.run, event.wait, hub=hub)
        hubcore.sleep(0)
        order.append("others go on")
        event.set()
        assert waiting.get() is True
        hubcore.get_hub().destroy()
        return "done"

    assert in_thread(other) == "done"
    assert order == ["others go on"]


def test_a_call_that_nobody_waits_for_any_more_is_killed(hub):
    begun, ended = Event(), AsyncResult()

    def call():
        begun.set()
        try:
            Event().wait()
        except GreenletExit:
            ended.set("killed")
            raise

    def other():
        waiting = spawn(from_thread.run, call, hub=hub)
        hubcore.sleep(0)
        begun.wait()
        waiting.kill()
        hubcore.get_hub().destroy()

    in_thread(other)
    assert ended.get() == "killed"
    settle(hub)


def test_a_destroyed_hub_fails_calls_before_and_after():
    ready, begun, results = threading.Event(), Event(), []
    hubs = []

    def call():
        begun.set()
        hubcore.sleep(100)

    def other():
        hubs.append(hubcore.get_hub())
        ready.set()
        begun.wait()
        results.append(hubs[0].spawn_threadsafe(call))  # not begun when the hub ends
        hubs[0].destroy()

    thread = threading.Thread(target=other)
    thread.start()
    assert ready.wait(PATIENCE)
    results.append(hubs[0].spawn_threadsafe(call))
    thread.join(PATIENCE)
    results.append(hubs[0].spawn_threadsafe(call))
    for result in results:
        with pytest.raises(HubDestroyed):
            result.get(timeout=PATIENCE)
    with pytest.raises(HubDestroyed):
        from_thread.run(int, hub=hubs[0])


def test_many_calls_from_many_threads(hub):
    total = []

    def caller(number):
        for i in range(50):
            total.append(from_thread.run(lambda i=i: number * 50 + i))

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        hubcore.sleep(0.001)
    assert sorted(total) == list(range(200))


def test_without_a_hub_to_call_into_it_is_an_error():
    run_python(
        """
        import threading
        from hubcore import from_thread
        said = []
        def use():
            try:
                from_thread.run(int)
            except RuntimeError as error:
                said.append(str(error))
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert "no hub" in said[0], said
        """
    )


def test_what_is_no_hub_is_named(hub):
    with pytest.raises(TypeError, match=r"hub must be a Hub .* not 3"):
        from_thread.run(int, hub=3)
