"""hubcore.socket: connections, datagrams and the other operations of one socket."""

import array
import io
import os
import socket as stdlib
import tempfile

import pytest

import hubcore
from hubcore import socket, spawn
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


def test_a_detached_fd_blocks_as_the_standard_librarys_does():
    for make in (socket.socketpair, stdlib.socketpair):
        blocks = []
        for prepare in (
            lambda sock: None,
            lambda sock: sock.settimeout(3),
            lambda sock: sock.setblocking(False),
            lambda sock: (sock.settimeout(3), sock.setblocking(True)),
        ):
            first, second = make()
            with second:
                prepare(first)
                fd = first.detach()
                blocks.append(os.get_blocking(fd))
                # And one that is only looked at stays as it was.
                again = type(second)(fileno=fd)
                assert again.detach() == fd
                assert os.get_blocking(fd) is blocks[-1]
                os.close(fd)
        assert blocks == [True, False, False, True]


def test_an_fd_detached_by_somebody_does_not_make_the_others_who_have_it_block_the_thread(pair, hub):
    first, second = pair
    with first.dup() as twin, socket.socket(fileno=os.dup(first.fileno())) as third:
        fd = first.detach()
        assert os.get_blocking(twin.fileno())
        calls = [
            lambda: twin.recv(9),
            lambda: twin.recv_into(bytearray(9)),
            lambda: twin.recvfrom(9),
            lambda: twin.recvfrom_into(bytearray(9)),
            lambda: twin.recvmsg(9),
            lambda: third.recvmsg_into([bytearray(9)]),
            lambda: third.recv(1 << 20),
        ]
        for call in calls:
            waiting = spawn(call)
            settle(hub)
            assert not waiting.ready()
            second.send(b"x")
            waiting.get()
        full = bytes(1 << 20)
        for call in (lambda: twin.sendall(full), lambda: twin.sendmsg([full]), lambda: twin.send(full)):
            waiting = spawn(call)
            settle(hub)
            read = 0
            while not waiting.ready() or read < (waiting.value or len(full)):
                read += len(second.recv(65536))
        with tempfile.TemporaryFile() as file:
            file.write(full)
            waiting = spawn(twin.sendfile, file)
            settle(hub)
            assert not waiting.ready()
            read = 0
            while read < len(full):
                read += len(second.recv(65536))
            assert waiting.get() == len(full)
        os.close(fd)


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
