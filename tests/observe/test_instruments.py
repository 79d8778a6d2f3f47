"""Instruments: what they are called with, in which order, and what happens if they fail."""

import gc
import random
import threading

import greenlet as greenlet_module
import pytest

import hubcore
from hubcore import Timeout, getcurrent, instrument, kill, sleep, spawn, spawn_later, spawn_raw
from hubcore.event import Event
from hubcore.exceptions import BlockingSwitchOutError
from hubcore.queue import Queue
from hubcore.testing import run_python


class Log(instrument.Instrument):
    """Writes down the events, with names for the greenlets."""

    def __init__(self):
        self.events = []
        self.names = {}

    def name(self, each):
        return None if each is None else self.names.get(each, "?")

    def spawned(self, greenlet, by):
        self.names.setdefault(greenlet, getattr(greenlet, "label", f"g{len(self.names)}"))
        self.events.append(("spawned", self.name(greenlet), self.name(by)))

    def ready(self, greenlet, by):
        self.events.append(("ready", self.name(greenlet), self.name(by)))

    def resumed(self, greenlet):
        self.events.append(("resumed", self.name(greenlet)))

    def suspended(self, greenlet, waiting_on):
        self.events.append(("suspended", self.name(greenlet), waiting_on))

    def ended(self, greenlet):
        self.events.append(("ended", self.name(greenlet)))


@pytest.fixture
def log(hub):
    log = Log()
    log.names[getcurrent()] = "main"
    instrument.add(log)
    yield log
    if log in instrument.installed():
        instrument.remove(log)


def without_polls(events):
    return [event for event in events if event[0] not in ("poll_began", "poll_ended")]


def test_a_spawn_a_wait_and_an_end(hub, log):
    event = Event()

    def wait():
        event.wait()

    one = spawn(wait)
    sleep(0)
    event.set()
    one.join()
    instrument.remove(log)
    assert [what[:2] if what[0] == "suspended" else what for what in log.events] == [
        ("spawned", "g1", "main"),
        ("ready", "g1", "main"),
        ("suspended", "main"),
        ("ready", "main", None),
        ("resumed", "g1"),
        ("suspended", "g1"),
        ("resumed", "main"),
        ("ready", "g1", "main"),
        ("suspended", "main"),
        ("resumed", "g1"),
        ("ready", "main", "g1"),
        ("suspended", "g1"),
        ("ended", "g1"),
        ("resumed", "main"),
    ]
    waits = [what[2] for what in log.events if what[0] == "suspended"]
    assert waits[0] is None  # it gave way
    assert getattr(waits[1], "on", waits[1]) is event
    assert waits[2] is one
    assert waits[3] is None  # it ended


def test_a_timer_and_another_thread_are_no_wakers(hub, log):
    queue = Queue()
    spawn_later(0.001, lambda: None).join()
    assert ("spawned", "g1", None) in log.events
    assert ("ready", "g1", None) in log.events
    thread = threading.Thread(target=queue.put, args=(1,))
    hub.loop.run_callback(thread.start)
    queue.get()
    thread.join()
    assert log.events[-2:] == [("ready", "main", None), ("resumed", "main")]


def test_only_hooks_of_the_subclass_are_called_and_in_the_order_of_addition(hub):
    order = []

    class One(instrument.Instrument):
        def resumed(self, greenlet):
            order.append("one")

    class Two:  # no subclass, and no other method
        def resumed(self, greenlet):
            order.append("two")

    one, two = One(), Two()
    instrument.add(two)
    instrument.add(one)
    assert instrument.installed() == (two, one)
    sleep(0.001)
    instrument.remove(two)
    sleep(0.001)
    instrument.remove(one)
    assert order == ["two", "one", "one"]
    assert instrument.installed() == ()
    assert hub.ready.observer is None


def test_polls(hub):
    seen = []

    class Polls(instrument.Instrument):
        def poll_began(self, hub, timeout):
            seen.append(timeout)

        def poll_ended(self, hub):
            seen.append("ended")

    polls = Polls()
    instrument.add(polls)
    try:
        sleep(0.001)
    finally:
        instrument.remove(polls)
    assert seen.count("ended") == len(seen) // 2
    assert any(0 < each <= 0.001 for each in seen if each != "ended")


def test_bad_input():
    with pytest.raises(TypeError, match=r"has a method spawned, .* poll_began or poll_ended; 3 has none"):
        instrument.add(3)
    with pytest.raises(TypeError, match="has none"):
        instrument.add(instrument.Instrument())
    with pytest.raises(ValueError, match="is not installed; installed are"):
        instrument.remove(3)
    log = Log()
    instrument.add(log)
    try:
        with pytest.raises(ValueError, match="is installed already"):
            instrument.add(log)
    finally:
        instrument.remove(log)


def test_one_that_raises_is_removed_and_logged_once_and_the_program_goes_on(hub, log, caplog):
    class Bad(instrument.Instrument):
        calls = 0

        def resumed(self, greenlet):
            self.calls += 1
            raise LookupError("a mistake in the instrument")

        def suspended(self, greenlet, waiting_on):
            self.calls += 1

    bad = Bad()
    instrument.add(bad)
    for _ in range(3):
        sleep(0.001)
    assert bad.calls == 2
    assert instrument.installed() == (log,)
    assert [record.exc_info[0] for record in caplog.records] == [LookupError]
    assert [what for what in log.events if what[0] == "resumed"] == [("resumed", "main")] * 3


def test_one_that_would_wait_gets_an_error_and_hangs_nothing(hub):
    errors = []

    class Waits(instrument.Instrument):
        def resumed(self, greenlet):
            for wait in (lambda: sleep(0), lambda: sleep(1), lambda: Queue().get()):
                try:
                    wait()
                except BlockingSwitchOutError as error:
                    errors.append(str(error))

    waits = Waits()
    instrument.add(waits)
    sleep(0.001)
    instrument.remove(waits)
    assert len(errors) == 3
    assert all("made by an instrument" in error for error in errors)
    sleep(0)


def test_what_an_instrument_does_itself_is_not_shown_to_instruments(hub, log):
    class Spawns(instrument.Instrument):
        def suspended(self, greenlet, waiting_on):
            if not spawned:
                spawned.append(spawn_raw(list))

    spawned = []
    spawns = Spawns()
    instrument.add(spawns)
    sleep(0.001)
    sleep(0)
    instrument.remove(spawns)
    assert spawned
    assert spawned[0].dead
    assert "spawned" not in [what[0] for what in log.events]


def test_a_switch_by_hand_is_noticed_at_the_next_event(hub, log):
    def other():
        main.switch()

    main = getcurrent()
    by_hand = greenlet_module.greenlet(other)
    log.names[by_hand] = "by hand"
    by_hand.switch()
    sleep(0.001)
    by_hand.switch()
    assert log.events == [("suspended", "main", "sleep"), ("ready", "main", None), ("resumed", "main")]

    def sleeps():
        sleep(0.001)

    another = greenlet_module.greenlet(sleeps, hub)
    log.names[another] = "another"
    del log.events[:]
    hub.loop.run_callback(another.switch)
    sleep(0.01)
    assert log.events == [
        ("suspended", "main", "sleep"),
        ("resumed", "another"),
        ("suspended", "another", "sleep"),
        ("ready", "another", None),
        ("resumed", "another"),
        ("suspended", "another", None),
        ("ended", "another"),
        ("ready", "main", None),
        ("resumed", "main"),
    ]


def test_a_greenlet_that_is_killed_before_it_runs_has_ended(hub, log):
    one = spawn(sleep, 1)
    one.kill(block=False)
    sleep(0)
    assert [what for what in log.events if what[1] == "g1"] == [
        ("spawned", "g1", "main"),
        ("ready", "g1", "main"),
        ("ended", "g1"),
    ]


def test_hubs_of_other_threads_and_later_ones_are_included(hub, log):
    def run():
        spawn(sleep, 0).join()
        hubcore.get_hub().destroy()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    kinds = [what[0] for what in log.events]
    assert kinds.count("spawned") == kinds.count("ended") == 1


def test_trace_functions_of_greenlet_go_on(hub, log):
    switches = []
    before = greenlet_module.settrace(lambda event, args: switches.append(event))
    try:
        spawn(sleep, 0).join()
    finally:
        greenlet_module.settrace(before)
    assert "switch" in switches
    assert ("ended", "g1") in log.events


class Grammar(instrument.Instrument):
    """Checks that each greenlet's events come in an order that makes sense, and that one runs at a time."""

    NEXT = {
        None: {"spawned"},
        "spawned": {"ready"},
        "ready": {"resumed", "ended"},
        "resumed": {"suspended"},
        "suspended": {"ready", "resumed", "ended"},
        "ended": set(),
    }

    def __init__(self):
        self.last = {getcurrent(): "resumed"}
        self.running = getcurrent()
        self.wrong = []
        self.count = 0

    def step(self, greenlet, kind):
        self.count += 1
        if kind not in self.NEXT[self.last.get(greenlet)]:
            self.wrong.append((kind, "after", self.last.get(greenlet)))
        self.last[greenlet] = kind

    def spawned(self, greenlet, by):
        self.step(greenlet, "spawned")

    def ready(self, greenlet, by):
        self.step(greenlet, "ready")
        if by is not None and by is not self.running:
            self.wrong.append("woken by one that does not run")

    def resumed(self, greenlet):
        self.step(greenlet, "resumed")
        if self.running is not None:
            self.wrong.append("two run")
        self.running = greenlet

    def suspended(self, greenlet, waiting_on):
        self.step(greenlet, "suspended")
        if self.running is not greenlet:
            self.wrong.append("suspended without running")
        self.running = None

    def ended(self, greenlet):
        self.step(greenlet, "ended")


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_events_holds_under_kills_timeouts_and_throws(hub, seed):
    chance = random.Random(seed)
    queue = Queue(2)
    event = Event()
    grammar = Grammar()
    greenlets = []

    def work():
        for _ in range(chance.randrange(1, 6)):
            step = chance.randrange(8)
            with Timeout(chance.choice((0, 0.0005, 0.002)), False):
                if step == 0:
                    sleep(0)
                elif step == 1:
                    sleep(chance.random() / 500)
                elif step == 2:
                    queue.put(1)
                elif step == 3:
                    queue.get()
                elif step == 4:
                    event.wait()
                elif step == 5:
                    greenlets.append(spawn(work) if len(greenlets) < 40 else spawn_raw(list))
                elif step == 6:
                    kill(chance.choice(greenlets))
                else:
                    event.set()
                    event.clear()

    instrument.add(grammar)
    try:
        greenlets += [spawn(work) for _ in range(10)]
        sleep(0.01)
        hubcore.killall([each for each in greenlets if not each.dead])
        sleep(0)
        sleep(0)
    finally:
        instrument.remove(grammar)
    assert grammar.wrong == []
    assert grammar.count > 50
    assert {last for each, last in grammar.last.items() if each is not getcurrent()} == {"ended"}
    gc.collect()


def test_a_forked_child_has_the_instruments_and_its_own_hub(hub_backend):
    code = """
    import os, hubcore
    from hubcore import instrument
    class Ends:
        count = 0
        def ended(self, greenlet):
            self.count += 1
    ends = Ends()
    instrument.add(ends)
    hubcore.spawn(hubcore.sleep, 0).join()
    pid = os.fork()
    if pid == 0:
        hubcore.spawn(hubcore.sleep, 0).join()
        print("child", ends.count, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    hubcore.spawn(hubcore.sleep, 0).join()
    print("parent", ends.count)
    """
    assert run_python(code, hub_backend).stdout == "child 2\nparent 2\n"


def test_one_that_raises_keyboard_interrupt_by_a_signal_loses_nothing(hub_backend):
    code = """
    import os, signal, hubcore
    from hubcore import instrument
    class Kills:
        def resumed(self, greenlet):
            instrument.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass
    instrument.add(Kills())
    try:
        for _ in range(10):
            hubcore.sleep(0.001)
    except KeyboardInterrupt:
        print("interrupted", instrument.installed())
    """
    assert run_python(code, hub_backend).stdout == "interrupted ()\n"
