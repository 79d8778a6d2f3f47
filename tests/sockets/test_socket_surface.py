"""The rest of the standard library's socket surface: addresses of all families, flags, files, the fast path's edges."""

import errno
import os
import socket as stdlib
from contextlib import ExitStack

import pytest

import hubcore
from hubcore import socket, spawn
from hubcore.testing import run_python, settle

pytestmark = pytest.mark.usefixtures("hub")


@pytest.fixture
def pair(hub):
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def both(call):
    """The outcome of `call` with the standard library's module and with hubcore's."""
    return [outcome(call, module) for module in (stdlib, socket)]


def outcome(call, argument):
    """What `call(argument)` returns or raises."""
    try:
        return "returned", call(argument)
    except Exception as error:
        return type(error), getattr(error, "errno", None)


FAMILIES = {
    "IPv4": (stdlib.AF_INET, ("127.0.0.1", 0)),
    "IPv6": (stdlib.AF_INET6, ("::1", 0)),
    "IPv6, all four": (stdlib.AF_INET6, ("::1", 0, 0, 0)),
    "abstract": (stdlib.AF_UNIX, b"\0hubcore-test-%d" % os.getpid()),
}


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("kind", [stdlib.SOCK_STREAM, stdlib.SOCK_DGRAM], ids=["stream", "datagram"])
def test_the_addresses_of_accept_and_recvfrom_are_the_standard_librarys(name, kind):
    family, address = FAMILIES[name]

    def run(module):
        with module.socket(family, kind) as server, module.socket(family, kind) as client:
            server.bind(address)
            client.bind(b"\0hubcore-client-%d" % os.getpid() if family == stdlib.AF_UNIX else address)
            if kind == stdlib.SOCK_STREAM:
                server.listen()
                client.connect(server.getsockname())
                accepted, found = server.accept()
                with accepted:
                    client.send(b"x")
                    assert accepted.recvfrom(5) == (b"x", None)
                    assert accepted.family == family
                    assert accepted.type == kind
                    assert accepted.proto == server.proto
                    assert accepted.get_inheritable() is False
            else:
                assert client.sendto(b"data", server.getsockname()) == 4
                data, found = server.recvfrom(100)
                assert data == b"data"
            assert found == client.getsockname()
            return [found[0], *found[2:]] if isinstance(found, tuple) else found

    expected, got = both(run)
    assert got == expected


def test_the_address_of_a_unix_socket_without_a_name(tmp_path):
    def run(module):
        path = str(tmp_path / module.__name__)
        with module.socket(stdlib.AF_UNIX) as server, module.socket(stdlib.AF_UNIX) as client:
            server.bind(path)
            server.listen()
            client.connect(path)
            accepted, address = server.accept()
            accepted.close()
            return address

    expected, got = both(run)
    assert got == expected == ("returned", "")


def test_a_unix_path_comes_back_as_it_is(tmp_path):
    path = os.fsdecode(bytes(tmp_path / "n") + b"\xff")
    with (
        socket.socket(stdlib.AF_UNIX, stdlib.SOCK_DGRAM) as server,
        socket.socket(server.family, server.type) as client,
    ):
        server.bind(str(tmp_path / "server"))
        client.bind(path)
        client.sendto(b"hello", server.getsockname())
        assert server.recvfrom(10) == (b"hello", path)


def test_datagrams_larger_than_the_scratch_buffer_and_smaller_than_what_came(hub):
    with socket.socket(type=stdlib.SOCK_DGRAM) as server, socket.socket(type=stdlib.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        client.bind(("127.0.0.1", 0))
        client.sendto(b"a" * 60_000, server.getsockname())
        assert len(server.recvfrom(1 << 20)[0]) == 60_000
        client.sendto(b"abcdef", 0, server.getsockname())
        assert server.recvfrom(3) == (b"abc", client.getsockname())
        client.sendto(b"", server.getsockname())
        assert server.recvfrom(3) == (b"", client.getsockname())


def test_the_true_size_of_a_datagram_that_is_larger_than_the_buffers(hub):
    """MSG_TRUNC: the kernel tells of more bytes than it has given."""
    first, second = socket.socketpair(type=stdlib.SOCK_DGRAM)
    with first, second:
        second.sendall(b"a" * 100_000)
        look = socket.MSG_PEEK | socket.MSG_TRUNC
        # What that many bytes are is the standard library's: bytes of which only the first are the datagram's, or, from
        # CPython 3.15 on, an error.
        for call in (lambda sock: len(sock.recv(10, look)), lambda sock: len(sock.recvfrom(10, look)[0])):
            with stdlib.socket(fileno=os.dup(first.fileno())) as plain:
                assert outcome(call, first) == outcome(call, plain)
        assert first.recv_into(bytearray(10), 10, look) == 100_000
        assert first.recv(10) == b"a" * 10


BAD_ADDRESSES = {
    "a port too large": ("127.0.0.1", 65536),
    "a negative port": ("127.0.0.1", -1),
    "a port that is a str": ("127.0.0.1", "80"),
    "no port": ("127.0.0.1",),
    "three": ("127.0.0.1", 9, 0),
    "a list": ["127.0.0.1", 9],
    "a NUL": ("127.0.0.1\0", 9),
    "IPv6": ("::1", 9),
    "None": None,
    "a host that is a number": (5, 9),
    "a scope too large": ("::1", 9, 0, 1 << 40),
    "flow information too large": ("::1", 9, 1 << 20),
    "a name with a port too large": ("localhost", 70000),
}


@pytest.mark.parametrize("address", BAD_ADDRESSES.values(), ids=BAD_ADDRESSES)
@pytest.mark.parametrize("family", [stdlib.AF_INET, stdlib.AF_INET6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("method", ["sendto", "bind", "connect"])
def test_a_wrong_address_is_the_standard_librarys_error(address, family, method):
    def run(module):
        with module.socket(family, stdlib.SOCK_DGRAM) as sock:
            return sock.sendto(b"x", address) if method == "sendto" else getattr(sock, method)(address)

    expected, got = both(run)
    assert got == expected


def test_names_are_looked_up_for_bind_and_sendto():
    with socket.socket(type=stdlib.SOCK_DGRAM) as server, socket.socket(type=stdlib.SOCK_DGRAM) as client:
        server.bind(("localhost", 0))
        client.sendto(b"named", ("localhost", server.getsockname()[1]))
        assert server.recvfrom(10)[0] == b"named"


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.recv(1, socket.MSG_DONTWAIT),
        lambda s: s.recv_into(bytearray(1), 1, socket.MSG_DONTWAIT),
        lambda s: s.recvfrom(1, socket.MSG_DONTWAIT),
        lambda s: s.recvfrom_into(bytearray(1), 1, socket.MSG_DONTWAIT),
        lambda s: s.recvmsg(1, 0, socket.MSG_DONTWAIT),
        lambda s: s.recvmsg_into([bytearray(1)], 0, socket.MSG_DONTWAIT),
        lambda s: [s.send(bytes(1 << 16), socket.MSG_DONTWAIT) for _ in range(1000)],
        lambda s: [s.sendmsg([bytes(1 << 16)], [], socket.MSG_DONTWAIT) for _ in range(1000)],
    ],
)
def test_dontwait_does_not_wait(call, pair):
    with pytest.raises(BlockingIOError):
        call(pair[0])


def test_dontwait_waits_for_as_long_as_the_timeout(pair):
    pair[0].settimeout(0.01)
    with pytest.raises(TimeoutError, match="timed out"):
        pair[0].recv(1, socket.MSG_DONTWAIT)


def test_a_socket_made_non_blocking_is():
    with socket.socket(type=stdlib.SOCK_STREAM | stdlib.SOCK_NONBLOCK) as sock:
        assert sock.gettimeout() == 0.0
        assert sock.getblocking() is False


def test_an_fd_that_was_closed_behind_its_back_is_noticed_by_setblocking():
    sock = socket.socket()
    os.close(sock.fileno())
    for call in (lambda: sock.setblocking(False), lambda: sock.settimeout(3)):
        with pytest.raises(OSError, match="Bad file") as caught:
            call()
        assert caught.value.errno == errno.EBADF
    sock.detach()


def test_iterators_of_buffers_survive_a_wait(pair, hub):
    first, second = pair
    buffers = [bytearray(2), bytearray(3)]
    reading = spawn(first.recvmsg_into, iter(buffers))
    settle(hub)
    assert second.sendmsg(iter([b"ab", b"cde"]), iter([])) == 5
    assert reading.get()[0] == 5
    assert buffers == [b"ab", b"cde"]


def test_sendfile_goes_through_the_kernel(pair, tmp_path, monkeypatch):
    """And waits while the receiver does not read."""
    path = tmp_path / "file"
    content = os.urandom(3 << 20)
    path.write_bytes(content)
    calls = []
    real = os.sendfile
    monkeypatch.setattr(os, "sendfile", lambda *args: calls.append(args) or real(*args))
    first, second = pair

    def read():
        return b"".join(iter(lambda: second.recv(1 << 16), b""))

    reading = spawn(read)
    with path.open("rb") as file:
        assert first.sendfile(file, 5, len(content) - 9) == len(content) - 9
        assert file.tell() == len(content) - 4
    first.shutdown(socket.SHUT_WR)
    assert reading.get() == content[5:-4]
    assert len(calls) > 2


def test_sendfile_has_the_sockets_timeout_and_says_how_far_it_came(pair, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(3 << 20))
    pair[0].settimeout(0.02)
    with path.open("rb") as file:
        with pytest.raises(TimeoutError, match="timed out"):
            pair[0].sendfile(file)
        assert 0 < file.tell() < 3 << 20


def test_sendfile_of_what_is_no_file_uses_send(pair):
    with pair[0], os.fdopen(os.memfd_create("x"), "w+b") as file:
        file.write(b"content")
        file.seek(0)
        assert pair[0].sendfile(file) == 7
        assert pair[1].recv(20) == b"content"


def test_fds_are_passed(pair, hub):
    first, second = pair
    receiving = spawn(socket.recv_fds, second, 10, 2)
    settle(hub)
    assert socket.send_fds(first, [b"fd"], [first.fileno()]) == 2
    data, fds, _, _ = receiving.get()
    assert data == b"fd"
    assert os.fstat(fds[0]).st_ino == os.fstat(first.fileno()).st_ino
    os.close(fds[0])


def test_addresses_that_come_again_are_not_mixed_up():
    """The last addresses are remembered as they were told: more peers than that, in turns, and two sockets at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        clients = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(200)]
        for number, client in enumerate(clients):
            client.settimeout(20)
            client.bind((f"127.0.0.{1 + number % 3}", 0))
        for _ in range(2):
            for client in clients:
                client.sendto(b"to", server.getsockname())
                _, peer = server.recvfrom(10)
                assert peer == client.getsockname()
                clients[0].sendto(b"own", clients[0].getsockname())
                assert clients[0].recvfrom(10) == (b"own", clients[0].getsockname())
                assert server.sendto(b"back", peer) == 4
                assert client.recvfrom(10) == (b"back", server.getsockname())


def test_sendto_is_audited():
    code = """
        import sys
        from hubcore import socket
        heard = []
        sys.addaudithook(lambda name, args: name == "socket.sendto" and heard.append(args))
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.sendto(b"x", ("127.0.0.1", 9))
        assert heard == [(sock, ("127.0.0.1", 9))], heard
    """
    run_python(code)


def test_accept_raises_what_accept_says():
    with socket.socket() as sock:
        with pytest.raises(OSError) as caught:
            sock.accept()
        assert caught.value.errno == errno.EINVAL


def test_a_failure_to_make_the_socket_loses_no_fd():
    """accept() closes the fd that the kernel gave it when it cannot make a socket of it."""
    if socket._fast_addressed is None:
        pytest.skip("uncompiled")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:

        class Failing(socket.socket):
            def __setattr__(self, name, value):
                raise MemoryError

        socket._fast_addressed.accepted_are(Failing)
        try:
            with pytest.raises(MemoryError):
                server.accept()
        finally:
            socket._fast_addressed.accepted_are(socket.socket)
        client.settimeout(20)
        assert client.recv(1) == b""


@pytest.mark.skipif(os.environ.get("HUBCORE_PURE") == "1", reason="uncompiled, the constructor makes each")
def test_each_accepted_socket_is_as_if_made_of_its_fd():
    """accept() copies what CPython's own constructor would write, which it asks only for the first of a process."""
    code = """
        import socket as stdlib
        import sys
        from _socket import socket as native

        from hubcore import socket

        made = []
        sys.addaudithook(lambda event, args: made.append(args[1:]) if event == "socket.__new__" else None)

        def tell(sock):
            own = (sock.family, sock.type, sock.proto, sock.fileno(), sock._closed, sock._io_refs, sock.timeout)
            return own, native.gettimeout(sock), sock.get_inheritable(), sock.getsockname(), sock.getpeername()

        kinds = (stdlib.AF_INET, ("127.0.0.1", 0)), (stdlib.AF_INET6, ("::1", 0)), (stdlib.AF_UNIX, "")
        for family, address in kinds:
            try:
                server = socket.create_server(address, family=family) if address else socket.socket(family)
            except OSError:
                continue  # no IPv6 here
            if not address:
                server.bind("")
                server.listen(5)
            for timeout in (None, 5.0, None):
                stdlib.setdefaulttimeout(timeout)
                client = socket.socket(family)
                client.connect(server.getsockname())
                made.clear()
                sock, peer = server.accept()
                assert made == [(family, server.type | stdlib.SOCK_NONBLOCK, server.proto)], made
                found = tell(sock)
                assert type(sock) is socket.socket and sock.timeout == timeout and peer == client.getsockname()
                again = socket.socket(family, server.type | stdlib.SOCK_NONBLOCK, server.proto, sock.detach())
                again.settimeout(timeout)
                assert tell(again) == found, (tell(again), found)
                again.sendall(b"x")
                with again.makefile("rb") as file:
                    again.close()
                    assert again.fileno() >= 0
                assert again.fileno() == -1 and client.recv(2) == b"x" and client.recv(2) == b""
                client.close()
            server.close()
        stdlib.setdefaulttimeout(None)
        server = socket.create_server(("0.0.0.0", 0))
        for host in ("127.0.0.1", "127.9.10.99", "127.100.101.255", "127.255.200.9"):
            client = socket.create_connection(("127.0.0.1", server.getsockname()[1]), source_address=(host, 0))
            sock, peer = server.accept()
            assert peer == client.getsockname() == (host, peer[1]), peer
            sock.close()
            client.close()
        server.close()
    """
    run_python(code)


def test_servers_accept_while_others_run(hub):
    """A queue of connections is accepted without a wait between, and still others get their turn."""
    turns = []
    with socket.create_server(("127.0.0.1", 0), backlog=300) as server:
        clients = [socket.create_connection(server.getsockname()) for _ in range(200)]

        def other():
            while len(turns) < 3:
                turns.append(hubcore.getcurrent())
                hubcore.sleep(0)

        job = spawn(other)
        for _ in clients:
            server.accept()[0].close()
        assert len(turns) >= 2
        job.join()
        for client in clients:
            client.close()
