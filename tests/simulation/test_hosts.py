"""Hosts: their programs, clocks and lives; and how a run ends."""

import pytest

import hubcore
from hubcore import sleep, socket, spawn
from hubcore.event import Event
from hubcore.exceptions import LoopExit
from hubcore.lock import RLock
from hubcore.queue import Queue
from hubcore.testing import sim
from tests.simulation.worlds import echo, here, read


def test_the_result_and_the_time():
    def main(simulation):
        sleep(3600)
        assert 3600 <= simulation.now < 3600.001
        return simulation.seed, [host.ip for host in simulation.hosts.values()]

    assert here(main, seed=5, timeout=4000) == (5, ["10.0.0.1"])


def test_what_main_raises_comes_out_with_notes():
    def main(simulation):
        simulation.note("about to fail")
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing") as caught:
        here(main, seed=9)
    (note,) = caught.value.__notes__
    assert note.startswith("seed 9, order fifo")
    assert "test     note about to fail" in note


def test_a_program_that_fails_fails_the_run_and_one_that_exits_does_not():
    def fail():
        sleep(5)
        raise RuntimeError("of a host")

    def leave(status):
        raise SystemExit(status)

    def main(simulation, status=None):
        if status is None:
            simulation.host("db", fail)
        else:
            assert simulation.host("db", leave, status).alive is False
        sleep(10)

    with pytest.raises(RuntimeError, match="of a host"):
        here(main)
    here(main, 0)
    with pytest.raises(SystemExit):
        here(main, 3)


def test_host_returns_once_its_program_waits_and_start_too():
    order = []

    def program():
        order.append("begins")
        sleep(0)
        order.append("goes on")
        sleep(1)

    def main(simulation):
        host = simulation.host("a", program)
        order.append("returned")
        host.kill()
        host.start()
        order.append("started")

    here(main)
    assert order == ["begins", "goes on", "returned", "begins", "goes on", "started"]


def test_kill_runs_no_finally_block_and_closes_its_sockets():
    unwound = []

    def program():
        try:
            echo()
        finally:
            unwound.append("finally")

    def main(simulation):
        host = simulation.host("db", program)
        connection = socket.create_connection(("db", 7))
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        assert host.alive
        host.kill()
        assert not host.alive
        assert connection.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("db", 7))
        host.start()
        with socket.create_connection(("db", 7)) as again:
            again.sendall(b"y")
            assert again.recv(1) == b"y"
        connection.close()

    here(main)
    assert unwound == []


def test_a_kill_with_unread_bytes_resets():
    def main(simulation):
        from tests.simulation.worlds import sink

        host = simulation.host("db", sink)
        with socket.create_connection(("db", 7)) as connection:
            connection.sendall(b"unread")
            sleep(1)
            host.kill()
            with pytest.raises(ConnectionResetError):
                connection.recv(1)

    here(main)


def test_a_crash_is_silence_and_a_start_answers_with_a_reset():
    def main(simulation):
        host = simulation.host("db", echo)
        with socket.create_connection(("db", 7)) as connection:
            host.crash()
            connection.sendall(b"x")
            connection.settimeout(30)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            host.start()
            connection.settimeout(300)
            with pytest.raises(ConnectionResetError):
                connection.recv(1)

    here(main)


def test_a_pause_stops_the_program_and_not_its_kernel():
    def main(simulation):
        host = simulation.host("db", echo)
        host.pause()
        connection = socket.create_connection(("db", 7), timeout=5)  # the kernel accepts
        connection.sendall(b"x")
        with pytest.raises(TimeoutError):
            connection.recv(1)
        host.resume()
        assert connection.recv(1) == b"x"
        connection.close()

    here(main)


def test_a_program_may_kill_its_own_host():
    after = []

    def program(simulation):
        sleep(1)
        simulation.hosts["db"].kill()
        after.append("came back")

    def main(simulation):
        host = simulation.host("db", program, simulation)
        sleep(5)
        return host.alive

    assert here(main) is False
    assert after == []


def test_clocks_are_a_hosts_own():
    def clock():
        return hubcore.get_hub().loop.clock()

    def main(simulation):
        host = simulation.host("db")
        before = host.spawn(clock).get()
        host.clock(drift=0.5)
        sleep(100)
        assert host.spawn(clock).get() - before == pytest.approx(150, abs=0.1)
        start = simulation.now
        host.spawn(sleep, 30).get()
        assert simulation.now - start == pytest.approx(20, abs=0.1)  # its seconds are shorter
        host.clock()
        start = simulation.now
        host.spawn(sleep, 30).get()
        assert simulation.now - start == pytest.approx(30, abs=0.1)

    here(main)


@pytest.mark.parametrize("drift", [-1.0, -2, float("inf"), float("nan")])
def test_a_clock_that_stands_still_is_refused(drift):
    with pytest.raises(ValueError, match="drift"):
        here(lambda simulation: simulation.host("a").clock(drift=drift))


def test_objects_of_the_test_cross_hosts():
    def program(go, results):
        go.wait()
        for number in range(3):
            results.put(number)

    def main(simulation):
        go, results = Event(), Queue()
        simulation.host("a", program, go, results)
        sleep(10)
        go.set()
        return [results.get() for _ in range(3)]

    assert here(main) == [0, 1, 2]


def test_what_is_handed_over_does_not_go_to_a_host_that_was_killed():
    def main(simulation):
        items = Queue()
        host = simulation.host("a", items.get)
        host.kill()
        items.put("kept")
        return items.get(timeout=1)

    assert here(main) == "kept"


def test_a_host_whose_greenlets_wait_for_each_other_gets_its_loop_exit():
    def program():
        first, second = RLock(), RLock()

        def take(one, other):
            with one:
                sleep(1)
                other.acquire()

        for greenlet in [spawn(take, first, second), spawn(take, second, first)]:
            greenlet.join()

    def main(simulation):
        simulation.host("a", program)
        sleep(100)

    with pytest.raises(LoopExit, match="wait for each other"):
        here(main)


def test_all_hosts_wait():
    def main(simulation):
        simulation.host("db", echo)
        with socket.create_connection(("db", 7)) as connection:
            connection.recv(1)

    with pytest.raises(sim.SimulationDeadlock) as caught:
        here(main)
    text = str(caught.value)
    assert "db: 2 parked" in text
    assert "<accept at db:7>" in text
    assert "<receive on test:" in text
    assert isinstance(caught.value, LoopExit)


def test_a_run_that_takes_too_long_says_who_waits():
    def main(simulation):
        simulation.host("db", echo)
        sleep(10_000)

    with pytest.raises(sim.SimulationTimeout, match=r"not ended after 50 virtual seconds(?s:.*)accept at db:7"):
        here(main, timeout=50)


def test_a_run_that_swallows_its_timeout_ends_all_the_same():
    def main(simulation):
        while True:
            try:
                sleep(1000)
            except sim.SimulationTimeout:
                pass

    with pytest.raises(sim.SimulationTimeout):
        here(main, timeout=50)


def test_the_end_of_main_is_the_end_of_all():
    unwound = []

    def program():
        try:
            sleep(1e6)
        finally:
            unwound.append("finally")

    here(lambda simulation: simulation.host("a", program) and None)
    assert unwound == []
    assert hubcore.spawn(lambda: "the thread's own hub works").get() == "the thread's own hub works"
    hubcore.get_hub().destroy()


def test_eventually_and_always():
    def main(simulation):
        seen = []
        host = simulation.host("a", sleep, 5)
        simulation.eventually(lambda: not host.alive)
        assert 5 < simulation.now < 5.2
        simulation.always(lambda: seen.append(1) or len(seen) < 50)
        with pytest.raises(AssertionError, match="within 3 virtual seconds"):
            simulation.eventually(lambda: False, within=3, every=1)
        sleep(1000)
        for _ in range(100):
            sleep(1)

    with pytest.raises(AssertionError, match="no longer so"):
        here(main)


def test_a_predicate_that_waits_is_told_so():
    def main(simulation):
        simulation.always(lambda: sleep(1))
        sleep(10)

    with pytest.raises(AssertionError, match=r"nothing may wait|polls"):
        here(main)


BAD = {
    "two of a name": (RuntimeError, "'a' already", lambda s: (s.host("a"), s.host("a"))),
    "two of an address": (RuntimeError, "10.0.0.1 is", lambda s: s.host("a", ip="10.0.0.1")),
    "a wrong name": (ValueError, "cannot be called", lambda s: s.host("a b")),
    "localhost": (ValueError, "localhost", lambda s: s.host("localhost")),
    "no name": (TypeError, "a host's name is a str", lambda s: s.host(5)),
    "no address": (ValueError, "no address", lambda s: s.host("a", ip="10.0.0")),
    "a loopback address": (ValueError, "every host's own", lambda s: s.host("a", ip="127.0.0.1")),
    "a program that is none": (TypeError, "callable", lambda s: s.host("a", "serve")),
    "start of one that lives": (RuntimeError, "runs already", lambda s: s.host("a").start()),
    "kill of one that is down": (RuntimeError, "is down", lambda s: [s.host("a").kill(), s.hosts["a"].kill()]),
    "an unknown host": (ValueError, "no host 'x'; there are 'test'", lambda s: s.partition("test", "x")),
    "one group": (ValueError, "two groups", lambda s: s.partition("test")),
    "in two groups": (ValueError, "one group only", lambda s: s.partition("test", "test")),
    "a probability": (ValueError, "loss is 1.5", lambda s: (s.host("a"), s.link("test", "a", loss=1.5))),
    "a latency": (ValueError, "the least and the most", lambda s: (s.host("a"), s.link("test", "a", latency=(5, 1)))),
    "a bandwidth": (ValueError, "bandwidth", lambda s: (s.host("a"), s.link("test", "a", bandwidth=-1))),
    "a link to itself": (ValueError, "to itself", lambda s: s.link("test", "test", loss=0.1)),
    "a kind of fault": (ValueError, "no kind of fault 'fire'", lambda s: (s.host("a"), s.faults("fire"))),
    "faults of nothing": (ValueError, "make hosts before", lambda s: s.faults()),
    "faults that are past": (ValueError, "past", lambda s: (s.host("a"), s.faults(until=0))),
    "a range": (ValueError, "every is", lambda s: (s.host("a"), s.faults(every=(5, 1)))),
    "modules": (ValueError, "all hosts need", lambda s: s.host("a", modules=["socket"])),
    "a module within": (ValueError, "top-level", lambda s: s.host("a", modules=["a.b"])),
    "a str of modules": (TypeError, "list of names", lambda s: s.host("a", modules="app")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_by_an_error_that_names_it(name):
    kind, text, call = BAD[name]
    with pytest.raises(kind, match=text):
        here(call)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        ({"seed": "1"}, TypeError, "seed"),
        ({"order": "lifo"}, ValueError, "'lifo'"),
        ({"timeout": 0}, ValueError, "timeout"),
        ({"latency": (5, 1)}, ValueError, "latency"),
        ({"latency": "fast"}, ValueError, "latency"),
        ({"faults": [(1, "fire", ("a",), 1)]}, ValueError, "unknown kind"),
        ({"faults": ["x"]}, ValueError, "Fault"),
    ],
)
def test_bad_settings_are_refused_before_anything_runs(given, kind, text):
    with pytest.raises(kind, match=text):
        sim.run(pytest.fail, **given)


@pytest.mark.parametrize("seeds", [0, -1, [], "10", True, [1.5], object()])
def test_bad_seeds_are_refused(seeds):
    with pytest.raises((ValueError, TypeError), match="seed"):
        sim.explore(lambda simulation: None, seeds=seeds, fork=False)


def test_a_simulation_within_a_simulation_is_refused():
    def main(simulation):
        sim.run(lambda inner: None, fork=False)

    with pytest.raises(RuntimeError, match="within itself"):
        here(main)


def test_reading_in_parts_gets_everything():
    def main(simulation):
        simulation.host("db", echo)
        with socket.create_connection(("db", 7)) as connection:
            connection.sendall(bytes(range(256)) * 100)
            return read(connection, 25600)

    assert here(main) == bytes(range(256)) * 100
