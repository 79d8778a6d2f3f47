"""Interruptions of a greenlet that waits on a socket; the socket is usable afterwards."""

import errno
import struct

import pytest

import hubcore
from hubcore import GreenletExit, Timeout, getcurrent, sleep, socket, spawn
from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")

BIG = bytes(8 << 20)


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


@pytest.mark.parametrize(
    "name", [name for name in WAITS if name != "makefile"]
)  # a socket is not closed while a file of it is open
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
        with pytest.raises(OSError, match=r"Bad file descriptor|closed"):
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


def test_a_reset_that_comes_with_data_is_told_after_the_data():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        reading = spawn(lambda: [client.recv(10), client.recv(10)])
        sleep(0)
        peer.sendall(b"last words")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        with pytest.raises(ConnectionResetError):
            reading.get()


def test_a_send_may_have_a_timeout_of_its_own(pair, hub):
    first, _second = pair
    assert first.send(b"x", timeout=socket.timeout_default) == 1
    assert first.send(b"x", 0, 5) == 1
    with pytest.raises(BlockingIOError):
        while True:
            first.send(bytes(1 << 20), timeout=0.0)
    assert first.gettimeout() is None, "the socket's own is unchanged"
    began = hub.loop.update_now()
    with pytest.raises(TimeoutError, match="timed out"):
        first.send(b"x", timeout=0.01)
    assert hub.loop.update_now() - began >= 0.01
    first.settimeout(0.01)
    sending = spawn(first.send, b"x", timeout=None)
    hubcore.sleep(0.02)
    assert not sending.ready()
    sending.kill()
    first.setblocking(False)
    with pytest.raises(TimeoutError):
        first.send(b"x", timeout=0.01)
    for bad, kind in ((-1, ValueError), (float("nan"), ValueError), ("1", TypeError)):
        with pytest.raises(kind, match="timeout must be"):
            first.send(b"x", timeout=bad)
