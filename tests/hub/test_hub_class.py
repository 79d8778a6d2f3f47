"""The class of hubs: its attributes can be set for all hubs, also existing ones, and another class can be chosen."""

import threading

import pytest

import hubcore
from hubcore import get_hub, sleep, spawn
from hubcore.hub import Hub, get_hub_class, set_default_hub_class
from hubcore.testing import run_python, settle


class Expected(Exception):
    pass


def fail(error=Expected):
    raise error("reason")


def in_thread(function, *args):
    results = []
    thread = threading.Thread(target=lambda: results.append(function(*args)))
    thread.start()
    thread.join()
    return results[0]


def run_and_settle(error):
    spawn(fail, error)
    settle(get_hub())


def test_not_error_is_looked_up_where_a_greenlet_fails(hub, monkeypatch, caplog):
    monkeypatch.setattr(Hub, "NOT_ERROR", (*Hub.NOT_ERROR, Expected))
    run_and_settle(Expected)
    in_thread(run_and_settle, Expected)
    assert caplog.records == []
    monkeypatch.undo()
    run_and_settle(Expected)
    assert len(caplog.records) == 1


def test_system_error_is_looked_up_where_a_greenlet_fails(hub, monkeypatch, caplog):
    monkeypatch.setattr(Hub, "SYSTEM_ERROR", (Expected,))
    spawn(fail)
    with pytest.raises(Expected, match="reason"):
        sleep(1)
    monkeypatch.undo()
    run_and_settle(Expected)


def test_handle_error_is_looked_up_where_a_greenlet_or_a_callback_fails(hub, monkeypatch, caplog):
    seen = []
    before = Hub.handle_error

    def handle_error(self, context, type, value, tb):
        seen.append((self, type))

    monkeypatch.setattr(Hub, "handle_error", handle_error)
    run_and_settle(Expected)
    hub.loop.run_callback(fail, ValueError)
    settle(hub)
    timer = hub.loop.timer(0)
    timer.start(fail, LookupError)
    sleep(0.001)
    timer.close()
    assert seen == [(hub, Expected), (hub, ValueError), (hub, LookupError)]
    assert caplog.records == []
    monkeypatch.undo()
    assert Hub.handle_error is before
    run_and_settle(Expected)
    assert len(seen) == 3
    assert len(caplog.records) == 1


def test_switch_is_looked_up_by_programs_that_switch_by_hand(hub, monkeypatch):
    before, seen = Hub.switch, []

    def switch(self):
        seen.append(self)
        return before(self)

    monkeypatch.setattr(Hub, "switch", switch)

    def by_hand():
        hub.loop.run_callback(hubcore.getcurrent().switch, "result")
        return hub.switch()

    assert spawn(by_hand).get() == "result"
    assert seen == [hub]
    sleep(0.001)
    assert seen == [hub]


def test_an_attribute_of_its_own_and_one_of_greenlet(hub, monkeypatch):
    monkeypatch.setattr(Hub, "of_the_program", 5, raising=False)
    assert (hub.of_the_program, in_thread(lambda: get_hub().of_the_program)) == (5, 5)
    monkeypatch.undo()
    assert not hasattr(hub, "of_the_program")
    monkeypatch.setattr(Hub, "__repr__", lambda self: "a hub")
    assert repr(hub) == "a hub"
    monkeypatch.undo()
    assert repr(hub).startswith("<Hub ")


class OtherHub(Hub):
    NOT_ERROR = (*Hub.NOT_ERROR, Expected)


@pytest.fixture
def other_class():
    set_default_hub_class(OtherHub)
    yield OtherHub
    set_default_hub_class(Hub)


def test_a_hub_is_an_instance_of_the_default_class(hub, other_class, caplog):
    assert get_hub_class() is type(hub) is Hub  # it exists already
    assert in_thread(get_hub_class) is OtherHub
    assert in_thread(lambda: (type(get_hub()), get_hub_class())) == (OtherHub, OtherHub)
    in_thread(run_and_settle, Expected)
    assert caplog.records == []
    set_default_hub_class(Hub)
    assert in_thread(lambda: type(get_hub())) is Hub


def test_a_forked_child_has_a_hub_of_the_default_class(hub_backend):
    done = run_python(
        """
        import os, hubcore
        from hubcore.hub import Hub, get_hub, get_hub_class, set_default_hub_class

        class OtherHub(Hub):
            pass

        set_default_hub_class(OtherHub)
        def forks():
            pid = os.fork()
            if pid == 0:
                print(type(get_hub()).__name__, get_hub_class().__name__, flush=True)
            else:
                hubcore.os.waitpid(pid, 0)
        import hubcore.os
        hubcore.spawn(forks).get()
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("OtherHub OtherHub\n", "")


@pytest.mark.parametrize("wrong", [None, int, "Hub", hubcore.Greenlet, object()])
def test_a_class_that_is_no_hub_is_refused(hub, wrong):
    with pytest.raises(TypeError, match=r"the class of hubs must be hubcore\.hub\.Hub or derived from it, not "):
        set_default_hub_class(wrong)
    assert in_thread(get_hub_class) is Hub
