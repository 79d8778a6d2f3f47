"""What the conformance tests share."""

from __future__ import annotations

import socket

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
