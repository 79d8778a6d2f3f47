"""What an idle TCP connection and its handler cost the server in memory; the servers are those of the echo."""

from __future__ import annotations

import socket
import time

from benchmarks.measure import resident_bytes
from benchmarks.model import Case, Sample, Settings, Unavailable
from benchmarks.serving import SERVERS, processors, raise_file_limit, running

CONNECTIONS = 2_000
WARM = 100
SETTLE = 0.2


def measure(variant: str, settings: Settings) -> Sample:
    limit = raise_file_limit(CONNECTIONS + WARM + 64)  # the server process inherits it
    count = min(CONNECTIONS, limit - WARM - 64)
    if count < WARM:
        raise Unavailable(f"the limit on open files, {limit}, is too low to tell")
    clients: list[socket.socket] = []

    def connect(port: int, number: int) -> None:
        for _ in range(number):
            client = socket.create_connection(("127.0.0.1", port), timeout=10)
            clients.append(client)
            client.sendall(b"x" * 100)  # answered: the handler runs, and waits for more
            if len(client.recv(4096)) != 100:
                raise RuntimeError("the echo differs from what was sent")

    with running(variant, processors()[0]) as server:
        connect(server.port, WARM)
        time.sleep(SETTLE)
        before = resident_bytes(server.pid)
        connect(server.port, count)
        time.sleep(SETTLE)
        after = resident_bytes(server.pid)
        for client in clients:
            client.close()
    return Sample((after - before) / count, {"resident_before": before, "resident_after": after, "connections": count})


CASES = [
    Case(
        "connections",
        "memory per idle TCP connection",
        "bytes",
        dict.fromkeys(SERVERS, measure),
        note="limit: C on libev",
    )
]
