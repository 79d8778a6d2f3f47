"""What the tests of simulations share."""

from contextlib import suppress

from hubcore import socket, spawn
from hubcore.testing import sim


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
