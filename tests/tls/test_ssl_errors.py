"""A failing TLS connection ends in the same way with hubcore's module as with the standard library's."""

import socket as plain_socket
import ssl as plain_ssl
import struct
from contextlib import suppress

import pytest

from hubcore import Timeout, socket, spawn, ssl
from hubcore.testing import settle
from tests.support.certificates import TLS_1_2, TLS_1_3, client_context, server_context
from tests.support.tls import connected, in_thread, outcome, pair

pytestmark = pytest.mark.usefixtures("hub")

VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])


def reset(peer):
    peer.setsockopt(plain_socket.SOL_SOCKET, plain_socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def answer_until_the_end(peer, data):
    peer.recv(65536)
    with suppress(OSError):
        peer.sendall(data)
        peer.shutdown(plain_socket.SHUT_WR)
        while peer.recv(65536):
            pass


def half_a_hello(peer):
    incoming, outgoing = plain_ssl.MemoryBIO(), plain_ssl.MemoryBIO()
    tls = server_context(plain_ssl).wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(peer.recv(65536))
    with pytest.raises(plain_ssl.SSLWantReadError):
        tls.do_handshake()
    peer.sendall(outgoing.read(100))


DURING_THE_HANDSHAKE = {
    "the end": lambda peer: peer.recv(65536),
    "a reset": lambda peer: (peer.recv(65536), reset(peer)),
    "no TLS": lambda peer: answer_until_the_end(peer, b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "noise": lambda peer: answer_until_the_end(peer, bytes(range(256))),
    "half of it": half_a_hello,
    "a fatal alert": lambda peer: answer_until_the_end(peer, b"\x15\x03\x03\x00\x02\x02\x28"),
}


def handshake_with(module, sockets, behave):
    server, client = connected()

    def peer():
        with server:
            behave(server)

    with in_thread(peer), sockets.socket(fileno=client.detach()) as sock:
        found = outcome(client_context(module).wrap_socket, sock, False, True, True, "localhost")
        return found, sock.fileno()


@pytest.mark.parametrize("behave", DURING_THE_HANDSHAKE.values(), ids=DURING_THE_HANDSHAKE)
def test_a_server_that_does_not_do_its_part_of_the_handshake(behave):
    assert handshake_with(ssl, socket, behave) == handshake_with(plain_ssl, plain_socket, behave)


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01"], ids=["the end", "no TLS", "a bit"])
def test_a_client_that_does_not_do_its_part_of_the_handshake(data):
    def accept(module, sockets):
        server, client = connected()
        with client, sockets.socket(fileno=server.detach()) as sock:
            client.sendall(data)
            client.shutdown(plain_socket.SHUT_WR)
            return outcome(server_context(module).wrap_socket, sock, True)

    assert accept(ssl, socket) == accept(plain_ssl, plain_socket)


def gone(sock):
    sock.recv(1)


def with_a_word(sock):
    sock.recv(1)
    sock.unwrap()


def reset_by(sock):
    sock.recv(1)
    reset(sock)


def garbage(sock):
    sock.recv(1)
    with suppress(OSError):
        plain_socket.socket.sendall(sock, b"\x17\x03\x03\x00\x20" + bytes(32))
        while plain_socket.socket.recv(sock, 100):
            pass


def half_a_record(sock):
    sock.recv(1)
    plain_socket.socket.sendall(sock, b"\x17\x03\x03\x00\x20" + bytes(10))


AFTER_IT = {
    "gone": gone,
    "gone with a word": with_a_word,
    "garbage": garbage,
    "half of a record": half_a_record,
}
CALLS = {
    "recv": lambda s: s.recv(10),
    "read": lambda s: s.read(10),
    "recv_into": lambda s: s.recv_into(bytearray(3)),
    "pending": lambda s: s.pending(),
    "unwrap": lambda s: s.unwrap() is s,
    "unwrap again": lambda s: s.unwrap() is s,
}


def calls_with(module, sockets, behave, version, ragged):
    server, client = connected()

    def peer():
        with server_context(plain_ssl, version=version).wrap_socket(server, server_side=True) as sock:
            behave(sock)

    with in_thread(peer), sockets.socket(fileno=client.detach()) as sock:
        tls = client_context(module, version=version).wrap_socket(
            sock, server_hostname="localhost", suppress_ragged_eofs=ragged
        )
        with tls:
            tls.sendall(b"x")
            return {name: outcome(call, tls) for name, call in CALLS.items()}


@VERSIONS
@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize("behave", AFTER_IT.values(), ids=AFTER_IT)
def test_a_connection_that_ends_badly(behave, version, ragged):
    ours = calls_with(ssl, socket, behave, version, ragged)
    assert ours == calls_with(plain_ssl, plain_socket, behave, version, ragged)


@VERSIONS
def test_a_connection_that_is_reset(version):
    # Some versions of the standard library take it for an end without a word (gh-115627).
    found = calls_with(ssl, socket, reset_by, version, True)
    assert found["recv"][0] is ConnectionResetError


ON_A_CONNECTION = {
    "recv of a negative size": lambda s: s.recv(-1),
    "recv of a str": lambda s: s.recv("1"),
    "recv with flags": lambda s: s.recv(1, 2),
    "recv of nothing": lambda s: s.recv(0),
    "recv_into bytes": lambda s: s.recv_into(b"abc"),
    "recv_into with flags": lambda s: s.recv_into(bytearray(1), 1, 2),
    "recv_into an int": lambda s: s.recv_into(3),
    "read of a negative size": lambda s: s.read(-1),
    "recvfrom": lambda s: s.recvfrom(1),
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(1)),
    "recvmsg": lambda s: s.recvmsg(1),
    "recvmsg_into": lambda s: s.recvmsg_into([bytearray(1)]),
    "send of a str": lambda s: s.send("a"),
    "send with flags": lambda s: s.send(b"a", 1),
    "sendall of a str": lambda s: s.sendall("a"),
    "sendall with flags": lambda s: s.sendall(b"a", 1),
    "send of no bytes": lambda s: s.send(b""),
    "sendto": lambda s: s.sendto(b"a", ("localhost", 1)),
    "sendmsg": lambda s: s.sendmsg([b"a"]),
    "dup": lambda s: s.dup(),
    "write of None": lambda s: s.write(None),
    "connect": lambda s: s.connect(("localhost", 1)),
    "connect_ex": lambda s: s.connect_ex(("localhost", 1)),
    "read": lambda s: s.read(10),
    "write": lambda s: s.write(b"abc"),
    "a channel binding of no kind": lambda s: s.get_channel_binding("x"),
    "pending": lambda s: s.pending(),
    "the version": lambda s: s.version(),
    "its reuse": lambda s: s.session_reused,
    "the certificate": lambda s: s.getpeercert(),
    "unwrap": lambda s: s.unwrap(),
}
STATES = {
    "open": lambda s: s.settimeout(0.02),
    "non-blocking": lambda s: s.setblocking(False),
    "shut down": lambda s: s.shutdown(plain_socket.SHUT_RDWR),
    "closed": lambda s: s.close(),
}


def on_a_connection(module, sockets, state, version):
    server, client = connected()
    found = {}

    def peer():
        with server_context(plain_ssl, version=version).wrap_socket(server, server_side=True) as sock:
            while plain_socket.socket.recv(sock, 100):
                pass

    with in_thread(peer), sockets.socket(fileno=client.detach()) as sock:
        with client_context(module, version=version).wrap_socket(sock, server_hostname="localhost") as tls:
            tls.session  # as a client reads it that goes on with it another time
            STATES[state](tls)
            for name, call in ON_A_CONNECTION.items():
                kind, *rest = outcome(call, tls)
                # The interpreter's own words about a call's form differ between C and compiled code.
                found[name] = kind if kind is TypeError else (kind, *rest)
    return found


@pytest.mark.parametrize("state", STATES)
def test_calls_that_are_wrong(state):
    ours = on_a_connection(ssl, socket, state, TLS_1_2)
    assert ours == on_a_connection(plain_ssl, plain_socket, state, TLS_1_2)


def test_sockets_that_cannot_be_wrapped():
    server, client = server_context(ssl), client_context(ssl)
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(NotImplementedError, match="stream sockets"):
        client.wrap_socket(sock, server_hostname="localhost")
    with socket.socket() as sock:
        with pytest.raises(ValueError, match="check_hostname requires server_hostname"):
            client.wrap_socket(sock)
        with pytest.raises(ValueError, match="client mode"):
            server.wrap_socket(sock, server_side=True, server_hostname="localhost")
        with pytest.raises(ValueError, match="client mode"):
            server.wrap_socket(sock, server_side=True, session=object())
    first, second = socket.socketpair()
    with second:
        first.setblocking(False)
        with pytest.raises(ValueError, match="do_handshake_on_connect should not be specified"):
            client.wrap_socket(first, server_hostname="localhost")


def test_data_before_the_handshake_of_a_connection_that_has_ended_is_refused():
    def refused(module, sockets):
        server, client = connected()
        with sockets.socket(fileno=server.detach()) as sock:
            client.sendall(b"injected")
            reset(client)
            return outcome(server_context(module).wrap_socket, sock, True)

    assert refused(ssl, socket) == refused(plain_ssl, plain_socket)


STALLS = {
    "handshake": "The handshake operation timed out",
    "read": "The read operation timed out",
    "write": "The write operation timed out",
    "unwrap": "The read operation timed out",
}


def test_a_handshake_times_out():
    first, second = socket.socketpair()
    with first, second:
        first.settimeout(0.02)
        with pytest.raises(TimeoutError, match=STALLS["handshake"]):
            client_context(ssl).wrap_socket(first, server_hostname="localhost")


@VERSIONS
@pytest.mark.parametrize("step", ["read", "write", "unwrap"])
def test_each_step_times_out(step, version):
    one, other = pair(version)
    with one, other:
        other.sendall(b"x")
        one.recv(1)
        one.settimeout(0.02)
        call = {"read": one.read, "write": lambda: one.write(bytes(3_000_000)), "unwrap": one.unwrap}[step]
        with pytest.raises(TimeoutError, match=STALLS[step]):
            call()
        assert type(one.gettimeout()) is float


def test_a_timeout_of_somebody_else_is_not_taken_for_the_sockets_own():
    one, other = pair()
    with one, other:
        one.settimeout(60)
        with pytest.raises(TimeoutError, match="mine"), Timeout(0.01, TimeoutError("mine")):
            one.recv(1)


def test_who_is_killed_while_a_socket_is_wrapped_leaves_none(hub):
    first, second = socket.socketpair()
    with second:
        job = spawn(client_context(ssl).wrap_socket, first, server_hostname="localhost")
        settle(hub)
        job.kill()
        assert second.recv(10000)
        assert second.recv(1) == b""


@pytest.mark.parametrize("name", [".localhost", "a" * 64 + ".test"])
def test_a_name_that_cannot_be_leaves_no_socket(name):
    first, second = socket.socketpair()
    with second:
        with pytest.raises(ValueError, match="label"):
            client_context(ssl).wrap_socket(first, server_hostname=name)
        assert second.recv(1) == b""


@pytest.mark.parametrize("step", ["handshake", "read", "write", "unwrap"])
def test_who_is_killed_leaves_the_socket_closable(hub, step):
    if step == "handshake":
        first, second = socket.socketpair()
        one = client_context(ssl).wrap_socket(first, server_hostname="localhost", do_handshake_on_connect=False)
        call = one.do_handshake
    else:
        one, second = pair()
        call = {"read": one.read, "write": lambda: one.write(bytes(3_000_000)), "unwrap": one.unwrap}[step]
    job = spawn(call)
    settle(hub)
    assert not job.ready()
    job.kill()
    with one, second:
        one.settimeout(0.01)
        with pytest.raises(TimeoutError):
            call()


def test_a_second_reader_is_told():
    from hubcore.exceptions import ConcurrentObjectUseError

    one, other = pair()
    with one, other:
        readers = [spawn(one.recv, 1) for _ in range(2)]
        with pytest.raises(ConcurrentObjectUseError):
            readers[1].get()
        other.sendall(b"x")
        assert readers[0].get() == b"x"
