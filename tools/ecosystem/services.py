"""Servers that suites need, started on a free port for one suite."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tools.ecosystem.setting_up import NotToBeHad

START_SECONDS = 20


class Service:
    """A running server."""

    def __init__(self, port: int) -> None:
        self.port = port


@contextmanager
def redis(port: int = 6379) -> Iterator[Service]:
    """redis-server on its usual port: the suites have that port written in them."""
    program = shutil.which("redis-server")
    if program is None:
        raise NotToBeHad("redis-server is not installed; `apt-get install redis-server` does it")
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [program, "--port", str(port), "--save", "", "--dir", folder, "--enable-debug-command", "yes"],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(port, server)
            yield Service(port)
        finally:
            server.terminate()
            server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise NotToBeHad(f"the server on port {port} does not answer")


SERVICES = {"redis": redis}
