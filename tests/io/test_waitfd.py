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


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="of Linux")
def test_an_fd_that_the_kernel_never_watches_is_refused_and_harms_nobody(hub):
    """libev would abort: epoll says of an O_PATH fd what it says of one that is not open."""
    if hub.loop.name not in ("libev", "libuv"):
        pytest.skip("poll(2) takes it for an error at once")
    fd = os.open("/", os.O_PATH)
    try:
        with pytest.raises(OSError, match="cannot watch fd") as caught:
            socket.wait_read(fd, timeout=1)
    finally:
        os.close(fd)
    assert caught.value.errno == errno.EBADF


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="of Linux")
def test_a_number_that_by_the_next_poll_stands_for_an_unwatchable_file_is_dropped(hub):
    if hub.loop.name not in ("libev", "libuv"):
        pytest.skip("poll(2) takes it for an error at once")
    into, out = os.pipe()
    waiting = spawn(socket.wait_read, into)
    waiting.rawlink(lambda _: None)
    path = os.open("/", os.O_PATH)
    hub.loop.run_callback(os.dup2, path, into)  # after it began to wait, before the kernel is told
    with pytest.raises(OSError, match="was closed"):
        waiting.get(timeout=1)
    for fd in (into, out, path):
        os.close(fd)
