"""TLS streams arrive whole: both ways at once, in any pieces, without waiting, inside each other, and after TLS."""

import gc
import random
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hubcore
from hubcore import sleep, socket, spawn, ssl
from hubcore.testing import settle
from tests.support.certificates import TLS_1_2, TLS_1_3, client_context, server_context
from tests.support.tls import handshake, pair

pytestmark = pytest.mark.usefixtures("hub")

VERSIONS = pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])
HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def read_all(sock, size=65536):
    data = bytearray()
    while part := sock.recv(size):
        data += part
    return bytes(data)


def read_exactly(sock, count):
    data = bytearray()
    while len(data) < count:
        part = sock.recv(count - len(data))
        assert part
        data += part
    return bytes(data)


@VERSIONS
def test_large_transfers_both_ways_at_once(version):
    one, other = pair(version)
    there, back = random.Random(1).randbytes(3_000_000), random.Random(2).randbytes(2_500_000)
    with one, other:
        jobs = [
            spawn(one.sendall, there),
            spawn(other.sendall, back),
            spawn(read_exactly, one, len(back)),
            spawn(read_exactly, other, len(there)),
        ]
        hubcore.joinall(jobs, raise_error=True)
        assert jobs[2].get() == back
        assert jobs[3].get() == there


@settings(max_examples=25, deadline=None, suppress_health_check=HEALTH)
@given(
    pieces=st.lists(st.integers(1, 70_000), max_size=8),
    sizes=st.lists(st.integers(1, 40_000), min_size=1, max_size=5),
    into=st.booleans(),
    look=st.booleans(),
)
def test_a_stream_arrives_whole_and_in_order(pieces, sizes, into, look):
    data = random.Random(sum(pieces)).randbytes(sum(pieces))
    one, other = pair()

    def write():
        at = 0
        for size in pieces:
            one.sendall(data[at : at + size])
            at += size
        one.close()

    def read():
        got, i = bytearray(), 0
        while True:
            size = sizes[i % len(sizes)]
            i += 1
            ready = other.pending() if look else 0
            if into:
                buffer = bytearray(size)
                part = bytes(buffer[: other.recv_into(buffer)])
            else:
                part = other.recv(size)
            assert len(part) >= min(ready, size)
            if not part:
                return bytes(got)
            got += part

    with other:
        jobs = [spawn(write), spawn(read)]
        hubcore.joinall(jobs, raise_error=True)
        assert jobs[1].get() == data


def test_several_may_write_and_each_write_stays_whole():
    one, other = pair()
    size = 300_000
    with one, other:
        writers = [spawn(one.sendall, bytes([letter]) * size) for letter in b"abc"]
        data = read_exactly(other, 3 * size)
        hubcore.joinall(writers, raise_error=True)
    assert data == b"".join(bytes([letter]) * size for letter in b"abc")


def test_pending_knows_of_what_has_come_in_undecrypted():
    one, other = pair()
    with one, other:
        assert other.pending() == 0
        one.send(b"abc")
        one.send(b"defg")
        assert other.recv(1) == b"a"
        assert other.pending() == 2
        assert other.recv(2) == b"bc"
        assert other.pending() == 4  # of a record that nobody has asked for yet
        assert other.recv(3) == b"def"
        assert other.pending() == 1
        buffer = bytearray(5)
        assert other.recv_into(buffer) == 1
        assert buffer[:1] == b"g"
        assert other.pending() == 0


def test_without_waiting():
    one, other = pair()
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            other.recv(1)
        with pytest.raises(ssl.SSLWantReadError):
            other.recv_into(bytearray(1))
        data = random.Random(3).randbytes(1_500_000)
        sent, got, waited = 0, bytearray(), 0
        while len(got) < len(data):
            try:
                while sent < len(data):
                    sent += one.send(memoryview(data)[sent:])
            except ssl.SSLWantWriteError:
                waited += 1
            try:
                while True:
                    got += other.recv(16384)
            except ssl.SSLWantReadError:
                pass
        assert got == data
        assert waited


@VERSIONS
def test_who_waits_for_the_file_descriptor_misses_nothing(version):
    one, other = pair(version)
    with one, other:
        other.setblocking(False)
        for word in (b"one", b"two", b"three"):
            one.sendall(word)
        unwrapping = spawn(one.unwrap)
        sleep(0)
        got = []
        while b"" not in got:
            socket.wait_read(other.fileno(), 5)
            with suppress(ssl.SSLWantReadError):  # a ticket
                got.append(other.recv(100))
        assert got == [b"one", b"two", b"three", b""]
        other.unwrap()
        unwrapping.get()


@VERSIONS
def test_a_handshake_reads_nothing_that_is_not_part_of_it(version):
    first, second = socket.socketpair()
    server = server_context(ssl, version=version)

    def greet():
        with server.wrap_socket(first, server_side=True) as sock:
            sock.sendall(b"220 hello")
            return sock.recv(100)

    greeting = spawn(greet)
    with client_context(ssl, version=version).wrap_socket(second, server_hostname="localhost") as sock:
        sock.setblocking(False)
        while True:
            socket.wait_read(sock.fileno(), 5)
            with suppress(ssl.SSLWantReadError):
                assert sock.recv(100) == b"220 hello"
                break
    assert greeting.get() == b""


def test_a_write_that_was_late_goes_on_where_it_was():
    one, other = pair()
    data = random.Random(4).randbytes(2_000_000)
    with one, other:
        one.settimeout(0.01)
        with pytest.raises(TimeoutError, match="The write operation timed out"):
            one.send(data)
        reading = spawn(read_exactly, other, len(data) + 3)
        one.settimeout(None)
        assert one.send(data) == len(data)
        one.sendall(b"end")
        assert reading.get() == data + b"end"


def test_a_write_that_was_late_may_be_given_up():
    one, other = pair()
    with one, other:
        one.settimeout(0.01)
        with pytest.raises(TimeoutError):
            one.sendall(b"a" * 2_000_000)
        one.settimeout(None)
        writing = spawn(one.sendall, b"something else")
        data = bytearray()
        while not data.endswith(b"something else"):
            data += other.recv(65536)
        writing.get()
        assert data.rstrip(b"something els").strip(b"a") == b""


@pytest.mark.parametrize("late", [False, True])
def test_a_write_that_was_killed_leaves_the_stream_in_order(hub, late):
    one, other = pair()
    with one, other:
        writing = spawn(one.sendall, b"a" * 2_000_000)
        settle(hub)
        writing.kill()
        writing = spawn(one.sendall, b"b" * 100_000)
        if late:
            settle(hub)
        reading = spawn(read_all, other)
        writing.get()
        one.close()
        data = reading.get()
        assert data == b"a" * data.count(b"a") + b"b" * 100_000
        assert 0 < data.count(b"a") < 2_000_000


def test_closing_wakes_who_reads_and_who_writes(hub):
    one, other = pair()
    with other:
        waiting = [spawn(one.recv, 1), spawn(one.sendall, b"a" * 3_000_000), spawn(one.sendall, b"b")]
        settle(hub)
        one.close()
        hubcore.joinall(waiting)
        assert all(isinstance(job.exception, OSError) for job in waiting)
        assert [job.exception.errno for job in waiting] == [9, 9, 9]


def test_a_peer_that_is_slow_to_the_byte():
    """Ciphertext that comes byte by byte, by a relay between the two."""
    first, relay_in = socket.socketpair()
    second, relay_out = socket.socketpair()

    def carry(source, sink):
        with suppress(BrokenPipeError):  # by an alert, to an end that was closed without a word
            while data := source.recv(100):
                for at in range(len(data)):
                    sink.sendall(data[at : at + 1])
                    sleep(0)
            sink.shutdown(socket.SHUT_WR)

    carriers = [spawn(carry, relay_in, relay_out), spawn(carry, relay_out, relay_in)]
    with relay_in, relay_out:
        one, other = handshake(server_context(ssl), client_context(ssl), (first, second))
        with other:
            with one:
                one.sendall(b"slowly")
                assert other.recv(100) == b"slowly"
                other.sendall(b"but surely")
                assert one.recv(100) == b"but surely"
            assert other.recv(1) == b""
        hubcore.joinall(carriers, raise_error=True)


@VERSIONS
def test_tls_begins_ends_and_begins_again(version):
    first, second = socket.socketpair()
    first.sendall(b"STARTTLS\n")
    assert second.recv(100) == b"STARTTLS\n"
    server, client = server_context(ssl, version=version), client_context(ssl, version=version)
    for turn in (b"once", b"once more"):
        one, other = handshake(server, client, (first, second))
        assert first.fileno() == -1
        one.sendall(turn)
        assert other.recv(100) == turn
        ending = spawn(one.unwrap)
        second = other.unwrap()
        first = ending.get()
        first.sendall(b"in the clear")
        assert second.recv(100) == b"in the clear"
        assert second.version() is None
        with pytest.raises(ValueError, match="No SSL wrapper"):
            second.unwrap()
    first.close()
    second.close()


def test_what_follows_the_end_of_tls_at_once_is_not_lost():
    one, other = pair()
    with one, other:
        other.sendall(b"bye")
        assert one.recv(3) == b"bye"
        one.sendall(b"last words")
        # Without waiting: the end goes out, the other's has not come in.
        one.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):
            one.unwrap()
        one._sslobj = None
        one.sendall(b"in the clear")
        assert other.recv(4) == b"last"  # everything has come in with that
        assert other.recv(100) == b" words"
        assert other.recv(100) == b""
        plain = other.unwrap()
        assert plain.recv(2) == b"in"
        buffer = bytearray(4)
        assert plain.recv_into(buffer) == 4
        assert buffer == b" the"
        assert plain.recv(100) == b" clear"


def test_tls_within_tls():
    outer_server, outer_client = pair()
    names = "inner.test"
    one, other = handshake(
        server_context(ssl, names), client_context(ssl), (outer_server, outer_client), server_hostname=names
    )
    with one, other:
        assert outer_server.fileno() == outer_client.fileno() == -1
        there, back = random.Random(5).randbytes(1_000_000), random.Random(6).randbytes(1_000_000)
        jobs = [
            spawn(one.sendall, there),
            spawn(other.sendall, back),
            spawn(read_exactly, one, len(back)),
            spawn(read_exactly, other, len(there)),
        ]
        hubcore.joinall(jobs, raise_error=True)
        assert (jobs[2].get(), jobs[3].get()) == (back, there)
        one.settimeout(0.01)
        with pytest.raises(TimeoutError, match="The read operation timed out"):
            one.recv(1)
        one.settimeout(None)
        ending = spawn(one.unwrap)
        assert other.unwrap() is other
        ending.get()
        assert other.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)  # what is left is the outer one
        other.sendall(b"still secret")
        assert one.recv(100) == b"still secret"


def test_many_reads_take_no_memory():
    one, other = pair()
    buffer = bytearray(2000)

    def turns(count):
        for _ in range(count):
            one.sendall(b"x" * 1000)
            assert len(other.recv(2000)) == 1000
            one.sendall(b"x" * 1000)
            assert other.recv_into(buffer) == 1000

    with one, other:
        turns(50)
        gc.collect()
        tracemalloc.start()
        try:
            turns(50)
            before = tracemalloc.get_traced_memory()[0]
            turns(1000)
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 10_000
        finally:
            tracemalloc.stop()


@pytest.mark.slow
def test_two_hundred_thousand_reads_take_no_memory():
    one, other = pair()

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4

    with one, other:
        part = b"x" * 100
        for turn in range(100_000):
            one.send(part)
            one.send(part)
            assert len(other.recv(100)) == 100
            assert len(other.recv(100)) == 100
            if turn == 10_000:
                before = resident()
        assert resident() - before < 1000  # the least that can be lost, 16 bytes, would be 2800 by now
