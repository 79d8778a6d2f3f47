"""Servers: sources of their sockets, datagrams, TLS, limits, and how they end."""

import errno
import itertools
import logging
import os
import signal
import socket as stdlib
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import hubcore
from hubcore import sleep, socket
from hubcore.event import Event
from hubcore.server import DatagramServer, StreamServer, activated
from hubcore.testing import settle
from tests.servers.test_server import Pool, ask, echo

pytestmark = pytest.mark.usefixtures("hub")

LOCAL = ("127.0.0.1", 0)


# -- Unix sockets


def test_a_path_that_nobody_listens_on_any_more_is_taken(tmp_path):
    path = str(tmp_path / "socket")
    with stdlib.socket(stdlib.AF_UNIX) as left_behind:
        left_behind.bind(path)
        left_behind.listen()
    assert os.path.exists(path)
    with StreamServer(path, echo), socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"hello")
        assert client.recv(9) == b"hello"
    assert not os.path.exists(path)


def test_a_file_that_is_no_socket_stays(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use") as caught:
        StreamServer(str(path), echo).start()
    assert caught.value.errno == errno.EADDRINUSE
    assert path.read_text() == "precious"


def test_a_path_that_another_server_has_taken_over_is_left_to_it(tmp_path):
    path = str(tmp_path / "socket")
    first = StreamServer(path, echo)
    first.start()
    os.unlink(path)
    with StreamServer(path, echo):
        first.stop()
        assert os.path.exists(path)
    assert not os.path.exists(path)


# -- sockets that are open already


def test_a_listener_by_its_fd():
    listener = stdlib.create_server(LOCAL)
    port = listener.getsockname()[1]
    with StreamServer(f"fd://{listener.detach()}", echo) as server:
        assert server.server_port == port
        assert ask(server) == b"hello"


@pytest.mark.parametrize(("listener", "error"), [("fd://x", ValueError), ("fd://", ValueError), ("fd://999", OSError)])
def test_an_fd_that_is_none(listener, error):
    with pytest.raises(error):
        StreamServer(listener, echo)


def test_sockets_from_systemd():
    code = """
        import os, socket
        keep = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        numbers = [os.dup(one.fileno()) for one in keep]
        ports = [one.getsockname()[1] for one in keep]
        for target in (3, 4):
            os.dup2(numbers[target - 3], target, inheritable=True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="web:admin")
        from hubcore.server import activated
        [admin] = activated("admin")
        assert admin.getsockname()[1] == ports[1] and admin.fileno() == 4 and not admin.get_inheritable()
        admin.detach()
        assert [one.getsockname()[1] for one in activated()] == ports
        assert "LISTEN_FDS" not in os.environ
        assert activated() == []
    """
    # Without `-m pytest`'s fds in the way: 3 and 4 are free in a new process.
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_systemd_gave_to_another_process_is_not_taken(monkeypatch):
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert activated() == []
    assert os.environ["LISTEN_FDS"] == "1"
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "many")
    with pytest.raises(ValueError, match="many"):
        activated()


@pytest.mark.skipif(not hasattr(stdlib, "SO_REUSEPORT"), reason="this platform has no SO_REUSEPORT")
def test_two_servers_share_a_port():
    with StreamServer(LOCAL, echo, reuse_port=True) as first:
        with StreamServer(("127.0.0.1", first.server_port), echo, reuse_port=True) as second:
            assert first.server_port == second.server_port
            first.close()
            assert ask(second) == b"hello"


def test_get_listener_is_of_the_class():
    with StreamServer.get_listener(LOCAL, backlog=3) as listener:
        assert isinstance(listener, socket.socket)
        with StreamServer(listener, echo) as server:
            assert ask(server) == b"hello"

    class Own(StreamServer):
        @classmethod
        def get_listener(cls, address, backlog=None, family=None):
            made.append(address)
            return super().get_listener(address, backlog, family)

    made = []
    with Own(LOCAL, echo) as server:
        assert ask(server) == b"hello"
    assert made == [LOCAL]


# -- datagrams


@pytest.mark.parametrize("how", ["default", None, 3], ids=["a greenlet each", "none", "a pool"])
def test_a_datagram_server_answers(how):
    if how == 3:
        how = Pool(3)

    def handle(data, address):
        server.sendto(data.upper(), address)

    with DatagramServer(LOCAL, handle, spawn=how) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(20)
        for word in (b"one", b"two", b"a" * 20_000):
            client.sendto(word, server.address)
            assert client.recvfrom(1 << 16) == (word.upper(), server.address)
    with pytest.raises(OSError, match="no socket to send from"):
        server.sendto(b"x", LOCAL)


def test_a_datagram_server_goes_on_when_a_handler_fails_or_an_answer_finds_nobody(caplog):
    def handle(data, address):
        if data == b"fail":
            raise ZeroDivisionError
        server.sendto(data, address)

    with DatagramServer(LOCAL, handle) as server:
        gone = socket.socket(type=socket.SOCK_DGRAM)
        gone.sendto(b"anybody?", server.address)
        gone.close()
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(20)
            client.sendto(b"fail", server.address)
            client.sendto(b"more", server.address)
            assert client.recv(10) == b"more"
    assert "ZeroDivisionError" in caplog.text


def test_a_datagram_server_on_a_unix_socket(tmp_path):
    heard = []
    with DatagramServer(str(tmp_path / "s"), lambda *args: heard.append(args)) as server:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"hello", server.address)
            while not heard:
                sleep(0.001)
    assert heard[0][0] == b"hello"


# -- limits and faults


def test_a_number_is_a_pool_of_that_size():
    pytest.importorskip("hubcore.pool")
    busy, most, go = 0, 0, Event()

    def handle(sock, address):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        go.wait()
        busy -= 1

    with StreamServer(LOCAL, handle, spawn=2) as server:
        clients = [socket.create_connection(server.address) for _ in range(5)]
        while busy < 2:
            sleep(0.001)
        settle(hubcore.get_hub())
        assert (busy, server.full()) == (2, True)
        go.set()
        for client in clients:
            assert client.recv(1) == b""
            client.close()
    assert most == 2


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_accept_errors_back_off_are_told_once_and_pass(number, caplog, hub):
    class Failing(StreamServer):
        min_delay = 0.001
        max_delay = 0.004

        def do_read(self):
            if failures:
                times.append(hub.loop.update_now())
                raise failures.pop()
            return super().do_read()

    failures = [OSError(number, os.strerror(number)) for _ in range(5)]
    times = []
    with Failing(LOCAL, echo) as server:
        assert ask(server) == b"hello"
    assert len(caplog.records) == 1
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for gap, least in zip(gaps, (0.001, 0.002, 0.004, 0.004), strict=True):
        assert gap > least * 0.999


def test_stop_lets_handlers_finish_and_kills_those_that_do_not():
    told, begun = [], []

    def handle(sock, address):
        word = sock.recv(1)
        begun.append(word)
        try:
            sleep(0.02 if word == b"q" else 1e6)
            told.append("finished")
        except hubcore.GreenletExit:
            told.append("killed")
            raise

    server = StreamServer(LOCAL, handle)
    server.start()
    clients = [socket.create_connection(server.address) for _ in range(2)]
    for client, word in zip(clients, (b"q", b"s"), strict=True):
        client.sendall(word)
    while len(begun) < 2:
        sleep(0.001)
    server.stop(timeout=0.2)
    assert told == ["finished", "killed"]
    for client in clients:
        client.close()


def test_stop_of_one_server_leaves_the_others_of_its_pool_alone():
    pool = Pool(10)
    release = Event()

    def handle(sock, address):
        release.wait()
        sock.sendall(b"done")

    first, second = StreamServer(LOCAL, handle, spawn=pool), StreamServer(LOCAL, handle, spawn=pool)
    with first, second:
        with socket.create_connection(first.address) as one, socket.create_connection(second.address) as two:
            while len(pool.greenlets) < 2:
                sleep(0.001)
            first.stop(timeout=0)
            assert one.recv(9) == b""
            release.set()
            assert two.recv(9) == b"done"


def test_serve_forever_ends_by_ctrl_c():
    code = """
        import os, signal
        from hubcore.server import StreamServer
        server = StreamServer(("127.0.0.1", 0), print)
        try:
            print("up", flush=True)
            server.serve_forever()
        except KeyboardInterrupt:
            print("interrupted", server.closed)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "up\n"
        sleep(0.3)  # by now it waits; a Ctrl-C before that is as good
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (output, process.returncode) == ("interrupted True\n", 0), errors


# -- TLS


@pytest.fixture
def certificate():
    pytest.importorskip("hubcore.ssl")
    test = pytest.importorskip("test")
    found = sorted(Path(test.__file__).parent.rglob("keycert.pem"))
    if not found:
        pytest.skip("this Python has no test certificates")
    return str(found[0])


def tls_client(server):
    import hubcore.ssl as ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # No timeout: in virtual time it would be over before the kernel has ended the 40 ms of a delayed acknowledgement.
    return context.wrap_socket(socket.create_connection(server.address))


@pytest.mark.parametrize("how", ["certfile", "context"])
def test_tls(certificate, how):
    import hubcore.ssl as ssl

    if how == "context":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        arguments = {"ssl_context": context}
    else:
        arguments = {"certfile": certificate}
    with StreamServer(LOCAL, echo, **arguments) as server:
        assert server.ssl_enabled
        with tls_client(server) as client:
            client.sendall(b"secret")
            assert client.recv(100) == b"secret"


def test_a_peer_that_fails_at_the_handshake_or_stalls_is_dropped(certificate, caplog):
    with caplog.at_level(logging.INFO, "hubcore"), StreamServer(LOCAL, echo, certfile=certificate) as server:
        server.handshake_timeout = 0.02
        with socket.create_connection(server.address, timeout=20) as stalls:
            assert stalls.recv(1) == b""
        with socket.create_connection(server.address, timeout=20) as talks:
            talks.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while True:
                try:
                    if not talks.recv(100):
                        break
                except ConnectionResetError:
                    break
        server.handshake_timeout = 20
        with tls_client(server) as client:
            client.sendall(b"still here")
            assert client.recv(100) == b"still here"
    assert all(record.levelno == logging.INFO for record in caplog.records)
    assert len(caplog.records) == 2


def test_a_handle_that_cannot_be_called_is_said_at_once():
    with pytest.raises(TypeError, match="callable, not 5"):
        StreamServer(LOCAL, 5)
    with pytest.raises(TypeError, match="callable, not None"):
        StreamServer(LOCAL).set_handle(None)


def test_tls_arguments_that_make_no_sense(certificate):
    import ssl as other

    import hubcore.ssl as ssl

    for arguments in (
        {"ssl_context": other.SSLContext(other.PROTOCOL_TLS_SERVER)},
        {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "certfile": certificate},
        {"keyfile": certificate},
        {"cretfile": certificate},
    ):
        with pytest.raises(TypeError):
            StreamServer(LOCAL, echo, **arguments)
