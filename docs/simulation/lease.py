"""A lease service: at most one client at a time holds the lease, each for some seconds. With a mistake."""

import json
import socket
import threading
import time

SECONDS = 10


def serve(port=7000):
    """The server: gives the lease to one client at a time."""
    owner, until = None, 0.0
    lock = threading.Lock()

    def answer(connection):
        nonlocal owner, until
        with connection, connection.makefile("rw") as stream:
            for line in stream:
                name = json.loads(line)
                with lock:
                    granted = time.monotonic() >= until or owner == name
                    if granted:
                        owner, until = name, time.monotonic() + SECONDS
                stream.write(json.dumps(granted) + "\n")
                stream.flush()

    with socket.create_server(("", port)) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


class Lease:
    """A client's side: `until` is the time, on the client's clock, until which it holds the lease."""

    def __init__(self, name, host="lease", port=7000):
        self.name = name
        self.address = host, port
        self.until = 0.0

    def acquire(self):
        """Ask for the lease; whether it was granted."""
        with socket.create_connection(self.address) as connection, connection.makefile("rw") as stream:
            asked = time.monotonic()
            stream.write(json.dumps(self.name) + "\n")
            stream.flush()
            granted = json.loads(stream.readline())
            if granted:
                self.until = self.starts(asked) + SECONDS
            return granted

    def starts(self, asked):
        """When the lease begins, which was asked for at the time `asked`."""
        return time.monotonic()


class MendedLease(Lease):
    """The server counts from a moment between the request and the reply, so the client counts from the request."""

    def starts(self, asked):
        """When it was asked for: never later than the server's beginning."""
        return asked


def scenario(sim, lease_class=Lease, seconds=200.0):
    """Two clients of the service, on a network that is cut now and then; no two may hold the lease at a time."""
    holders = set()

    def client(name):
        while True:
            try:
                lease = lease_class(name)
                if lease.acquire() and time.monotonic() < lease.until:
                    holders.add(name)
                    assert len(holders) == 1, "two holders of one lease"
                    time.sleep(max(0.0, lease.until - time.monotonic()))
                    holders.discard(name)
            except OSError:
                pass
            time.sleep(1)

    sim.host("lease", serve)
    for name in ("c0", "c1"):
        sim.host(name, client, name)
    sim.faults("partition", "reset", until=seconds)
    time.sleep(seconds)
