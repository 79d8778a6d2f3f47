"""StreamServer: listening, accepting, stopping, and what continues after a failure."""

import errno
import logging

import pytest

import hubcore
from hubcore import Greenlet, GreenletExit, sleep, socket, spawn
from hubcore.baseserver import BaseServer
from hubcore.server import StreamServer
from hubcore.testing import run_python, settle

pytestmark = pytest.mark.usefixtures("hub")

LOCAL = ("127.0.0.1", 0)


def echo(sock, address):
    while data := sock.recv(100):
        sock.sendall(data)


def ask(server, word=b"hello"):
    """One connection to `server`: send a word, end, and read the answer."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as client:
        client.sendall(word)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(100):
            answer += part
        return answer


class Pool:
    """The part of a Pool that a server uses, with room for `size`."""

    def __init__(self, size):
        self.size = size
        self.greenlets = set()
        self.most = 0

    def spawn(self, *args):
        one = spawn(*args)
        self.greenlets = {one, *(other for other in self.greenlets if not other.ready())}
        self.most = max(self.most, len(self.greenlets))
        return one

    def full(self):
        return sum(not one.ready() for one in self.greenlets) >= self.size

    def wait_available(self):
        while self.full():
            hubcore.wait([one for one in self.greenlets if not one.ready()], count=1)

    def join(self, timeout=None):
        hubcore.joinall(list(self.greenlets), timeout=timeout)

    def kill(self, block=True, timeout=None):
        hubcore.killall(list(self.greenlets), block=block, timeout=timeout)


def test_each_connection_gets_a_greenlet_and_its_socket_is_closed_after_it():
    seen = []

    def handle(sock, address):
        seen.append((sock, address, hubcore.getcurrent()))
        echo(sock, address)

    with StreamServer(LOCAL, handle) as server:
        assert (server.started, server.closed) == (True, False)
        assert server.server_host == "127.0.0.1"
        assert server.server_port > 0
        clients = [spawn(ask, server, b"%d" % i) for i in range(20)]
        hubcore.joinall(clients, raise_error=True)
        assert [client.value for client in clients] == [b"%d" % i for i in range(20)]
        hubcore.joinall([greenlet for _, _, greenlet in seen])
    assert len({greenlet for _, _, greenlet in seen}) == 20
    assert all(sock.closed for sock, _, _ in seen)
    assert all(address[0] == "127.0.0.1" for _, address, _ in seen)


def test_the_states_of_a_server():
    server = StreamServer(LOCAL, echo)
    assert (server.started, server.closed, server.address) == (False, True, LOCAL)
    assert repr(server) == f"<StreamServer closed on {LOCAL!r}, 0 handlers>"
    server.start()
    server.start()
    assert ask(server) == b"hello"
    assert "accepting on ('127.0.0.1', " in repr(server)
    server.stop_accepting()
    assert (server.started, server.closed) == (False, False)
    with socket.create_connection(server.address) as waiting:
        waiting.sendall(b"patience")
        server.start_accepting()
        assert waiting.recv(100) == b"patience"
    server.close()
    server.close()
    assert (server.started, server.closed) == (False, True)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address)
    server.start()  # again, on the same port
    assert ask(server) == b"hello"
    server.stop()
    server.stop()


def test_close_lets_handlers_finish_and_stop_kills_those_that_do_not(hub):
    ends = []

    def handle(sock, address):
        try:
            echo(sock, address)
            ends.append("end")
        except GreenletExit:
            ends.append("killed")
            raise

    server = StreamServer(LOCAL, handle)
    server.start()
    client = socket.create_connection(server.address)
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    server.close()
    client.sendall(b"still")
    assert client.recv(100) == b"still"
    began = hub.loop.update_now()
    server.stop(timeout=0.01)
    assert hub.loop.update_now() - began >= 0.01
    assert ends == ["killed"]
    assert client.recv(1) == b""
    client.close()
    with StreamServer(LOCAL, handle) as server, socket.create_connection(server.address) as client:
        client.sendall(b"x")
        client.recv(1)
        spawn(lambda: client.shutdown(socket.SHUT_WR))
        server.stop(timeout=20)
    assert ends == ["killed", "end"]


def test_serve_forever_lasts_until_stop_close_or_kill(hub):
    for end in ("stop", "close", "kill"):
        server = StreamServer(LOCAL, echo)
        serving = spawn(server.serve_forever)
        settle(hub)
        assert ask(server) == b"hello"
        assert not serving.ready()
        if end == "kill":
            serving.kill()
        else:
            getattr(server, end)()
            serving.get()
        assert server.closed
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address)


@pytest.mark.parametrize("how", ["default", "raw", None, "callable", "pool"])
def test_a_handler_that_fails_is_reported_and_the_server_goes_on(how, caplog):
    def handle(sock, address):
        if sock.recv(100) == b"fail":
            raise ValueError("no such word")
        sock.sendall(b"fine")

    ways = {"callable": lambda *args: spawn(*args), "pool": Pool(3)}
    with StreamServer(LOCAL, handle, spawn=ways.get(how, how)) as server:
        with caplog.at_level(logging.ERROR, "hubcore"):
            assert ask(server, b"fail") == b""
            assert ask(server, b"word") == b"fine"
            assert ask(server, b"fail") == b""
        assert ask(server, b"word") == b"fine"
    assert [record.exc_info[0] for record in caplog.records] == [ValueError] * 2


def test_a_handler_that_cannot_be_spawned_is_reported_and_its_connection_closed(caplog):
    attempts = []

    def refuse_the_first(*args):
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("no room")
        return spawn(*args)

    with StreamServer(LOCAL, echo, spawn=refuse_the_first) as server:
        with caplog.at_level(logging.ERROR, "hubcore"), pytest.raises(OSError):  # however the client learns of it
            if ask(server) == b"":
                raise ConnectionResetError
        assert ask(server) == b"hello"
    assert [record.exc_info[0] for record in caplog.records] == [RuntimeError]


def test_a_server_without_a_handler_says_so(caplog):
    with StreamServer(LOCAL) as server:
        with caplog.at_level(logging.ERROR, "hubcore"), pytest.raises(OSError):  # however the client learns of it
            if ask(server) == b"":
                raise ConnectionResetError
        server.set_handle(echo)
        assert ask(server) == b"hello"
    assert "has no handler; pass handle=" in str(caplog.records[0].exc_info[1])


def test_a_full_pool_keeps_connections_waiting(hub):
    pool = Pool(2)
    with StreamServer(LOCAL, echo, spawn=pool) as server:
        assert server.pool is pool
        clients = [spawn(ask, server, b"%d" % i) for i in range(10)]
        hubcore.joinall(clients, raise_error=True)
        assert sorted(client.value for client in clients) == [b"%d" % i for i in range(10)]
        held = [socket.create_connection(server.address) for _ in range(3)]
        settle(hub)
        while not server.full():
            sleep(0)
        held[2].sendall(b"late")
        held[2].settimeout(0.02)
        with pytest.raises(TimeoutError):
            held[2].recv(1)
        held[0].close()
        held[2].settimeout(20)
        assert held[2].recv(100) == b"late"
    assert pool.most == 2
    assert all(one.ready() for one in pool.greenlets)
    for client in held:
        client.close()


def test_a_server_is_a_subclass_away_from_another_kind_of_handler():
    class Greeter(StreamServer):
        def handle(self, sock, address):
            sock.sendall(b"good day, " + sock.recv(100))
            sock.recv(1)

    server = Greeter(LOCAL)
    server.set_handle(server.handle)
    with server:
        assert ask(server) == b"good day, hello"
    assert isinstance(server, BaseServer)
    assert not issubclass(Greenlet, BaseServer)


def test_running_out_of_file_descriptors_is_survived(hub_backend):
    if hub_backend == "virtual":
        hub_backend = "select"  # the waits between tries take real time here, in which the clients act
    done = run_python(
        """
        import logging, resource
        import hubcore
        from hubcore import socket
        from hubcore.server import StreamServer

        failures = []

        class Handler(logging.Handler):
            def emit(self, record):
                failures.append(record.exc_info[1].errno)

        logging.getLogger("hubcore").addHandler(Handler())

        def echo(sock, address):
            while data := sock.recv(100):
                sock.sendall(data)

        server = StreamServer(("127.0.0.1", 0), echo)
        server.start()
        hubcore.sleep(0)
        clients = [socket.socket() for _ in range(20)]
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (clients[-1].fileno() + 6, hard))
        for client in clients:
            client.connect(server.address)
            client.sendall(b"hello")
        answered = 0
        while not failures:
            hubcore.sleep(0.001)
        while clients:
            # Each that is answered and closed makes room for one more.
            done = []
            for client in clients:
                client.settimeout(0.001)
                try:
                    assert client.recv(100) == b"hello"
                    done.append(client)
                except TimeoutError:
                    pass
            for client in done:
                client.close()
                clients.remove(client)
                answered += 1
            hubcore.sleep(0.001)
        print(answered, set(failures), len(failures) < 20, server.started)
        server.stop()
        """,
        hub_backend,
    )
    assert done.stdout == f"20 {{{errno.EMFILE}}} True True\n"


def test_importing_the_server_pulls_in_no_ssl_and_no_logging():
    done = run_python("import sys, hubcore.server; print(sorted({'ssl', 'logging', 'asyncio'} & set(sys.modules)))")
    assert done.stdout == "[]\n"


def test_a_handler_that_is_killed_before_it_begins_leaves_no_connection_open():
    with StreamServer(LOCAL, echo) as server:
        with socket.create_connection(("127.0.0.1", server.server_port)) as client:
            while not server._handlers:
                sleep(0)
            (handler,) = server._handlers
            handler.kill()
            assert client.recv(1) == b""
        assert not server._unstarted
