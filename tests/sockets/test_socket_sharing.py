"""One socket, several users: fds that are reused, threads, and fairness between connections."""

import os
import threading

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_a_socket_dropped_without_close_leaves_nothing_watched(hub):
    first, second = socket.socketpair()
    with second:
        waiting = spawn(first.recv, 10)
        settle(hub)
        second.send(b"x")
        waiting.get()
        fd = first.fileno()
        assert fd in hub.loop.fd_watches, "the watcher is left on after a wait; else this test shows nothing"
        del waiting
        with pytest.warns(ResourceWarning, match="unclosed"):
            del first
        assert fd not in hub.loop.fd_watches
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)


def test_an_fd_that_is_reused_at_once_is_watched_anew(hub):
    for _ in range(20):
        first, second = socket.socketpair()
        fds = first.fileno(), second.fileno()
        waiting = spawn(first.recv, 10)
        settle(hub)
        second.send(b"x")
        assert waiting.get() == b"x"
        first.close()
        second.close()
        third, fourth = socket.socketpair()
        assert (third.fileno(), fourth.fileno()) == fds
        waiting = spawn(third.recv, 10)
        settle(hub)
        assert not waiting.ready()
        fourth.send(b"y")
        assert waiting.get() == b"y"
        third.close()
        fourth.close()


def test_threads_may_use_one_socket_each_in_one_direction(pair, hub_backend):
    first, second = pair
    data = bytes(3 << 20)
    failures = []

    def work(call, *args):
        try:
            call(*args)
        except BaseException as error:
            failures.append(error)
        finally:
            hubcore.get_hub().destroy()

    # One thread writes to `second` while another reads from it and this one does both to `first`.
    received = []
    threads = [
        threading.Thread(target=work, args=(second.sendall, data)),
        threading.Thread(target=work, args=(lambda: [received.append(len(second.recv(65536))) for _ in range(10)],)),
    ]
    for thread in threads:
        thread.start()
    got = 0
    while got < len(data):
        got += len(first.recv(1 << 20))
    for _ in range(10):
        first.send(b"x")
        while not received:
            hubcore.sleep(0)
        received.clear()
    for thread in threads:
        thread.join(20)
    assert failures == []
    # And after the threads and their hubs have gone, it works here.
    waiting = spawn(second.recv, 10)
    settle(hubcore.get_hub())
    first.send(b"again")
    assert waiting.get() == b"again"


def test_a_second_reader_in_another_thread_is_refused(pair):
    first, second = pair
    waiting = spawn(first.recv, 1)
    settle(hubcore.get_hub())
    failures = []

    def read_too():
        try:
            first.recv(1)
        except ConcurrentObjectUseError as error:
            failures.append(str(error))
        hubcore.get_hub().destroy()

    thread = threading.Thread(target=read_too)
    thread.start()
    thread.join(20)
    assert "another thread" in failures[0]
    second.send(b"x")
    assert waiting.get() == b"x"


def test_a_busy_connection_does_not_keep_the_others_waiting(pair):
    first, second = pair
    turns = []

    def busy():
        for i in range(2000):
            second.send(b"x")
            first.recv(1)
            turns.append(i)

    def other():
        for _ in range(10):
            turns.append("other")
            hubcore.sleep(0)

    hubcore.joinall([spawn(busy), spawn(other)], raise_error=True)
    longest = max(len(run) for run in "".join("o" if turn == "other" else "b" for turn in turns).split("o")[:-1])
    assert longest <= 64, f"{longest} round trips in one go"


def test_accepting_does_not_keep_the_others_waiting():
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        clients = [socket.create_connection(server.getsockname()) for _ in range(150)]
        turns = []

        def accept():
            for _ in clients:
                server.accept()[0].close()
                turns.append("a")

        def other():
            while len(turns) < len(clients):
                turns.append("o")
                hubcore.sleep(0)

        hubcore.joinall([spawn(accept), spawn(other)], raise_error=True)
        for client in clients:
            client.close()
        assert max(len(run) for run in "".join(turns).split("o")) <= 64
