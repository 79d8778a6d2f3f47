"""What may come in the way of a greenlet that waits on a socket, and that the socket is usable afterwards."""

import errno
import os
import random
import resource

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hubcore
from hubcore import GreenletExit, Timeout, getcurrent, sleep, socket, spawn
from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")

BIG = bytes(8 << 20)
HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]  # slow is the machine, not the test


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def drain(sock):
    """Read all that is there now."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 20):
            pass
    except BlockingIOError:
        pass
    finally:
        sock.setblocking(True)


READS = {
    "recv": lambda s: s.recv(10),
    "recv after a short read": lambda s: (s.recv(10), s.recv(10))[1],
    "recv of much": lambda s: s.recv(1 << 20),
    "recv_into": lambda s: s.recv_into(bytearray(10)),
    "recvfrom": lambda s: s.recvfrom(10),
    "recvfrom_into": lambda s: s.recvfrom_into(bytearray(10)),
    "recvmsg": lambda s: s.recvmsg(10),
    "recvmsg_into": lambda s: s.recvmsg_into([bytearray(10)]),
    "peek": lambda s: s.recv(10, socket.MSG_PEEK),
    "makefile": lambda s: s.makefile("rb", buffering=0).read(10),
}
WRITES = {
    "send": lambda s: [s.send(BIG) for _ in range(9)],
    "sendall": lambda s: s.sendall(BIG),
    "sendmsg": lambda s: [s.sendmsg([BIG]) for _ in range(9)],
}
WAITS = {**READS, **WRITES}


def prepare(name, first, second):
    if name == "recv after a short read":
        second.send(b"short")


def usable(first, second):
    """Both directions of the connection work still."""
    drain(second)
    drain(first)
    reading = spawn(first.recv, 10)
    settle(hubcore.get_hub())
    second.sendall(b"ping")
    assert reading.get() == b"ping"
    reading = spawn(second.recv, 10)
    settle(hubcore.get_hub())
    first.sendall(b"pong")
    assert reading.get() == b"pong"


@pytest.mark.parametrize("name", WAITS)
def test_kill_ends_the_wait_and_leaves_the_socket_usable(name, pair, hub):
    prepare(name, *pair)
    waiting = spawn(WAITS[name], pair[0])
    settle(hub)
    assert waiting.waiting_on is not None
    waiting.kill()
    assert isinstance(waiting.value, GreenletExit)
    usable(*pair)


@pytest.mark.parametrize("name", WAITS)
def test_a_timeout_around_ends_the_wait_and_leaves_the_socket_usable(name, pair):
    prepare(name, *pair)
    with pytest.raises(Timeout):
        with Timeout(0.01):
            WAITS[name](pair[0])
    usable(*pair)


@pytest.mark.parametrize("name", WAITS)
def test_the_sockets_own_timeout_is_the_standard_librarys_error(name, pair, hub):
    prepare(name, *pair)
    pair[0].settimeout(0.01)
    began = hub.loop.update_now()
    with pytest.raises(TimeoutError) as caught:
        WAITS[name](pair[0])
    assert hub.loop.update_now() - began >= 0.01
    assert (str(caught.value), caught.value.errno) == ("timed out", None)
    pair[0].settimeout(None)
    usable(*pair)


@pytest.mark.parametrize("name", [name for name in WAITS if name != "makefile"])  # a socket is not closed while a file of it is open
def test_closing_wakes_who_waits(name, pair, hub):
    prepare(name, *pair)
    waiting = spawn(WAITS[name], pair[0])
    settle(hub)
    pair[0].close()
    with pytest.raises(OSError) as caught:
        waiting.get()
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("name", WAITS)
def test_detaching_wakes_who_waits(name, pair, hub):
    prepare(name, *pair)
    waiting = spawn(WAITS[name], pair[0])
    settle(hub)
    with socket.socket(fileno=pair[0].detach()) as again:
        with pytest.raises(OSError) as caught:
            waiting.get()
        assert caught.value.errno == errno.EBADF
        usable(again, pair[1])


def test_a_closed_sockets_number_may_be_another_sockets_before_the_waiter_runs(pair, hub):
    first, second = pair
    waiting = spawn(first.recv, 10)
    settle(hub)
    second.send(b"for the first")
    hub.loop.run_pass(False)  # the waiter is woken, and has not run
    first.close()
    third, fourth = socket.socketpair()
    with third, fourth:
        fourth.send(b"for the third")
        with pytest.raises(OSError, match="Bad file descriptor|closed"):
            waiting.get()
        assert third.recv(100) == b"for the third"


def test_accept_and_connect_can_be_killed(hub):
    with socket.create_server(("127.0.0.1", 0)) as server:
        waiting = spawn(server.accept)
        settle(hub)
        waiting.kill()
        with pytest.raises(Timeout), Timeout(0.01):
            server.accept()
        server.settimeout(0.01)
        with pytest.raises(TimeoutError, match="timed out"):
            server.accept()
        server.settimeout(None)
        with socket.socket() as client:
            connecting = spawn(client.connect, server.getsockname())
            connecting.kill()
            client.connect(server.getsockname())
            with server.accept()[0] as accepted:
                usable(client, accepted)
        waiting = spawn(server.accept)
        settle(hub)
        server.close()
        with pytest.raises(OSError) as caught:
            waiting.get()
        assert caught.value.errno == errno.EBADF


def test_one_may_read_while_another_writes_but_not_two_the_same(pair, hub):
    first, second = pair
    reading, writing = spawn(first.recv, 10), spawn(first.sendall, BIG)
    settle(hub)
    with pytest.raises(ConcurrentObjectUseError, match="second greenlet"):
        first.recv(1)
    with pytest.raises(ConcurrentObjectUseError, match="second greenlet"):
        first.sendall(BIG)
    second.send(b"hello")
    assert reading.get() == b"hello"
    writing.kill()
    usable(first, second)


def test_the_timeout_of_sendall_is_for_all_of_it(pair, hub):
    first, second = pair
    first.settimeout(0.05)

    def read_slowly():
        while True:
            sleep(0.01)
            second.recv(1000)

    reader = spawn(read_slowly)
    began = hub.loop.update_now()
    with pytest.raises(TimeoutError, match="timed out"):
        first.sendall(BIG)
    reader.kill()
    assert hub.loop.update_now() - began < 5


def test_a_wait_on_a_socket_without_ref_does_not_keep_the_hub_alive(pair, hub):
    first, _ = pair
    first.ref = False
    waiting = spawn(first.recv, 1)
    assert hub.join(timeout=20)
    assert first.ref is False
    assert first.hub is hub
    waiting.kill()


# Nothing is lost, whatever the sizes.

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


# Waiting for fds.


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


def test_nothing_may_wait_in_the_hub(pair, hub):
    failures = []

    def in_the_hub():
        try:
            pair[0].recv(1)
        except AssertionError as error:
            failures.append(str(error))

    hub.loop.run_callback(in_the_hub)
    settle(hub)
    assert "made in the hub" in failures[0]
    assert getcurrent() is hub.main
    usable(*pair)


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
