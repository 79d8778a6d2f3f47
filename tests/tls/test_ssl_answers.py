"""A TLS reader's answers go out even while another greenlet writes, and even if the peer does not read yet.

The server asks for a certificate after the handshake; the client's read writes the answer.
"""

import pytest

import hubcore
from hubcore import spawn, ssl
from hubcore.testing import settle
from tests.support.certificates import authority, client_context, issued, server_context
from tests.support.tls import handshake

pytestmark = pytest.mark.usefixtures("hub")

MUCH = 2_000_000


@pytest.fixture
def ends(hub):
    server = server_context(ssl, verify_mode=ssl.CERT_REQUIRED, post_handshake_auth=True)
    authority().configure_trust(server)
    client = client_context(ssl, post_handshake_auth=True)
    issued("client.test").configure_cert(client)
    one, other = handshake(server, client)
    with one, other:
        yield one, other


def ask(server):
    server.verify_client_post_handshake()
    server.sendall(b"who are you?")


def read(server, count):
    while count:
        count -= len(server.recv(65536))


def test_while_another_writes(hub, ends):
    server, client = ends
    writing = spawn(client.sendall, bytes(MUCH))
    settle(hub)
    assert not writing.ready()
    ask(server)
    assert client.recv(100) == b"who are you?"  # does not wait for the writer
    assert not writing.ready()
    reading = spawn(read, server, MUCH)
    hubcore.joinall([writing, reading], raise_error=True)
    client.sendall(b".")
    read(server, 1)
    assert server.getpeercert()["subjectAltName"] == (("DNS", "client.test"),)


def test_while_another_writes_who_is_killed(hub, ends):
    server, client = ends
    writing = spawn(client.sendall, bytes(MUCH))
    settle(hub)
    ask(server)
    assert client.recv(100) == b"who are you?"
    writing.kill()
    reading = spawn(read, server, MUCH)
    for _ in range(1000):
        if server.getpeercert() is not None:
            break
        hubcore.sleep(0)
    assert server.getpeercert()["subjectAltName"] == (("DNS", "client.test"),)
    reading.kill()


def test_while_the_peer_reads_nothing(hub, ends):
    server, client = ends
    writing = spawn(client.sendall, bytes(MUCH))
    settle(hub)
    writing.kill()  # what it has encrypted waits, and nobody writes any more
    ask(server)
    assert client.recv(100) == b"who are you?"
    waiting = spawn(client.recv, 100)
    settle(hub)

    def read_until_it_has_said():
        while server.getpeercert() is None:
            assert server.recv(65536)

    # The server has read all that there is when the answer comes, which is no data: it is not told until more does.
    reading = spawn(read_until_it_has_said)
    settle(hub)
    client.sendall(b".")
    reading.get()
    server.sendall(b"welcome")
    assert waiting.get() == b"welcome"


def test_without_waiting(hub, ends):
    server, client = ends
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            client.send(bytes(MUCH))
    ask(server)
    assert client.recv(100) == b"who are you?"
    client.setblocking(True)
    reading = spawn(read_all_but_the_last, server)
    client.sendall(b"!")
    reading.get()
    assert server.getpeercert()["subjectAltName"] == (("DNS", "client.test"),)


def read_all_but_the_last(server):
    while not server.recv(65536).endswith(b"!"):
        pass
