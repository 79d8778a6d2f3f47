"""pyOpenSSL, which gives the fd of a socket to OpenSSL: both ends are greenlets of one thread."""

import os
import socket
import threading
from contextlib import suppress

import pytest
from OpenSSL import SSL

import hubcore
from hubcore.testing import settle
from tests.interplay.many import attempt, give_up, together

pytestmark = pytest.mark.usefixtures("hub")

BIG = os.urandom(1 << 16) * 320  # 20 MiB


@pytest.fixture
def context(certificates):
    def make(kind):
        made = SSL.Context(SSL.TLS_METHOD)
        if kind == "server":
            made.use_certificate_chain_file(certificates["localhost"])
            made.use_privatekey_file(certificates["localhost"])
        else:
            made.load_verify_locations(certificates["ca"])
            made.set_verify(SSL.VERIFY_PEER, lambda _connection, _certificate, _error, _depth, fine: bool(fine))
        return made

    return make


@pytest.fixture(params=["Unix", "TCP"])
def sockets(request, hub):
    if request.param == "Unix":
        first, second = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            first = socket.create_connection(listener.getsockname())
            second, _ = listener.accept()
    with first, second:
        yield first, second


@pytest.fixture
def pair(sockets, context):
    """A client's and a server's connection after the handshake."""
    client, server = (
        SSL.Connection(context(kind), sock) for kind, sock in zip(("client", "server"), sockets, strict=True)
    )
    client.set_connect_state()
    server.set_accept_state()
    together([client.do_handshake, server.do_handshake])
    return client, server


def receive(connection, size=1 << 16):
    got = bytearray()
    with suppress(SSL.ZeroReturnError, SSL.SysCallError):
        while part := connection.recv(size):
            got += part
    return bytes(got)


@pytest.mark.parametrize("call", ["sendall", "send", "write"])
def test_everything_goes_to_a_slow_reader(call, pair, hub):
    client, server = pair

    def send():
        if call == "sendall":
            assert client.sendall(BIG) == len(BIG)
        else:
            sent = 0
            while sent < len(BIG):
                sent += getattr(client, call)(BIG[sent : sent + 1_000_000])
        client.shutdown()

    sending = hubcore.spawn(send)
    settle(hub)
    assert not sending.ready()
    assert receive(server) == BIG
    sending.get()


def test_a_reader_lets_others_run(pair, hub):
    client, server = pair
    buffer = bytearray(10)
    for read in (lambda: client.recv(10), lambda: client.read(10), lambda: bytes(buffer[: client.recv_into(buffer)])):
        reading = hubcore.spawn(read)
        settle(hub)
        assert not reading.ready()
        server.sendall(b"hello")
        assert reading.get() == b"hello"


def test_one_reads_while_others_write(pair):
    client, server = pair
    words = [bytes([number]) * 100_000 for number in range(20)]

    def write_all(connection):
        together([lambda word=word: connection.sendall(word) for word in words])
        connection.shutdown()

    *_, by_server, by_client = together(
        [
            lambda: write_all(client),
            lambda: write_all(server),
            lambda: receive(server),
            lambda: receive(client),
        ]
    )
    for got in (by_server, by_client):
        assert sorted(got[at : at + 100_000] for at in range(0, len(got), 100_000)) == words


@pytest.mark.parametrize("how", ["kill", "timeout"])
def test_a_reader_that_gives_up_loses_nothing(how, pair, hub):
    client, server = pair
    reading = hubcore.spawn(attempt, client.recv, 10)
    settle(hub)
    give_up(reading, how)
    server.sendall(b"later")
    assert client.recv(10) == b"later"


def test_the_end_of_tls_and_of_the_connection(pair, hub):
    client, server = pair
    reading = hubcore.spawn(server.recv, 10)
    settle(hub)
    assert client.shutdown() is False
    with pytest.raises(SSL.ZeroReturnError):
        reading.get()
    reading = hubcore.spawn(client.shutdown)  # waits for the server's
    settle(hub)
    assert not reading.ready()
    server.shutdown()
    assert reading.get() is True


@pytest.mark.parametrize("closed", [False, True])
def test_a_shutdown_of_the_socket_ends_a_reader(closed, pair, hub):
    client, server = pair
    reading = hubcore.spawn(client.recv, 10)
    settle(hub)
    client.sock_shutdown(socket.SHUT_RDWR)
    with suppress(SSL.Error):
        server.send(b"an answer that comes too late")
    if closed:
        client.close()
    with pytest.raises(SSL.SysCallError, match="Unexpected EOF"):
        reading.get()


def test_a_close_of_the_socket_ends_a_reader(pair, hub):
    client, _server = pair
    reading = hubcore.spawn(client.recv, 10)
    settle(hub)
    client.close()
    with pytest.raises(OSError, match="closed"):
        reading.get()


def test_with_a_timeout_the_program_waits_itself(pair):
    client, server = pair
    client.settimeout(5)
    with pytest.raises(SSL.WantReadError):
        client.recv(10)
    with pytest.raises(SSL.WantWriteError):
        client.sendall(BIG)
    client.settimeout(None)
    server.sendall(b"x")
    assert client.recv(1) == b"x"


def test_connect_and_accept_of_a_connection(context):
    with socket.create_server(("127.0.0.1", 0)) as plain:
        listener = SSL.Connection(context("server"), plain)

        def serve():
            connection, _ = listener.accept()
            connection.sendall(connection.recv(100).upper())
            connection.shutdown()
            return connection

        serving = hubcore.spawn(serve)
        client = SSL.Connection(context("client"), socket.socket())
        client.connect(plain.getsockname())
        client.fileno()  # as urllib3 asks before it waits
        client.sendall(b"hello")
        assert receive(client) == b"HELLO"
        for connection in (client, serving.get()):
            connection.close()


def test_threads(pair):
    client, server = pair
    got = []
    thread = threading.Thread(target=lambda: got.append(receive(server)))
    thread.start()
    client.sendall(BIG)
    client.shutdown()
    thread.join()
    assert got == [BIG]


def test_memory_buffers_and_wrong_arguments(pair, context):
    client, _server = pair
    alone = SSL.Connection(context("client"), None)
    alone.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        alone.do_handshake()
    assert alone.bio_read(1000)
    with pytest.raises(TypeError):
        client.sendall(5)
    assert client.sendall(b"") == 0
