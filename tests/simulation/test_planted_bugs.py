"""Planted mistakes: each is found within a stated number of seeds, and the mended version is clean."""

import json
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from hubcore.testing import sim

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "simulation"))
import lease
import raft


class Store:
    """A key-value service: a line of JSON for a call, a line for its result."""

    def __init__(self, port=6000):
        self.port = port
        self.values = {}
        self.seen = {}

    def serve(self):
        with socket.create_server(("", self.port)) as listener:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        try:
            with connection, connection.makefile("rw") as stream:
                for line in stream:
                    stream.write(json.dumps(self.call(*json.loads(line))) + "\n")
                    stream.flush()
        except (OSError, ValueError):
            pass

    def call(self, name, key, *more):
        if name == "get":
            return self.values.get(key, 0)
        if name == "put":
            self.values[key] = more[0]
        elif name == "add":
            if len(more) > 1 and more[1] in self.seen:
                return self.seen[more[1]]
            self.values[key] = self.values.get(key, 0) + more[0]
            if len(more) > 1:
                self.seen[more[1]] = self.values[key]
        elif name == "cas":
            done = self.values.get(key, 0) == more[0]
            if done:
                self.values[key] = more[1]
            return done
        return self.values.get(key, 0)


def call(stream, *args):
    stream.write(json.dumps(args) + "\n")
    stream.flush()
    line = stream.readline()
    if not line.endswith("\n"):
        raise ConnectionError("the connection ended")
    return json.loads(line)


def ask(*args, timeout=None):
    with socket.create_connection(("store", 6000), timeout=timeout) as connection, connection.makefile("rw") as stream:
        return call(stream, *args)


# Each takes the simulation and whether it is to be right.


def lost_update(simulation, right):
    simulation.host("store", Store().serve)

    def client():
        with socket.create_connection(("store", 6000)) as connection, connection.makefile("rw") as stream:
            for _ in range(3):
                while True:
                    value = call(stream, "get", "x")
                    if not right:
                        call(stream, "put", "x", value + 1)
                        break
                    if call(stream, "cas", "x", value, value + 1):
                        break

    hosts = [simulation.host(name, client) for name in ("a", "b")]
    simulation.eventually(lambda: not any(host.alive for host in hosts))
    assert ask("get", "x") == 6, "an update is lost"


def retry_without_idempotence(simulation, right):
    simulation.host("store", Store().serve)
    simulation.faults("partition", "reset", every=(0.01, 0.1), lasting=(0.1, 1.0), until=10)
    for number in range(10):
        while True:
            try:
                ask("add", "x", 1, *([number] if right else []), timeout=1)
                break
            except OSError:
                time.sleep(0.1)
    simulation.heal()
    time.sleep(5)
    assert ask("get", "x") == 10, "a call was made twice"


def half_read_message(simulation, right):
    def serve():
        with socket.create_server(("", 80)) as listener:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if right:
                        with connection.makefile("rb") as stream:
                            size = int.from_bytes(stream.read(4), "big")
                            data = stream.read(size)
                    else:
                        size = int.from_bytes(connection.recv(4), "big")
                        data = connection.recv(size)
                    connection.sendall(len(data).to_bytes(4, "big"))

    simulation.host("web", serve)
    for size in (10, 100, 1000):
        with socket.create_connection(("web", 80)) as connection:
            connection.sendall(size.to_bytes(4, "big") + bytes(size))
            try:
                with connection.makefile("rb") as stream:
                    told = int.from_bytes(stream.read(4), "big")
            except OSError:
                told = 0  # the rest was not read
            assert told == size, "a message was cut"


def connection_leaked_at_reset(simulation, right):
    free = threading.Semaphore(2)

    def use():
        free.acquire()
        try:
            ask("get", "x", timeout=5)
        except OSError:
            if not right:
                return  # without giving it back
        free.release()

    simulation.host("store", Store().serve)
    simulation.faults("reset", every=(0.01, 0.1), until=20)
    for _ in range(200):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join(30)
        assert not thread.is_alive(), "the pool is empty for good"
        time.sleep(0.05)


def lease_under_skew(simulation, right):
    """What is written with a lease that is over is refused, if the writes are numbered."""
    log = []
    seen = [0]

    def write(number, name):
        if right and number < seen[0]:
            return
        seen[0] = max(seen[0], number)
        log.append((number, name))

    numbers = iter(range(1, 10**6))
    held = [0.0, 0]

    def grant(name):
        if simulation.now >= held[0]:
            held[:] = [simulation.now + 10, next(numbers)]
            return held[1]
        return 0

    def client(name):
        while True:
            number = grant(name)
            if number:
                until = time.time() + 9
                while time.time() < until:
                    time.sleep(0.5)
                    write(number, name)
            time.sleep(0.3)

    for name in ("a", "b"):
        simulation.host(name, client, name)
    simulation.faults("clock", "pause", every=(2, 8), lasting=(1, 15), until=100)
    time.sleep(120)
    assert log == sorted(log, key=lambda entry: entry[0]), "a holder of an older lease has written after a newer one"


FAILURES = (AssertionError, sim.SimulationDeadlock)
BUGS = {
    "a lost update": (lost_update, 20),
    "a retry without idempotence": (retry_without_idempotence, 20),
    "a half-read message": (half_read_message, 20),
    "a connection leaked at a reset": (connection_leaked_at_reset, 20),
    "a lease under skew": (lease_under_skew, 20),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name):
    program, seeds = BUGS[name]
    with pytest.raises(sim.SimulationFailure) as caught:
        sim.explore(program, False, seeds=seeds, shrink=1)
    assert isinstance(caught.value.error, FAILURES)
    # What was found can be had again, by its seed and by the faults that are needed.
    failure = caught.value
    with pytest.raises(FAILURES):
        sim.run(program, False, seed=failure.seed)
    with pytest.raises(FAILURES):
        sim.run(program, False, seed=failure.seed, order=failure.order, faults=failure.faults)


# The programs without their mistakes, with their arguments.
MENDED = {name: (program, True) for name, (program, _) in BUGS.items()}
MENDED["lease"] = (lease.scenario, lease.MendedLease)
MENDED["raft"] = (raft.scenario,)


@pytest.mark.parametrize("seeds", [6, pytest.param(500, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", MENDED)
def test_the_mended_version_is_clean(name, seeds):
    program, *arguments = MENDED[name]
    sim.explore(program, *arguments, seeds=seeds)


def test_the_lease_service_of_the_tutorial():
    with pytest.raises(sim.SimulationFailure, match="two holders of one lease"):
        sim.explore(lease.scenario, seeds=60, shrink=1)


@pytest.mark.slow
def test_a_double_vote_is_found_and_needs_faults():
    with pytest.raises(sim.SimulationFailure, match="two leaders of term") as caught:
        sim.explore(raft.scenario, False, seeds=100, shrink=5)
    assert caught.value.faults
