"""What the conformance tests share."""

from __future__ import annotations

import socket
import threading
import time
from typing import Protocol

import pytest

from hubcore.testing import run_python
from hubcore.testing.conformance.loop_fixture import loop as loop
from hubcore_pytest import hang_after

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubcore.loop import Loop

LIMIT = 30.0  # seconds after which a process, or a thread, that should have ended is given up


def start_thread(function: Callable[..., object], *args: object) -> threading.Thread:
    """A thread that runs `function(*args)`. One that a failed test leaves behind does not keep the process alive."""
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


def when_polling(loop: Loop, function: Callable[[], object]) -> threading.Thread:
    """A thread that calls `function` once `loop` polls, or never if that takes too long."""

    def wait() -> None:
        end = time.monotonic() + LIMIT
        while not loop.polling:
            if time.monotonic() > end:
                return
        function()

    return start_thread(wait)


def join(*threads: threading.Thread) -> None:
    """Wait for the threads' ends; AssertionError where one does not end."""
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive(), f"{thread!r} has not ended within {LIMIT:g} seconds"


class Child(Protocol):
    """Runs a program in a Python process of its own; see `child`."""

    def __call__(self, code: str, *options: str) -> str: ...


@pytest.fixture
def child(hub_backend: str, request: pytest.FixtureRequest) -> Child:
    """A function that runs a program on the backend in a process of its own and returns what it wrote to stdout.

    The test fails where the program hangs, ends with another status than 0, or writes to stderr, as Python does for an
    exception that it cannot raise. What it wrote is then shown. `options` are the interpreter's.
    """
    limit = min(LIMIT, 0.9 * hang_after(request.config))  # the process ends before the test counts as hanging

    def run(code: str, *options: str) -> str:
        done = run_python(code, hub_backend, timeout=limit, python=options)
        assert not done.stderr, f"the process wrote to stderr:\n{done.stderr}and to stdout:\n{done.stdout}"
        return done.stdout

    return run


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets that do not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


@pytest.fixture
def fill() -> Callable[[socket.socket], None]:
    """A function that writes to a socket until it takes no more."""

    def write(sock: socket.socket) -> None:
        try:
            while True:
                sock.send(b"x" * 65536)
        except BlockingIOError:
            pass

    return write


@pytest.fixture
def drain() -> Callable[[socket.socket], None]:
    """A function that reads all that a socket has."""

    def read(sock: socket.socket) -> None:
        try:
            while sock.recv(65536):
                pass
        except BlockingIOError:
            pass

    return read
