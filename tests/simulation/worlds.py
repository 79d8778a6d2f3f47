"""What the tests of simulations share."""

from contextlib import suppress

from hubcore import socket, spawn
from hubcore.testing import sim
from hubcore.testing.sim._settings import checked
from hubcore.testing.sim._template import Template


def here(main, *args, **settings):
    """Run `main(simulation, *args)` in this process, in production's order. For programs on hubcore's own calls."""
    return sim.run(main, *args, fork=False, **{"order": "fifo", **settings})


def echo(port=7, family=socket.AF_INET):
    """A program that sends back what it gets."""
    with socket.create_server(("", port), family=family) as listener:
        while True:
            connection, _ = listener.accept()
            spawn(_echo, connection)


def _echo(connection):
    with connection, suppress(OSError):
        while data := connection.recv(65536):
            connection.sendall(data)


def sink(port=7):
    """A program that accepts connections and reads nothing."""
    kept = []
    with socket.create_server(("", port)) as listener:
        while True:
            kept.append(listener.accept())


def read(connection, size):
    """Exactly `size` bytes, or what there is until the end."""
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def twice(main, seed=6):
    """The result of two runs that are the same, in processes forked from one."""
    given = {"seed": seed, "timeout": 3600.0, "order": "mixed", "latency": (0.0005, 0.005), "faults": None}
    with Template(main, ()) as template:
        first, second = template.run(checked(given)), template.run(checked(given))
    for outcome in (first, second):
        if outcome.error is not None:
            outcome.error.add_note(outcome.trace)
            raise outcome.error
    assert (first.result, first.digest) == (second.result, second.digest)
    return first.result
