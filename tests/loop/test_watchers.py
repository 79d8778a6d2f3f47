"""Common features of all watchers that the conformance suite does not cover: texts, feed, priority."""

import socket

import pytest

import hubcore
from hubcore.watchers import READ, FdWatch, Io, Timer, Watcher


@pytest.mark.parametrize(
    "make", [lambda loop: loop.timer(1.0), lambda loop: loop.io(0, READ), lambda loop: loop.idle()]
)
def test_a_watcher_says_what_it_is_and_in_which_state(loop, make):
    watcher = make(loop)
    assert isinstance(watcher, Watcher)
    assert type(watcher).__name__ in repr(watcher)
    assert "stopped" in repr(watcher)
    assert watcher.loop is loop
    assert watcher.callback is watcher.args is None
    watcher.close()
    watcher.close()
    assert "closed" in repr(watcher)
    with pytest.raises(ValueError, match="closed"):
        watcher.start(print)


def test_a_started_watcher_shows_its_callback_and_arguments(loop):
    timer = loop.timer(2.0, 3.0)
    timer.start(print, 1, 2)
    assert "after=2 repeat=3 started callback=<built-in function print>" in repr(timer)
    assert (timer.callback, timer.args) == (print, (1, 2))
    assert timer.at == pytest.approx(loop.now() + 2.0, abs=1.0)
    timer.stop()
    assert (timer.callback, timer.args) == (None, None)


def test_an_io_watcher_shows_its_fd_and_direction(loop):
    assert [repr(loop.io(7, events)).split()[1:3] for events in (1, 2, 3)] == [
        ["fd=7", "READ"],
        ["fd=7", "WRITE"],
        ["fd=7", "READ|WRITE"],
    ]


def test_a_watcher_and_the_greenlet_parked_on_it_can_be_shown(hub):
    """Each has the other in its text; that must end somewhere."""
    timer = hub.loop.timer(0.001)
    texts = []
    hub.loop.run_callback(lambda: texts.extend([repr(timer), *map(repr, hub.parked)]))
    hub.wait(timer)
    assert "started" in texts[0]
    assert "Timer" in texts[1]


def test_feed_calls_back_as_if_an_event_had_come(loop):
    seen = []
    loop.timer(1.0).feed(READ, seen.append, "fed")
    assert seen == []
    loop.run()
    assert seen == ["fed"]


def test_priority_is_kept(loop):
    timer = loop.timer(1.0, priority=2)
    assert timer.priority == 2
    timer.priority = -1
    assert timer.priority == -1
    assert (loop.MINPRI, loop.MAXPRI) == (-2, 2)


def test_a_started_watcher_is_kept_alive_by_its_loop(loop):
    seen = []
    loop.timer(0.001).start(seen.append, 1)
    assert len(loop.watchers) == 1
    loop.run()
    assert seen == [1]
    assert loop.watchers == set()


def test_a_watcher_closes_at_the_end_of_its_with_block(loop):
    with loop.timer(1.0) as timer:
        timer.start(print)
        assert timer.active
    assert not timer.active
    with pytest.raises(ValueError, match="closed"):
        timer.start(print)


def test_start_accepts_gevents_update_argument(loop):
    seen = []
    timer = loop.timer(0.001)
    timer.start(seen.append, 1, update=True)
    loop.run()
    timer.again(seen.append, 2, update=False)
    loop.run()
    assert seen == [1, 2]


def test_hub_wait_parks_until_a_watcher_fires(hub):
    before = hub.loop.clock()
    hub.wait(hub.loop.timer(0.005))
    assert hub.loop.clock() >= before + 0.005
    assert hub.loop.watchers == {watcher for watcher in hub.loop.watchers if not isinstance(watcher, Timer)}


def test_idle_waits_until_nothing_else_is_ready(hub):
    order = []

    def busy():
        for _ in range(3):
            order.append("busy")
            hubcore.sleep(0)

    job = hubcore.spawn(busy)
    hubcore.idle()
    order.append("idle")
    job.join()
    assert order == ["busy"] * 3 + ["idle"]


def test_what_a_backend_has_to_provide_is_said_where_it_is_missing(loop):
    watch = FdWatch(loop, 0)
    io = Io(loop, 0, READ)
    with pytest.raises(NotImplementedError, match="set_mask"):
        watch.add(io)
    assert watch.ios == []
    with pytest.raises(NotImplementedError, match="release"):
        watch.release()


def test_ref_of_an_io_watcher_may_change_while_a_greenlet_waits(hub):
    ours, theirs = socket.socketpair()
    before = hub.loop.refs
    io = hub.loop.io(ours.fileno(), 1)

    def wait():
        waiter = hub.new_waiter(io)
        io.attach(waiter)
        hub.park(waiter)

    waiting = hubcore.spawn(wait)
    hubcore.sleep(0)
    assert hub.loop.refs == before + 1
    io.ref = False
    assert hub.loop.refs == before
    theirs.send(b"x")
    waiting.join(5.0)
    assert hub.loop.refs == before
    io.close()
    ours.close()
    theirs.close()


def test_what_was_sent_before_a_stop_is_not_for_the_callback_that_is_started_after_it(hub):
    seen = []
    with hub.loop.async_() as watcher:
        watcher.start(seen.append, "old")
        watcher.send()
        watcher.stop()
        assert not watcher.pending
        watcher.start(seen.append, "new")
        hubcore.sleep(0.001)
        assert seen == []
        watcher.send()
        hubcore.sleep(0.001)
    assert seen == ["new"]


@pytest.mark.parametrize(("fd", "events"), [(-1, 1), (None, 1), (0, 0), (0, 4), (0, -1)])
def test_an_io_watcher_made_by_hand_is_checked_as_one_that_the_loop_makes(loop, fd, events):
    with pytest.raises(ValueError, match="must be"):
        Io(loop, fd, events)
