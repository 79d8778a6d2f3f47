"""Uncaught errors, and calls made where they are not allowed: the error is clear, and the hub goes on."""

import threading

import pytest

import hubcore
from hubcore import GreenletExit, get_hub, getcurrent, sleep, spawn
from hubcore.exceptions import BlockingSwitchOutError, InvalidSwitchError, InvalidThreadUseError, LoopExit
from hubcore.hub import Hub
from hubcore.testing import run_python


def boom():
    raise ValueError("boom")


def test_a_callback_that_raises_is_reported_and_the_loop_goes_on(hub, caplog):
    seen = []
    hub.loop.run_callback(boom)
    hub.loop.run_callback(seen.append, 1)
    timer = hub.loop.timer(0.001)
    timer.start(boom)
    sleep(0.01)
    timer.close()
    assert seen == [1]
    assert len(caplog.records) == 2
    assert caplog.text.count("ValueError: boom") == 2
    assert spawn(lambda: 5).get() == 5


@pytest.mark.parametrize("wait", [lambda: sleep(1), lambda: sleep(0), lambda: spawn(int).get(), lambda: hubcore.idle()])
def test_waiting_in_the_hub_says_what_is_wrong(hub, wait):
    errors = []

    def callback():
        try:
            wait()
        except BlockingSwitchOutError as error:
            errors.append(str(error))

    hub.loop.run_callback(callback)
    sleep(0.001)
    assert len(errors) == 1
    assert "spawn a greenlet" in errors[0]


def test_waiting_in_a_rawlink_is_reported_and_disturbs_nobody(hub, caplog):
    task = spawn(int)
    task.rawlink(lambda source: sleep(1))
    sleep(0.01)
    assert "BlockingSwitchOutError" in caplog.text


def test_switching_to_the_hub_from_the_hub_is_refused(hub):
    errors = []

    def callback():
        with pytest.raises(BlockingSwitchOutError):
            hub.switch()
        errors.append(1)

    hub.loop.run_callback(callback)
    sleep(0.001)
    assert errors == [1]


def test_another_threads_hub_cannot_be_waited_in(hub):
    errors = []

    def elsewhere():
        for use in (
            hub.yield_now,
            hub.switch,
            lambda: hub.park(hub.new_waiter("x")),
            lambda: hub.loop.run_callback(int),
            lambda: hub.loop.timer(1).start(int),
        ):
            try:
                use()
            except InvalidThreadUseError as error:
                errors.append(str(error))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(errors) == 5
    assert all("thread" in error for error in errors)


def test_a_waiter_parks_only_the_greenlet_it_was_made_for(hub):
    waiter = hub.new_waiter("mine")
    with pytest.raises(InvalidSwitchError, match="another greenlet"):
        spawn(hub.park, waiter).get()


def test_a_greenlet_that_is_switched_to_by_hand_while_it_is_parked_says_so(hub):
    task = spawn(sleep, 100)
    sleep(0)
    hub.loop.run_callback(task.switch)
    with pytest.raises(InvalidSwitchError, match="other than 'sleep'"):
        task.get()


def test_a_bare_switch_to_the_hub_can_be_resumed_by_hand(hub):
    def by_hand():
        me = getcurrent()
        timer = hub.loop.timer(0.001)
        timer.start(me.switch, "a value")
        try:
            return hub.switch()
        finally:
            timer.close()

    assert spawn(by_hand).get() == "a value"


def test_a_greenlet_in_a_bare_switch_can_be_killed(hub):
    task = spawn(hub.switch)
    sleep(0)
    assert hub.parked.count == 1
    task.kill()
    assert isinstance(task.value, GreenletExit)
    assert hub.parked.count == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, SystemError])
@pytest.mark.parametrize("where", ["greenlet", "raw greenlet", "callback"])
def test_a_system_error_is_raised_in_the_main_greenlet(hub, error, where, caplog):
    def fail():
        raise error("from there")

    start = {"greenlet": spawn, "raw greenlet": hubcore.spawn_raw, "callback": hub.loop.run_callback}[where]
    start(fail)
    with pytest.raises(error, match="from there"):
        sleep(1)
    assert not caplog.records


@pytest.mark.parametrize("wait", [hubcore.Greenlet.join, hubcore.Greenlet.get, lambda task: hubcore.joinall([task])])
def test_a_system_error_of_what_the_main_greenlet_waits_for_is_raised_in_that_wait_and_once(hub, wait):
    def leave():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait(spawn(leave))
    sleep(0)


def test_a_system_error_reaches_a_main_greenlet_that_is_only_letting_others_run(hub):
    def leave():
        raise SystemExit(3)

    spawn(leave)
    with pytest.raises(SystemExit):
        sleep(0)


def test_a_hub_class_may_have_its_own_policy(hub):
    hub.destroy()
    handled = []

    class Strict(Hub):
        NOT_ERROR = (*Hub.NOT_ERROR, LookupError)
        SYSTEM_ERROR = (*Hub.SYSTEM_ERROR, ValueError)

        def handle_error(self, context, type, value, tb):
            handled.append(type)
            super().handle_error(context, type, value, tb)

    mine = Strict()
    try:
        spawn({}.__getitem__, 1).join()
        spawn(boom)
        with pytest.raises(ValueError, match="boom"):
            sleep(1)
        assert handled == [KeyError, ValueError]
    finally:
        mine.destroy()


def test_an_error_handler_that_fails_is_reported_itself(hub, caplog):
    hub.destroy()

    class Broken(Hub):
        def handle_error(self, context, type, value, tb):
            if type is ValueError:
                raise LookupError("in the handler")
            super().handle_error(context, type, value, tb)

    mine = Broken()
    try:
        mine.loop.run_callback(boom)
        spawn(boom)
        sleep(0.01)
        assert caplog.text.count("in the handler") >= 2
        assert spawn(lambda: 5).get() == 5
    finally:
        mine.destroy()


def test_a_throw_into_a_yielding_greenlet_leaves_no_stale_turn_behind(hub):
    """Its turn is still queued; it must not resume the greenlet out of a later wait."""

    def body():
        try:
            sleep(0)
        except LookupError:
            sleep(0.001)
            return "once"

    task = spawn(body)
    hub.loop.run_callback(task.throw, LookupError)
    assert task.get() == "once"


def test_without_fds_for_a_hub_each_thread_gets_an_error_and_later_a_hub(hub_backend):
    """libev and libuv themselves would abort the process."""
    done = run_python(
        """
import os, resource, threading
from hubcore import get_hub, sleep
from hubcore.backends import loop_class
from hubcore.hub import get_hub_if_any
from hubcore._watchers import signals as _signals  # before there is no fd left to import it with

def try_it():
    try:
        sleep(0)
    except OSError as error:
        assert error.errno == 24 and get_hub_if_any() is None
        said.add("refused")
    else:
        get_hub().destroy()
        said.add("got one")

loop_class()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
said = set()
while len(held) < 64:
    try:
        held.append(os.dup(0))
    except OSError:
        break
for left in range(12):
    try_it()
    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    os.close(held.pop())
print(sorted(said))
""",
        hub_backend,
    )
    assert done.stdout == "['got one', 'refused']\n"


def test_a_hub_whose_handle_error_fails_goes_on_and_tells_the_main_greenlet(hub, monkeypatch):
    class Clumsy(Hub):
        def handle_error(self, *args):
            raise LookupError("where do errors go?")

    hub.destroy()
    clumsy = Clumsy(backend=hub.loop.name)
    try:
        for _ in range(3):
            spawn(lambda: 1 / 0)
            with pytest.raises(LookupError, match="where do errors go"):
                sleep(0.001)
            assert spawn(lambda: "works").get(timeout=5) == "works"
    finally:
        clumsy.destroy()


def test_waiting_in_a_hub_whose_loop_was_closed_ends_even_if_the_main_greenlet_is_not_parked(hub):
    ended = []

    def close_and_wait():
        hub.loop.close()
        try:
            sleep(1)
        finally:
            ended.append("unwound")

    task = hubcore.Greenlet(close_and_wait)
    with pytest.raises(LoopExit):
        task.switch()  # by hand: the main greenlet then waits for nothing that the hub knows of
    hub.destroy()
    assert ended == ["unwound"]
    assert get_hub() is not hub


def test_the_context_of_a_watchers_error_is_the_watcher(hub, monkeypatch):
    seen = []
    monkeypatch.setattr(hub, "print_exception", lambda context, *error: seen.append(context), raising=False)
    with hub.loop.timer(0.001) as timer, hub.loop.timer(1000) as fed:
        timer.start(boom)
        fed.feed(1, boom)
        sleep(0.01)
        assert seen == [fed, timer]
    entry = hub.loop.run_callback(boom)
    sleep(0)
    assert seen[2:] == [entry]
