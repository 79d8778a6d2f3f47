"""The monitoring thread: its functions, its life, and its checks besides blocking."""

import threading
import time

import pytest

import hubcore
from hubcore import config, events, sleep, spawn
from hubcore.testing import run_python

GENEROUS = 20.0  # seconds that something may take which takes milliseconds


@pytest.fixture
def heard():
    """The events since the test began."""
    seen = []
    events.subscribers.append(seen.append)
    yield seen
    events.subscribers.remove(seen.append)


# -- functions


def called(seen, count):
    """Give the hub turns until `seen` has so many entries."""
    end = time.monotonic() + GENEROUS
    while len(seen) < count and time.monotonic() < end:
        time.sleep(0.001)
    assert len(seen) >= count


def test_a_function_is_called_with_the_hub_in_the_monitors_thread_until_it_is_taken_out(hub):
    monitor = hub.start_periodic_monitoring_thread()
    seen = []

    def look(which):
        seen.append((which, threading.get_ident()))

    monitor.add_monitoring_function(look, 0.001)
    assert look in monitor.monitoring_functions()
    called(seen, 3)
    assert set(seen) == {(hub, monitor.monitor_thread_ident)}
    assert monitor.monitor_thread_ident != hub.thread_ident
    monitor.add_monitoring_function(look, None)
    assert look not in monitor.monitoring_functions()
    assert monitor.monitoring_functions() == [monitor.monitor_blocking]
    monitor.add_monitoring_function(monitor.monitor_blocking, None)
    assert monitor.monitoring_functions() == []


def test_a_new_period_takes_the_place_of_the_old_one(hub):
    monitor = hub.start_periodic_monitoring_thread()
    seen = []
    monitor.add_monitoring_function(seen.append, 1000)
    called(seen, 1)
    monitor.add_monitoring_function(seen.append, 0.001)
    assert monitor.monitoring_functions().count(seen.append) == 1
    called(seen, 4)


def test_a_function_that_raises_is_reported_and_called_again(hub, caplog):
    monitor = hub.start_periodic_monitoring_thread()
    seen = []

    def bad(_):
        seen.append(1)
        raise RuntimeError("on purpose")

    monitor.add_monitoring_function(bad, 0.001)
    called(seen, 2)
    monitor.kill()
    assert "on purpose" in caplog.text


def test_bad_functions_and_periods_are_refused(hub):
    monitor = hub.start_periodic_monitoring_thread()
    with pytest.raises(TypeError, match="must be callable, not 5"):
        monitor.add_monitoring_function(5, 1)
    with pytest.raises(ValueError, match="above 0 seconds, not 0"):
        monitor.add_monitoring_function(int, 0)


# -- its life


def test_a_hub_has_one_and_ends_it(hub, heard):
    assert hub.periodic_monitoring_thread is None
    monitor = hub.start_periodic_monitoring_thread()
    assert hub.start_periodic_monitoring_thread() is monitor is hub.periodic_monitoring_thread
    assert [event.monitor for event in heard] == [monitor]
    assert monitor.hub is hub
    assert "watching" in repr(monitor)
    hub.destroy()
    assert not monitor.alive
    assert "ended" in repr(monitor)
    assert hub.periodic_monitoring_thread is None


def test_one_that_was_killed_makes_room_for_another(hub):
    monitor = hub.start_periodic_monitoring_thread()
    monitor.kill()
    monitor.kill()
    assert not monitor.alive
    assert hub.start_periodic_monitoring_thread() is not monitor


def test_it_starts_with_every_hub_where_that_is_set_and_keeps_nothing_alive(hub_backend):
    """Neither the process, nor a thread's hub, nor a wait that nobody can end."""
    done = run_python(
        """
        import sys, threading, time
        import hubcore

        class Set:
            cross_thread = True

        def note():
            monitors.append(hubcore.get_hub().periodic_monitoring_thread)

        monitors = []
        note()
        hub = hubcore.get_hub()
        try:
            hub.park(hub.new_waiter(Set()))
        except hubcore.LoopExit:
            print("LoopExit")
        hub.destroy()
        thread = threading.Thread(target=note)
        thread.start()
        thread.join()
        assert len(set(monitors)) == 2, monitors
        end = time.monotonic() + 10
        while len(sys._current_frames()) > 1 and time.monotonic() < end:
            time.sleep(0.001)
        print(any(monitor.alive for monitor in monitors), len(sys._current_frames()))
        print(hubcore.get_hub().periodic_monitoring_thread.alive)
        """,
        hub_backend,
        env={"HUBCORE_MONITOR_THREAD": "1"},
    )
    assert done.stdout == "LoopExit\nFalse 1\nTrue\n"


def test_a_forked_child_has_its_own(hub_backend):
    done = run_python(
        """
        import os
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        import hubcore

        monitor = hubcore.get_hub().periodic_monitoring_thread
        pid = os.fork()
        if pid == 0:
            mine = hubcore.get_hub().periodic_monitoring_thread
            hubcore.sleep(0.01)
            print(monitor.alive, mine.alive, mine is monitor, flush=True)
            hubcore.get_hub().destroy()
            os._exit(0)
        os.waitpid(pid, 0)
        print(monitor.alive)
        """,
        hub_backend,
        env={"HUBCORE_MONITOR_THREAD": "1"},
    )
    assert done.stdout == "False True False\nTrue\n"


# -- memory


class Process:
    """psutil.Process, as far as it is used."""

    def __init__(self, *uses):
        self.uses = list(uses)

    def memory_full_info(self):
        return type("Info", (), {"uss": self.uses.pop(0)})()


def test_memory_is_told_of_when_the_limit_is_passed_either_way(hub, heard, monkeypatch):
    monitor = hub.start_periodic_monitoring_thread()
    monitor.kill()
    heard.clear()
    monitor._process = Process(10, 30, 40, 20, 10)
    assert monitor.monitor_memory_usage(hub) == -1
    monkeypatch.setattr(config, "max_memory_usage", 25)
    assert [monitor.monitor_memory_usage(hub) for _ in range(5)] == [10, 30, 40, 20, 10]
    above, below = heard
    assert isinstance(above, events.MemoryUsageThresholdExceeded)
    assert (above.mem_usage, above.max_allowed, above.memory_info.uss) == (30, 25, 30)
    assert isinstance(below, events.MemoryUsageUnderThreshold)
    assert (below.mem_usage, below.max_allowed, below.max_usage) == (20, 25, 40)
    assert "used=30" in repr(above)


def test_memory_cannot_be_watched_without_psutil(hub, monkeypatch):
    monitor = hub.start_periodic_monitoring_thread()
    monkeypatch.setattr(monitor, "can_monitor_memory_usage", lambda: False)
    with pytest.raises(RuntimeError, match="psutil"):
        monitor.install_monitor_memory_usage()
    monkeypatch.setattr(monitor, "can_monitor_memory_usage", lambda: True)
    monitor._process = Process(1)
    monitor.install_monitor_memory_usage()
    assert monitor.monitor_memory_usage in monitor.monitoring_functions()


# -- deadlocks


class Lock:
    def __init__(self, owner=None):
        self.owner = owner

    def wait(self):
        hub = hubcore.get_hub()
        hub.park(hub.new_waiter(self))


def deadlock():
    one, two = Lock(), Lock()
    tasks = [spawn(one.wait), spawn(two.wait)]
    one.owner, two.owner = reversed(tasks)
    sleep(0)
    return tasks


def test_deadlocks_are_logged_once_each(hub, caplog):
    monitor = hub.start_periodic_monitoring_thread()
    monitor.kill()
    tasks = deadlock()
    assert monitor.monitor_deadlocks(hub) == 1
    assert monitor.monitor_deadlocks(hub) == 0
    (record,) = caplog.records
    assert record.name == "hubcore"
    assert "2 greenlets wait for each other" in record.getMessage()
    assert record.getMessage().count("in wait") == 2
    tasks += deadlock()
    assert monitor.monitor_deadlocks(hub) == 1
    hubcore.killall(tasks)
    assert monitor.monitor_deadlocks(hub) == 0
    assert len(caplog.records) == 2


def test_the_watchdog_finds_one_while_a_heartbeat_goes_on(hub_backend):
    done = run_python(
        """
        import logging, time
        import hubcore

        class Lock:
            owner = None
            def wait(self):
                hub = hubcore.get_hub()
                hub.park(hub.new_waiter(self))

        logged = []
        handler = logging.Handler()
        handler.emit = lambda record: logged.append(record.getMessage())
        logging.getLogger("hubcore").addHandler(handler)
        one, two = Lock(), Lock()
        tasks = [hubcore.spawn(one.wait), hubcore.spawn(two.wait)]
        one.owner, two.owner = reversed(tasks)
        end = time.monotonic() + 20
        while not logged and time.monotonic() < end:
            hubcore.sleep(0.001)
        print(logged[0].splitlines()[0])
        """,
        hub_backend,
        env={"HUBCORE_MONITOR_THREAD": "1", "HUBCORE_DEADLOCK_CHECK_PERIOD": "0.01"},
    )
    assert done.stdout == "deadlock: 2 greenlets wait for each other\n"


def test_a_report_does_not_keep_the_process_from_ending():
    run_python(
        """
        import sys
        from time import monotonic
        import hubcore
        assert "threading" not in sys.modules, "this is about who imports it first"

        def burn():
            end = monotonic() + 0.3
            while monotonic() < end:
                pass

        hubcore.spawn(burn).join()
        import threading
        assert threading.current_thread() is threading.main_thread()
        """,
        env={"HUBCORE_MONITOR_THREAD": "1", "HUBCORE_MAX_BLOCKING_TIME": "0.05"},
    )
