"""Connecting, with every obstacle that can occur, and sockets that never wait."""

import errno

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore.testing import settle
from tests.sockets.test_socket import read_all

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_connecting_waits_while_a_unix_listener_has_no_room(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(0)

        def say(word):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                client.sendall(word)

        words = [b"one", b"two", b"three", b"four"]
        jobs = [spawn(say, word) for word in words]
        settle(hubcore.get_hub())
        assert not all(job.ready() for job in jobs), (
            "this kernel gives more room than asked for; the test shows nothing"
        )
        heard = []
        for _ in words:
            with server.accept()[0] as accepted:
                heard.append(read_all(accepted))
        hubcore.joinall(jobs, raise_error=True)
        assert sorted(heard) == sorted(words)

        with socket.socket(socket.AF_UNIX) as fills, socket.socket(socket.AF_UNIX) as late:
            fills.connect(path)
            late.settimeout(0.01)
            with pytest.raises(TimeoutError, match="timed out"):
                late.connect(path)
            late.settimeout(0)
            with pytest.raises(BlockingIOError):
                late.connect(path)


def test_create_connection_tries_every_address(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", p)) for p in (1, 2, port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args: found)
        with socket.create_connection(("many.example", port), timeout=3) as client:
            assert client.getpeername() == ("127.0.0.1", port)
            assert client.gettimeout() == 3
        found.pop()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("many.example", port))
        with pytest.raises(ExceptionGroup) as caught:
            socket.create_connection(("many.example", port), all_errors=True)
        assert len(caught.value.exceptions) == 2
        found.clear()
        with pytest.raises(OSError, match="empty list"):
            socket.create_connection(("many.example", port))


def test_create_connection_from_an_address_of_ones_own():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), source_address=("127.0.0.2", 0)) as client:
            assert client.getsockname()[0] == "127.0.0.2"


def test_connecting_times_out():
    # A listener whose backlog is full does not answer the handshake.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = [socket.create_connection(address, timeout=3)]
        with pytest.raises(TimeoutError, match="timed out"):
            for _ in range(10):
                waiting.append(socket.create_connection(address, timeout=0.02))
        for sock in waiting:
            sock.close()
        with socket.socket() as late:
            late.settimeout(0.01)
            assert late.connect_ex(address) in (0, errno.EAGAIN)


def test_a_non_blocking_socket_never_waits(pair, hub):
    first, second = pair
    first.setblocking(False)
    for call in (lambda: first.recv(1), lambda: first.recv_into(bytearray(1)), lambda: first.recvfrom(1)):
        with pytest.raises(BlockingIOError):
            call()
    with pytest.raises(BlockingIOError):
        first.sendall(bytes(8 << 20))
    with pytest.raises(BlockingIOError):
        first.send(b"x")
    # A short read is no reason to wait either.
    second.send(b"abc")
    assert first.recv(10) == b"abc"
    with pytest.raises(BlockingIOError):
        first.recv(10)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.connect(server.getsockname())
        socket.wait_write(client.fileno())
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
