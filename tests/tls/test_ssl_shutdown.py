"""A shutdown of a TLS socket ends a read, as in the standard library, with what had come or with the end."""

import socket as plain_socket
import ssl as plain_ssl
import threading

import pytest

import hubcore
from hubcore import spawn, ssl
from hubcore.testing import settle
from tests.support.certificates import TLS_1_2, TLS_1_3, client_context, server_context
from tests.support.tls import connected, in_thread, pair

pytestmark = pytest.mark.usefixtures("hub")

VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])
READS = {
    "recv": lambda s: s.recv(5),
    "recv_into": lambda s: s.recv_into(bytearray(5)),
    "read": lambda s: s.read(5),
    "makefile": lambda s: s.makefile("rb").read(5),
}
EVERY_READ = pytest.mark.parametrize("name", READS)
CLOSED = pytest.mark.parametrize("closed", [False, True])


def end(sock, closed):
    sock.shutdown(plain_socket.SHUT_RDWR)
    if closed:
        sock.close()


@VERSIONS
@CLOSED
@EVERY_READ
def test_a_reader_gets_the_end(name, closed, version, hub):
    one, other = pair(version)
    with one, other:
        for sock in (one, other):
            reading = spawn(READS[name], sock)
            settle(hub)
            end(sock, closed)
            assert reading.get() == (0 if name == "recv_into" else b"")


@VERSIONS
@CLOSED
@EVERY_READ
def test_a_reader_gets_what_had_come(name, closed, version, hub):
    one, other = pair(version)
    with one, other:
        reading = spawn(READS[name], one)
        settle(hub)
        other.sendall(b"abc")
        end(one, closed)
        assert reading.get() == (3 if name == "recv_into" else b"abc")


@CLOSED
@EVERY_READ
def test_in_another_thread(name, closed, hub):
    one, other = pair()
    with one, other:
        reading = spawn(READS[name], one)
        settle(hub)

        def work():
            end(one, closed)
            hubcore.get_hub().destroy()

        hub.loop.begin_external()  # virtual time must not jump while the other thread is at work
        thread = threading.Thread(target=work)
        thread.start()
        try:
            assert reading.get() == (0 if name == "recv_into" else b"")
        finally:
            hub.loop.end_external()
            thread.join()


def over_tcp(version):
    """A client of ours and the plain socket of its server, once they have shaken hands."""
    server, client = connected()
    found = []

    def serve():
        found.append(server_context(plain_ssl, version=version).wrap_socket(server, server_side=True))
        found[0].sendall(b"ready")

    with in_thread(serve):
        ours = client_context(ssl, version=version).wrap_socket(client, server_hostname="localhost")
        assert ours.recv(5) == b"ready"
    return ours, found[0]


@VERSIONS
@CLOSED
@EVERY_READ
def test_the_peers_answer_to_the_shutdown_comes_too_late(name, closed, version, hub):
    ours, peer = over_tcp(version)
    with ours, peer:
        reading = spawn(READS[name], ours)
        settle(hub)
        end(ours, closed)
        peer.sendall(b"an answer, which the kernel answers with a reset")
        assert reading.get() == (0 if name == "recv_into" else b"")


@VERSIONS
def test_a_reader_to_whom_a_ragged_end_matters(version, hub):
    ours, peer = over_tcp(version)
    ours.suppress_ragged_eofs = False
    with ours, peer:
        reading = spawn(ours.recv, 5)
        settle(hub)
        end(ours, True)
        with pytest.raises(ssl.SSLEOFError):
            reading.get()


def test_a_handshake_that_is_shut_down(hub):
    server, client = connected()
    with server, client:
        ours = client_context(ssl).wrap_socket(client, server_hostname="localhost", do_handshake_on_connect=False)
        with ours:
            shaking = spawn(ours.do_handshake)
            settle(hub)
            end(ours, False)
            with pytest.raises(ssl.SSLEOFError):
                shaking.get()
