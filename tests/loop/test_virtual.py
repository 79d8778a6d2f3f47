"""The virtual backend: time jumps when nothing is ready, and only then."""

import threading
import time

import pytest

import hubcore
from hubcore.backends.virtual import VirtualLoop
from hubcore.hub import Hub
from hubcore.testing import advance, settle


@pytest.fixture
def virtual():
    hub = Hub(backend="virtual")
    yield hub
    hub.destroy()


def test_an_hour_takes_no_time_and_is_exactly_an_hour(virtual):
    start = time.monotonic()
    hubcore.sleep(3600.0)
    assert virtual.loop.now() == 3600.0
    assert time.monotonic() - start < 60.0


def test_sleepers_wake_in_the_order_of_their_times(virtual):
    woken = []

    def sleeper(seconds):
        hubcore.sleep(seconds)
        woken.append((seconds, virtual.loop.now()))

    jobs = [hubcore.spawn(sleeper, seconds) for seconds in (86400.0, 0.5, 60.0, 0.25)]
    hubcore.joinall(jobs)
    assert woken == [(0.25, 0.25), (0.5, 0.5), (60.0, 60.0), (86400.0, 86400.0)]


def test_work_outside_takes_real_time(virtual):
    """A job in a thread is not overtaken by a timer that is due before it on the virtual clock."""
    order = []
    done = threading.Event()

    def finish():
        virtual.loop.end_external()
        order.append("job")
        done.set()

    virtual.loop.begin_external()
    thread = threading.Thread(target=virtual.loop.run_callback_threadsafe, args=(finish,))
    hubcore.spawn_later(3600.0, order.append, "timer")
    thread.start()
    virtual.join()
    thread.join()
    assert order == ["job", "timer"]
    assert done.is_set()


def test_advance_lets_time_pass_and_no_more(virtual):
    woken = []
    jobs = [hubcore.spawn_later(seconds, woken.append, seconds) for seconds in (1.0, 2.0, 3.0)]
    settle(virtual)
    advance(virtual, 0.5)
    assert woken == []
    advance(virtual, 1.5)
    assert woken == [1.0, 2.0]
    advance(virtual, 0.0)
    assert woken == [1.0, 2.0]
    for job in jobs:
        job.kill()


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_time_does_not_go_back(seconds):
    loop = VirtualLoop()
    with pytest.raises(ValueError, match="must be 0 or more"):
        loop.advance(seconds)
    loop.close()


def test_only_virtual_time_can_be_advanced():
    hub = Hub(backend="select")
    with pytest.raises(TypeError, match="virtual"):
        advance(hub, 1.0)
    hub.destroy()


def test_an_fd_that_is_always_ready_does_not_stop_time(virtual, tmp_path):
    with open(tmp_path / "file", "wb") as file, virtual.loop.io(file.fileno(), 2) as io:
        turns = []
        io.start(turns.append, 1)
        hubcore.sleep(0.01)
    assert len(turns) > 1000


def test_a_greenlet_that_only_yields_does_not_stop_time(virtual):
    waiting = hubcore.spawn_later(0.01, str)
    while not waiting.ready():
        hubcore.sleep(0)
