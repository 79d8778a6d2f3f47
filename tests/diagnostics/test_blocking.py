"""The monitor reports a greenlet that blocks its hub. It measures real time, so the tests wait for its report."""

import logging
import threading
import time

import pytest

from hubcore import config, events, getcurrent, sleep, spawn
from hubcore._diagnostics.blocking import Blocking
from hubcore.testing import run_python

GENEROUS = 20.0  # seconds that something may take which takes milliseconds


@pytest.fixture
def heard():
    """The events since the test began."""
    seen = []
    events.subscribers.append(seen.append)
    yield seen
    events.subscribers.remove(seen.append)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(config, "max_blocking_time", 0.02)


def blockages(heard):
    return [event for event in heard if isinstance(event, events.EventLoopBlocked)]


def of_this_greenlet(heard):
    """The caller's. On a busy machine others may be held up, too, by being given no processor."""
    return [event for event in blockages(heard) if event.greenlet is getcurrent()]


def compute_until(condition):
    end = time.monotonic() + GENEROUS
    while not condition() and time.monotonic() < end:
        sum(range(1000))


def block_until(condition):
    end = time.monotonic() + GENEROUS
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)


@pytest.mark.parametrize("hold", [compute_until, block_until], ids=["computes", "blocks"])
def test_a_greenlet_that_holds_up_its_hub_is_reported_with_its_stack(hub, heard, quick, caplog, hold):
    monitor = hub.start_periodic_monitoring_thread()
    task = spawn(hold, lambda: of_this_greenlet(heard))
    task.join()
    (event,) = [event for event in blockages(heard) if event.greenlet is task]
    assert event.hub is hub
    assert event.blocking_time >= 0.02
    text = "\n".join(event.info)
    assert f"in {hold.__name__}" in text
    assert "without letting others run" in text
    assert f"({__file__}:" in text
    (record,) = [record for record in caplog.records if record.getMessage() == text]
    assert (record.name, record.levelno) == ("hubcore", logging.WARNING)
    assert monitor.alive


def test_it_is_reported_once_for_each_time(hub, heard, quick, caplog):
    hub.start_periodic_monitoring_thread()

    def hold_long():
        compute_until(lambda: of_this_greenlet(heard))
        first = time.monotonic()
        compute_until(lambda: time.monotonic() > first + 0.2)  # long enough for several reports

    tasks = [spawn(hold_long), spawn(compute_until, lambda: of_this_greenlet(heard))]
    for task in tasks:
        task.join()
        assert len([event for event in blockages(heard) if event.greenlet is task]) == 1


def test_the_main_greenlet_and_callbacks_are_reported_too(hub, heard, quick, caplog):
    hub.start_periodic_monitoring_thread()
    other = spawn(sleep, 1000)
    sleep(0)
    compute_until(lambda: blockages(heard))
    assert blockages(heard)[0].greenlet is getcurrent()
    assert "the main greenlet has run for" in blockages(heard)[0].info[0]
    hub.loop.run_callback(compute_until, lambda: len(blockages(heard)) > 1)
    sleep(0.001)
    assert blockages(heard)[1].greenlet is hub
    assert "the hub, in a callback has run for" in blockages(heard)[1].info[0]
    other.kill()


def test_reports_may_be_kept_out_of_the_log(hub, heard, quick, caplog, monkeypatch):
    monkeypatch.setattr(config, "print_blocking_reports", False)
    hub.start_periodic_monitoring_thread()
    spawn(compute_until, lambda: of_this_greenlet(heard)).join()
    assert blockages(heard)
    assert not caplog.records


class Times:
    """The monitor's clock, where a test says what time it is."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("hubcore._diagnostics.blocking.monotonic", lambda: self.now)


@pytest.fixture
def look(hub, monkeypatch):
    """Has somebody look at the hub from another thread, after so many seconds by the monitor's clock."""
    times = Times(monkeypatch)
    blocking = Blocking()

    def look_after(seconds):
        times.now += seconds
        result = []
        thread = threading.Thread(target=lambda: result.append(blocking.look(hub)))
        thread.start()
        thread.join()
        return result[0]

    look_after.blocking = blocking
    return look_after


def test_what_has_not_gone_on_between_two_looks_is_reported_once(hub, look, heard, caplog):
    other = spawn(sleep, 1000)
    sleep(0)
    assert not look(1)
    assert not look(0.09)
    assert look(0.02)
    assert not look(1)
    sleep(0)
    assert not look(1)
    assert look(1)
    assert [round(event.blocking_time, 2) for event in blockages(heard)] == [0.11, 1]
    other.kill()


@pytest.mark.parametrize("turn", ["sleep(0)", "a sleep", "a start"])
def test_whoever_gives_the_hub_a_turn_is_not_reported(hub, look, heard, turn):
    other = spawn(sleep, 1000)
    sleep(0)
    for _ in range(5):
        assert not look(1)
        if turn == "sleep(0)":
            sleep(0)
        elif turn == "a sleep":
            sleep(0.001)
        else:
            spawn(int).join()
    assert not blockages(heard)
    other.kill()


def test_many_short_greenlets_are_not_reported(hub, look, heard):
    def short():
        assert not look(1)

    for _ in range(40):  # more than a batch
        spawn(short)
    sleep(0.001)
    assert not blockages(heard)


def test_a_hub_that_sleeps_in_its_poll_is_not_reported(hub_backend):
    """In whatever place it polls: on the stack of the main greenlet, of a task, of the hub."""
    done = run_python(
        """
        import threading, time
        import hubcore
        from hubcore._diagnostics import blocking as _blocking

        looks = []
        hub = hubcore.get_hub()
        blocking = _blocking.Blocking()
        waiter = None

        def watch():
            for _ in range(40):
                looks.append(blocking.look(hub))
                time.sleep(0.005)
            waiter.wake()

        def wait():
            global waiter
            waiter = hub.new_waiter(type("Set", (), {"cross_thread": True})())
            thread = threading.Thread(target=watch)
            thread.start()
            hub.park(waiter)
            thread.join()

        wait()
        hubcore.spawn(wait).join()
        print(any(looks), len(looks))
        """,
        hub_backend,
        env={"HUBCORE_MAX_BLOCKING_TIME": "0.02"},
    )
    assert done.stdout == "False 80\n"


def test_where_nobody_waits_nobody_is_held_up(hub, look, heard):
    for _ in range(3):
        assert not look(1)
    hub.loop.run_callback(int)
    assert look(1)
    sleep(0)


def test_virtual_time_that_jumps_is_no_blockage(heard):
    done = run_python(
        """
        import hubcore
        from hubcore import events
        events.subscribers.append(print)
        hub = hubcore.get_hub()
        hub.start_periodic_monitoring_thread()
        for _ in range(1000):
            hubcore.sleep(3600)
        print(hub.loop.now())
        """,
        "virtual",
        env={"HUBCORE_MAX_BLOCKING_TIME": "5"},
    )
    started, time_told = done.stdout.splitlines()
    assert "PeriodicMonitorThreadStartedEvent" in started
    assert time_told == "3600000.0"


def test_a_greenlet_may_be_left_out_of_reports(hub, heard, quick, caplog):
    monitor = hub.start_periodic_monitoring_thread()
    rounds = []

    def hold():
        monitor.ignore_current_greenlet_blocking()
        start = time.monotonic()
        compute_until(lambda: time.monotonic() > start + 0.15)
        rounds.append(len(of_this_greenlet(heard)))
        sleep(0)
        monitor.monitor_current_greenlet_blocking()
        compute_until(lambda: of_this_greenlet(heard))
        rounds.append(len(of_this_greenlet(heard)))

    spawn(hold).join()
    assert rounds == [0, 1]
