"""hubcore.socket: connections, datagrams and what else can be done with one socket."""

import array
import errno
import gc
import io
import os
import socket as stdlib
import threading

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.testing import settle

pytestmark = pytest.mark.usefixtures("hub")

HAS_IPV6 = stdlib.has_dualstack_ipv6()


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def read_all(sock, size=65536):
    parts = []
    while part := sock.recv(size):
        parts.append(part)
    return b"".join(parts)


def connected(host="127.0.0.1", family=socket.AF_INET):
    """Both ends of a TCP connection."""
    with socket.create_server((host, 0), family=family) as server:
        accepting = spawn(server.accept)
        client = socket.create_connection(server.getsockname()[:2])
        accepted, address = accepting.get()
        assert address == client.getsockname()
        return client, accepted


@pytest.mark.parametrize(
    ("host", "family"),
    [
        ("127.0.0.1", socket.AF_INET),
        pytest.param("::1", socket.AF_INET6, marks=pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")),
    ],
)
def test_tcp_both_ways(host, family):
    client, accepted = connected(host, family)
    with client, accepted:
        assert type(accepted) is socket.socket
        reply = spawn(lambda: accepted.sendall(accepted.recv(100).upper()))
        client.sendall(b"hello")
        assert client.recv(100) == b"HELLO"
        client.shutdown(socket.SHUT_WR)
        assert accepted.recv(100) == b""
        assert accepted.recv(100) == b""
        reply.get()


def test_five_megabytes_both_ways_at_once():
    client, accepted = connected()
    data = bytes(range(256)) * 20480
    with client, accepted:

        def send(sock):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

        jobs = [spawn(send, client), spawn(send, accepted), spawn(read_all, client), spawn(read_all, accepted)]
        hubcore.joinall(jobs, raise_error=True)
        assert jobs[2].value == data
        assert jobs[3].value == data


def test_send_takes_what_fits_and_then_waits_for_the_reader(pair):
    first, second = pair
    data = memoryview(bytes(4 << 20))
    sent = first.send(data)
    assert 0 < sent < len(data)
    rest = spawn(first.sendall, data[sent:])
    settle(hubcore.get_hub())
    assert not rest.ready()
    got = 0
    while got < len(data):
        got += len(second.recv(1 << 20))
    rest.get()
    assert got == len(data)


def test_udp():
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        waiting = spawn(server.recvfrom, 100)
        settle(hubcore.get_hub())
        assert client.sendto(b"one", ("localhost", server.getsockname()[1])) == 3
        data, address = waiting.get()
        assert (data, address[1]) == (b"one", client.getsockname()[1])
        client.connect(server.getsockname())
        client.send(b"two!")
        buffer = bytearray(10)
        assert server.recvfrom_into(buffer)[0] == 4
        # A datagram that was shorter than asked for says nothing of the next.
        client.sendall(b"three")
        client.sendall(b"")
        assert [server.recv(100), server.recv(100)] == [b"three", b""]
        assert client.sendto(b"four", 0, server.getsockname()) == 4
        assert server.recv(2) == b"fo"


def test_unix_sockets(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        accepting = spawn(server.accept)
        client.connect(path)
        accepted, _ = accepting.get()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(10) == b"hello"
            assert client.getpeername() == path


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
        assert not all(job.ready() for job in jobs), "this kernel gives more room than asked for; the test shows nothing"
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


def test_a_socketpair_is_of_the_family_and_type_asked_for():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        first, second = socket.socketpair(type=kind)
        with first, second:
            assert (first.family, first.type) == (socket.AF_UNIX, kind)
            reading = spawn(second.recv, 10)
            first.send(b"abc")
            assert reading.get() == b"abc"


def test_makefile(pair):
    first, second = pair
    with first.makefile("w", encoding="utf-8", newline="\n") as out, second.makefile("r", encoding="utf-8") as into:
        reading = spawn(into.readline)
        settle(hubcore.get_hub())
        out.write("grüße\nmore")
        out.flush()
        assert reading.get() == "grüße\n"
        first.close()
        assert first.fileno() >= 0, "the file still needs it"
    assert first.fileno() == -1
    assert second.recv(10) == b""


def test_a_file_of_a_socket_with_a_timeout_says_timed_out(pair):
    first, _ = pair
    first.settimeout(0.01)
    with first.makefile("rb") as file:
        with pytest.raises(TimeoutError, match="timed out"):
            file.read(1)
        with pytest.raises(OSError, match="cannot read from timed out object"):
            file.read(1)


def test_detach_leaves_the_fd_open_and_the_socket_closed(pair):
    first, second = pair
    fd = first.detach()
    assert (first.fileno(), first.closed, first.detach()) == (-1, True, -1)
    with socket.socket(fileno=fd) as again:
        assert (again.family, again.type) == (socket.AF_UNIX, socket.SOCK_STREAM)
        second.send(b"x")
        assert again.recv(1) == b"x"


def test_dup_and_fromfd_have_an_fd_of_their_own_on_the_same_connection(pair):
    first, second = pair
    first.settimeout(3)
    with first.dup() as twin, socket.fromfd(first.fileno(), first.family, first.type) as third:
        assert type(twin) is type(third) is socket.socket
        assert twin.gettimeout() == 3
        assert len({first.fileno(), twin.fileno(), third.fileno()}) == 3
        first.close()
        second.send(b"x")
        assert twin.recv(1) == b"x"
        waiting = spawn(third.recv, 1)
        settle(hubcore.get_hub())
        second.send(b"y")
        assert waiting.get() == b"y"


def test_the_standard_librarys_sockets_pass_through(pair):
    first, second = pair
    parts = stdlib.socketpair()
    with parts[0], parts[1]:
        socket.send_fds(first, [b"take"], [parts[0].fileno()])
        message, fds, _, _ = socket.recv_fds(second, 10, 1)
    assert message == b"take"
    with socket.socket(fileno=fds[0]) as passed:
        assert passed.recv(1) == b""


def test_sendmsg_and_recvmsg(pair):
    first, second = pair
    waiting = spawn(second.recvmsg, 100)
    settle(hubcore.get_hub())
    assert first.sendmsg([b"ab", b"cd"]) == 4
    assert waiting.get()[0] == b"abcd"
    first.sendmsg([b"efgh"])
    parts = [bytearray(3), bytearray(3)]
    assert second.recvmsg_into(parts)[0] == 4
    assert parts == [b"efg", b"h\0\0"]
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        sender.sendmsg([b"to ", b"a name"], [], 0, ("localhost", receiver.getsockname()[1]))
        assert receiver.recv(100) == b"to a name"


@pytest.mark.parametrize(("offset", "count"), [(0, None), (5, None), (3, 100_000), (0, 7)])
def test_sendfile(pair, tmp_path, offset, count):
    first, second = pair
    data = bytes(range(256)) * 4096
    expected = data[offset:][:count]
    (tmp_path / "file").write_bytes(data)
    with open(tmp_path / "file", "rb") as file:

        def send():
            sent = first.sendfile(file, offset, count)
            first.shutdown(socket.SHUT_WR)
            return sent

        sending = spawn(send)
        assert read_all(second) == expected
        assert sending.get() == len(expected)
        assert file.tell() == offset + len(expected)
    assert first.sendfile(io.BytesIO(b"")) == 0


def test_recv_into_fills_any_writable_buffer(pair):
    first, second = pair
    numbers = array.array("i", [0] * 4)
    first.sendall(array.array("i", [1, 2, 3, 4]))
    assert second.recv_into(numbers) == 16
    assert list(numbers) == [1, 2, 3, 4]
    buffer = bytearray(b"........")
    first.sendall(b"abcdef")
    assert second.recv_into(memoryview(buffer)[2:], 3) == 3
    assert buffer == b"..abc..."
    buffer.append(0)  # nothing holds it any more
    assert second.recv_into(buffer) == 3


def test_a_large_recv_gets_what_there_is(pair):
    first, second = pair
    first.sendall(b"x" * 1000)
    assert second.recv(10 << 20) == b"x" * 1000
    waiting = spawn(second.recv, 1 << 20)
    settle(hubcore.get_hub())
    first.sendall(b"y" * 70_000)
    assert waiting.get()[:5] == b"yyyyy"


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
        try:
            for _ in range(10):
                waiting.append(socket.create_connection(address, timeout=0.02))
        except TimeoutError as error:
            assert str(error) == "timed out"
        else:
            pytest.fail("the backlog never got full")
        finally:
            for sock in waiting:
                sock.close()
        with socket.socket() as late:
            late.settimeout(0.01)
            assert late.connect_ex(address) in (0, errno.EAGAIN)


def test_a_socket_dropped_without_close_leaves_nothing_watched(hub):
    first, second = socket.socketpair()
    with second:
        waiting = spawn(first.recv, 10)
        settle(hub)
        second.send(b"x")
        waiting.get()
        fd = first.fileno()
        assert fd in hub.loop.fd_watches, "the watcher is left on after a wait; else this test shows nothing"
        del waiting
        with pytest.warns(ResourceWarning, match="unclosed"):
            del first
            gc.collect()
        assert fd not in hub.loop.fd_watches
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(fd)


def test_an_fd_that_is_reused_at_once_is_watched_anew(hub):
    for _ in range(20):
        first, second = socket.socketpair()
        fds = first.fileno(), second.fileno()
        waiting = spawn(first.recv, 10)
        settle(hub)
        second.send(b"x")
        assert waiting.get() == b"x"
        first.close()
        second.close()
        third, fourth = socket.socketpair()
        assert (third.fileno(), fourth.fileno()) == fds
        waiting = spawn(third.recv, 10)
        settle(hub)
        assert not waiting.ready()
        fourth.send(b"y")
        assert waiting.get() == b"y"
        third.close()
        fourth.close()


def test_threads_may_use_one_socket_each_in_one_direction(pair, hub_backend):
    first, second = pair
    data = bytes(3 << 20)
    failures = []

    def work(call, *args):
        try:
            call(*args)
        except BaseException as error:
            failures.append(error)
        finally:
            hubcore.get_hub().destroy()

    # One thread writes to `second` while another reads from it and this one does both to `first`.
    received = []
    threads = [
        threading.Thread(target=work, args=(second.sendall, data)),
        threading.Thread(target=work, args=(lambda: [received.append(len(second.recv(65536))) for _ in range(10)],)),
    ]
    for thread in threads:
        thread.start()
    got = 0
    while got < len(data):
        got += len(first.recv(1 << 20))
    for _ in range(10):
        first.send(b"x")
        while not received:
            hubcore.sleep(0)
        received.clear()
    for thread in threads:
        thread.join(20)
    assert failures == []
    # And after the threads and their hubs have gone, it works here.
    waiting = spawn(second.recv, 10)
    settle(hubcore.get_hub())
    first.send(b"again")
    assert waiting.get() == b"again"


def test_a_second_reader_in_another_thread_is_refused(pair):
    first, second = pair
    waiting = spawn(first.recv, 1)
    settle(hubcore.get_hub())
    failures = []

    def read_too():
        try:
            first.recv(1)
        except ConcurrentObjectUseError as error:
            failures.append(str(error))
        hubcore.get_hub().destroy()

    thread = threading.Thread(target=read_too)
    thread.start()
    thread.join(20)
    assert "another thread" in failures[0]
    second.send(b"x")
    assert waiting.get() == b"x"


def test_a_busy_connection_does_not_keep_the_others_waiting(pair):
    first, second = pair
    turns = []

    def busy():
        for i in range(2000):
            second.send(b"x")
            first.recv(1)
            turns.append(i)

    def other():
        for _ in range(10):
            turns.append("other")
            hubcore.sleep(0)

    hubcore.joinall([spawn(busy), spawn(other)], raise_error=True)
    longest = max(len(run) for run in "".join("o" if turn == "other" else "b" for turn in turns).split("o")[:-1])
    assert longest <= 64, f"{longest} round trips in one go"


def test_accepting_does_not_keep_the_others_waiting():
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        clients = [socket.create_connection(server.getsockname()) for _ in range(150)]
        turns = []

        def accept():
            for _ in clients:
                server.accept()[0].close()
                turns.append("a")

        def other():
            while len(turns) < len(clients):
                turns.append("o")
                hubcore.sleep(0)

        hubcore.joinall([spawn(accept), spawn(other)], raise_error=True)
        for client in clients:
            client.close()
        assert max(len(run) for run in "".join(turns).split("o")) <= 64
