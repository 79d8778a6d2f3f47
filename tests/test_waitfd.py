"""Waiting for any file descriptor."""

import errno
import os

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_wait_read_and_wait_write_for_a_pipe(hub):
    into, out = os.pipe()
    try:
        socket.wait_write(out, timeout=5)
        socket.wait_readwrite(out)
        waiting = [spawn(socket.wait_read, into) for _ in range(3)]
        settle(hub)
        assert not any(one.ready() for one in waiting)
        os.write(out, b"x")
        hubcore.joinall(waiting, raise_error=True)
        os.read(into, 1)
        with pytest.raises(TimeoutError, match="timed out"):
            socket.wait_read(into, 0.01)
        with pytest.raises(ZeroDivisionError):
            socket.wait_read(into, 0.01, ZeroDivisionError)
        with pytest.raises(TimeoutError):
            socket.wait_readwrite(into, timeout=0.01)
    finally:
        os.close(into)
        os.close(out)
    with pytest.raises(OSError) as caught:
        socket.wait_read(into)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(ValueError, match="fd"):
        socket.wait_read(-1)


def test_cancel_wait_raises_in_who_waits(pair, hub):
    watcher = hub.loop.io(pair[0].fileno(), 1)
    for error, kind in ((socket.cancel_wait_ex, socket.cancel_wait_ex), (ValueError("enough"), ValueError)):
        waiting = spawn(socket.wait, watcher)
        settle(hub)
        socket.cancel_wait(watcher, error)
        with pytest.raises(kind):
            waiting.get()
    waiting = spawn(socket.wait, watcher, 0.01)
    with pytest.raises(TimeoutError):
        waiting.get()
    socket.cancel_wait(watcher)  # nobody waits: nothing happens
    watcher.close()
    assert socket.cancel_wait_ex().errno == errno.EBADF
