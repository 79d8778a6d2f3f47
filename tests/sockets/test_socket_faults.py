"""Peers that reset, stall or send one byte at a time, signals that interrupt everything, and fds that are reused."""

import errno
import os
import random
import resource
import signal
import socket as stdlib
import struct
import subprocess
import sys
import threading
import time

import pytest

import hubcore
from hubcore import Timeout, sleep, socket, spawn
from hubcore.testing import run_python, settle

pytestmark = pytest.mark.usefixtures("hub")

LOCAL = ("127.0.0.1", 0)


@pytest.fixture
def connection(hub):
    """A TCP connection: ours, cooperative, and the peer's, the standard library's."""
    with stdlib.create_server(LOCAL) as listener:
        ours = socket.create_connection(listener.getsockname())
        peer = listener.accept()[0]
    with ours, peer:
        yield ours, peer


def reset(sock):
    """Close so that the other side gets a reset."""
    sock.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


WAITS = {
    "recv": lambda s: s.recv(10),
    "recv_into": lambda s: s.recv_into(bytearray(10)),
    "recvfrom": lambda s: s.recvfrom(10),
    "recvmsg": lambda s: s.recvmsg(10),
    "sendall": lambda s: s.sendall(bytes(64 << 20)),
    "sendmsg": lambda s: [s.sendmsg([bytes(1 << 20)]) for _ in range(64)],
}


@pytest.mark.parametrize("name", WAITS)
def test_a_reset_ends_the_wait_with_the_kernels_error(name, connection, hub):
    ours, peer = connection
    waiting = spawn(WAITS[name], ours)
    settle(hub)
    assert not waiting.ready()
    reset(peer)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        waiting.get()
    if name != "sendall":
        return
    with pytest.raises(OSError):
        ours.sendall(b"x")


def test_data_that_came_before_a_reset_is_not_waited_for_in_vain(connection, hub):
    ours, peer = connection
    reading = spawn(ours.recv, 100)
    settle(hub)
    peer.send(b"last words")
    assert reading.get() == b"last words"
    reading = spawn(ours.recv, 100)
    settle(hub)
    reset(peer)
    with pytest.raises(ConnectionResetError):
        reading.get()


def test_one_byte_at_a_time(connection):
    """In what pieces a message comes is nobody's business."""
    ours, peer = connection
    peer.setsockopt(stdlib.IPPROTO_TCP, stdlib.TCP_NODELAY, 1)
    message = os.urandom(500)

    def dribble():
        for byte in message:
            peer.send(bytes([byte]))
            sleep(0)
        peer.shutdown(stdlib.SHUT_WR)

    spawn(dribble)
    with ours.makefile("rb") as file:
        assert file.read(len(message)) == message
        assert file.read() == b""


def test_a_peer_that_stalls_holds_up_nobody_else(connection, hub):
    ours, peer = connection
    peer.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_RCVBUF, 4096)
    stalled = spawn(ours.sendall, bytes(32 << 20))
    settle(hub)
    first, second = socket.socketpair()
    with first, second:
        for _ in range(100):
            first.sendall(b"ping")
            assert second.recv(4) == b"ping"
    assert not stalled.ready()
    with pytest.raises(Timeout), Timeout(0.01):
        stalled.get()
    stalled.kill()


def test_a_message_of_exactly_the_size_asked_for(connection, hub):
    """No read knows that nothing is left, and none waits for more than what it was asked for."""
    ours, peer = connection
    for word in (b"a", b"b", b"cc", b"d"):
        reading = spawn(ours.recv, len(word))
        settle(hub)
        peer.send(word)
        assert reading.get() == word
    peer.send(b"1234")
    assert [ours.recv(1) for _ in range(4)] == [b"1", b"2", b"3", b"4"]


def test_a_storm_of_signals_changes_nothing():
    """Every system call is interrupted all the time (EINTR), in the main thread, which runs the hub."""
    code = """
        import os, signal, hubcore
        from hubcore import socket, spawn
        caught = 0

        def handler(*args):
            global caught
            caught += 1

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        data = os.urandom(3_000_000)

        def echo(sock):
            while part := sock.recv(3000):
                sock.sendall(part)
            sock.shutdown(socket.SHUT_WR)

        def serve(server):
            for _ in range(4):
                spawn(echo, server.accept()[0])

        def talk(address):
            with socket.create_connection(address, timeout=50) as sock:
                sending = spawn(sock.sendall, data)
                got = bytearray()
                while len(got) < len(data):
                    got += sock.recv(100_000)
                sending.get()
                assert got == data

        def datagrams():
            with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
                one.bind(("127.0.0.1", 0))
                for i in range(2000):
                    other.sendto(b"%d" % i, one.getsockname())
                    assert one.recvfrom(10)[0] == b"%d" % i

        with socket.create_server(("127.0.0.1", 0)) as server:
            serving = spawn(serve, server)
            jobs = [spawn(talk, server.getsockname()) for _ in range(4)] + [spawn(datagrams)]
            hubcore.joinall(jobs, raise_error=True)
            serving.get()
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert caught > 10, caught
    """
    run_python(code, timeout=60)


def test_the_fd_of_a_socket_that_is_closed_while_its_wait_is_cancelled_is_anothers(hub):
    """Close, reuse of the number, kill, timeout and data, in every order: nobody hears of another's socket."""
    chance = random.Random(7)
    for _ in range(60):
        first, second = socket.socketpair()
        fd = first.fileno()
        waiting = spawn(first.recv, 10)
        settle(hub)
        steps = ["close", "kill", "data", "pass"]
        chance.shuffle(steps)
        third = fourth = None
        for step in steps:
            if step == "close":
                first.close()
                third, fourth = socket.socketpair()
            elif step == "kill":
                waiting.kill(block=False)
            elif step == "data":
                if third is None:  # else nobody is there to send it to
                    second.send(b"old")
            else:
                hub.loop.run_pass(False)
        assert fd in (third.fileno(), fourth.fileno()), "the number was not reused; the test shows nothing"
        reading = spawn(third.recv, 10)
        settle(hub)
        fourth.send(b"new")
        assert reading.get() == b"new"
        hubcore.joinall([waiting])
        assert waiting.value in (b"old", None) or isinstance(waiting.value, hubcore.GreenletExit)
        for sock in (second, third, fourth):
            sock.close()


def test_running_out_of_fds_fails_what_needs_one_and_nothing_else(connection):
    ours, peer = connection
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        with pytest.raises(OSError) as caught:
            while True:
                taken.append(socket.socket())
        assert caught.value.errno == errno.EMFILE
        with pytest.raises(OSError) as caught:
            socket.create_connection(peer.getsockname())
        assert caught.value.errno == errno.EMFILE
        peer.send(b"still")
        assert ours.recv(10) == b"still"
    finally:
        for sock in taken:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_threads_that_close_each_others_sockets(hub_backend):
    """Another thread closes what a greenlet here waits on: the wait ends with EBADF."""
    first, second = socket.socketpair()
    with second:
        reading = spawn(first.recv, 1)
        settle(hubcore.get_hub())
        closing = threading.Thread(target=lambda: (time.sleep(0.01), first.close()))
        hubcore.get_hub().loop.begin_external()  # virtual time must not jump while the other thread is at work
        closing.start()
        with pytest.raises(OSError) as caught:
            reading.get()
        hubcore.get_hub().loop.end_external()
        closing.join()
        assert caught.value.errno == errno.EBADF


CLIENTS = """
import socket, sys
host, port, count = "127.0.0.1", int(sys.argv[1]), int(sys.argv[2])
socks = [socket.create_connection((host, port)) for _ in range(count)]
print("up", flush=True)
sys.stdin.read()
"""


def raise_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def idle_and_busy(idle, busy, rounds):
    """Round trips a second of `busy` connections, without and with `idle` ones beside them."""
    if raise_limit(idle + 2 * busy + 100) < idle + 2 * busy + 100:
        pytest.skip(f"the limit on open files is too low for {idle} connections")
    handlers = set()

    def echo(sock):
        with sock:
            while data := sock.recv(100):
                sock.sendall(data)

    def accept(server):
        while True:
            handlers.add(spawn(echo, server.accept()[0]))

    def talk(sock):
        for i in range(rounds):
            sock.sendall(b"%d" % i)
            assert sock.recv(100) == b"%d" % i

    def rate():
        start = time.perf_counter()
        hubcore.joinall([spawn(talk, client) for client in clients], raise_error=True)
        return busy * rounds / (time.perf_counter() - start)

    with socket.create_server(LOCAL, backlog=1024) as server:
        accepting = spawn(accept, server)
        clients = [socket.create_connection(server.getsockname()) for _ in range(busy)]
        rate()
        alone = max(rate() for _ in range(3))
        command = [sys.executable, "-c", CLIENTS, str(server.getsockname()[1]), str(idle)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            socket.wait_read(process.stdout.fileno())
            assert process.stdout.readline() == b"up\n"
            while len(handlers) < idle + busy:
                sleep(0.001)
            beside = max(rate() for _ in range(3))
            process.stdin.close()
            process.wait()
            for client in clients:
                client.close()
            hubcore.joinall(handlers, raise_error=False)
            accepting.kill()
    return alone, beside


def test_two_thousand_idle_connections_beside_busy_ones():
    idle_and_busy(2000, 20, 20)


@pytest.mark.soak
def test_ten_thousand_idle_connections_take_no_throughput_from_a_hundred_busy_ones(hub_backend):
    if hub_backend == "virtual":
        pytest.skip("virtual time watches with poll(2), whose cost grows with the idle ones")
    alone, beside = idle_and_busy(10_000, 100, 300)
    assert beside > 0.9 * alone, f"{beside:,.0f} round trips a second with idle connections, {alone:,.0f} without"


def test_signals_reach_a_process_that_waits_on_sockets():
    code = """
        import os, signal
        from hubcore import socket, spawn_later
        first, second = socket.socketpair()
        spawn_later(0.02, os.kill, os.getpid(), signal.SIGINT)
        try:
            first.recv(1)
        except KeyboardInterrupt:
            second.send(b"x")
            assert first.recv(1) == b"x"
            print("fine")
    """
    assert run_python(code).stdout == "fine\n"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
