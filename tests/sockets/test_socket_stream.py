"""No byte of a stream is lost, with all sizes and when either end is killed; and many streams at once."""

import random
import resource

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hubcore
from hubcore import Timeout, sleep, socket, spawn
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")

HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]  # slow is the machine, not the test
PIECES = st.lists(st.integers(1, 3000), max_size=12)
READ = st.tuples(st.sampled_from(["recv", "recv_into", "peek", "recvfrom", "recvmsg"]), st.integers(1, 4000))


@settings(max_examples=60, deadline=None, suppress_health_check=HEALTH)
@given(pieces=PIECES, reads=st.lists(READ, min_size=1, max_size=12), seed=st.integers(0, 1000), yields=st.booleans())
def test_a_stream_arrives_whole_and_in_order(pieces, reads, seed, yields):
    data = random.Random(seed).randbytes(sum(pieces))
    first, second = socket.socketpair()

    def write():
        at = 0
        for size in pieces:
            first.sendall(data[at : at + size])
            at += size
            if yields:
                sleep(0)
        first.close()

    def read():
        got, i = bytearray(), 0
        while True:
            call, size = reads[i % len(reads)]
            i += 1
            if call == "peek":
                seen = second.recv(size, socket.MSG_PEEK)
                part = second.recv(len(seen)) if seen else b""
                assert part == seen
            elif call == "recv_into":
                buffer = bytearray(size)
                part = bytes(buffer[: second.recv_into(buffer)])
            elif call == "recvfrom":
                part = second.recvfrom(size)[0]
            elif call == "recvmsg":
                part = second.recvmsg(size)[0]
            else:
                part = second.recv(size)
            if not part:
                return bytes(got)
            got += part

    jobs = [spawn(write), spawn(read)]
    hubcore.joinall(jobs, raise_error=True)
    second.close()
    assert jobs[1].value == data


@settings(max_examples=40, deadline=None, suppress_health_check=HEALTH)
@given(script=st.lists(st.sampled_from(["send", "kill", "yield", "timeout"]), max_size=30))
def test_readers_that_are_killed_lose_no_byte(script):
    first, second = socket.socketpair()
    got = bytearray()
    sent = bytearray()

    def read():
        try:
            while part := second.recv(7):
                got.extend(part)
        except Timeout:
            pass

    reader = spawn(read)
    for step, action in enumerate(script):
        if action == "send":
            word = b"%d." % step
            first.sendall(word)
            sent += word
        elif action == "kill":
            reader.kill(block=False)
            reader.join()
            reader = spawn(read)
        elif action == "timeout":
            reader.kill(Timeout)
            reader = spawn(read)
        else:
            sleep(0)
    first.close()
    reader.get()
    second.close()
    assert bytes(got) == bytes(sent)


@pytest.mark.slow
def test_a_thousand_idle_connections_and_ten_busy_ones(hub):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        accepted = []

        def echo(sock):
            with sock:
                while data := sock.recv(100):
                    sock.sendall(data)

        def accept():
            while True:
                accepted.append(spawn(echo, server.accept()[0]))

        accepting = spawn(accept)
        clients = [socket.create_connection(server.getsockname()) for _ in range(1010)]

        def talk(sock):
            for i in range(100):
                sock.sendall(b"%d" % i)
                assert sock.recv(100) == b"%d" % i

        hubcore.joinall([spawn(talk, client) for client in clients[::101]], raise_error=True)
        settle(hub)
        assert hub.parked.count >= 1010
        for client in clients:
            client.close()
        hubcore.joinall(accepted, raise_error=True)
        assert len(accepted) == 1010
        accepting.kill()
