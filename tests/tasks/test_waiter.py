"""gevent's Waiter, for programs that wait by hand, and other names of gevent.hub in hubcore.hub."""

from __future__ import annotations

import greenlet
import pytest

import hubcore
from hubcore.exceptions import BlockingSwitchOutError, ConcurrentObjectUseError
from hubcore.hub import Waiter


def test_get_returns_what_switch_gives_later(hub):
    waiter = Waiter()
    getter = hubcore.spawn(waiter.get)
    hubcore.sleep(0)
    assert waiter.greenlet is getter
    assert not waiter.ready()
    waiter.switch("value")
    assert getter.get() == "value"
    assert waiter.successful()


def test_get_does_not_wait_for_a_result_that_is_there(hub):
    waiter = Waiter(hub)
    waiter.switch_args(1, 2)
    assert waiter.get() == (1, 2)
    assert waiter.value == (1, 2)
    waiter.clear()
    assert not waiter.ready()


def test_get_raises_what_is_thrown(hub):
    waiter = Waiter()
    getter = hubcore.spawn(waiter.get)
    hubcore.sleep(0)
    waiter.throw(ValueError, "no")
    with pytest.raises(ValueError, match="no"):
        getter.get()
    assert waiter.exc_info[0] is ValueError
    assert not waiter.successful()


def test_two_greenlets_cannot_get_the_same_result(hub):
    waiter = Waiter()
    getter = hubcore.spawn(waiter.get)
    hubcore.sleep(0)
    with pytest.raises(ConcurrentObjectUseError, match="already waits on"):
        waiter.get()
    waiter.switch()
    getter.join()


def test_it_takes_over_the_result_of_what_it_is_linked_to(hub):
    good, bad = Waiter(), Waiter()
    hubcore.spawn(lambda: "fine").rawlink(good)
    failing = hubcore.spawn(lambda: 1 / 0)
    failing._add_observer()
    failing.rawlink(bad)
    assert good.get() == "fine"
    with pytest.raises(ZeroDivisionError):
        bad.get()


def test_a_killed_getter_leaves_the_waiter_usable(hub):
    waiter = Waiter()
    getter = hubcore.spawn(waiter.get)
    hubcore.sleep(0)
    getter.kill()
    assert waiter.greenlet is None
    waiter.switch(3)
    assert waiter.get() == 3


def test_a_program_can_switch_by_hand_from_a_watcher(hub):
    with hub.loop.timer(0.01) as timer:
        timer.start(greenlet.getcurrent().switch, "by hand")
        assert hub.switch() == "by hand"


def test_the_hub_says_that_it_never_gives_up_the_processor(hub):
    with pytest.raises(BlockingSwitchOutError, match="never gives up"):
        hub.switch_out()


def test_waits_are_cancelled_closed_and_followed_up(hub, tmp_path):
    import os

    read_end, write_end = os.pipe()
    io = hub.loop.io(read_end, 1)
    waiting = hubcore.spawn(hub.wait, io)
    hubcore.sleep(0)
    followed = []
    hub.cancel_waits_close_and_then([io, None], OSError("gone"), followed.append, "next")
    assert followed == ["next"]
    assert not io.active
    waiting.kill()
    os.close(read_end)
    os.close(write_end)


def test_killing_a_raw_greenlet_works_from_another_thread(hub):
    import threading

    ended = []

    def sleeper():
        try:
            hubcore.sleep(100)
        finally:
            ended.append("unwound")

    raw = hubcore.spawn_raw(sleeper)
    hubcore.sleep(0)
    thread = threading.Thread(target=hubcore.kill, args=(raw,))
    thread.start()
    thread.join()
    hubcore.sleep(0.001)
    assert ended == ["unwound"]
    assert raw.dead
