"""A connection whose greenlet is killed, timed out or cancelled, wherever it waits, leaves nothing behind."""

import pytest

import hubcore
from hubcore import Timeout, sleep, socket, spawn, ssl
from hubcore.hub import get_hub
from hubcore.pool import Pool
from hubcore.testing import settle
from tests.http.support import Client, chunked, get, post, serving
from tests.support.certificates import server_context

pytestmark = pytest.mark.usefixtures("hub")


class Application:
    """Reads the body in small steps, answers in several, and counts what it began and what was closed."""

    def __init__(self):
        self.begun = self.closed = 0

    def __call__(self, environ, start_response):
        self.begun += 1
        try:
            body = environ["wsgi.input"].read()
            sleep(0)
        except BaseException:
            self.closed += 1
            raise
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Result(self, body)


class Result:
    def __init__(self, app, body):
        self.app, self.body = app, body

    def __iter__(self):
        yield b"one"
        sleep(0)
        yield self.body
        sleep(0)
        yield b"x" * (5_000_000 if self.body == b"large" else 3)

    def close(self):
        self.app.closed += 1


REQUESTS = {
    "idle": b"",
    "head": get(),
    "body": post(b"hello"),
    "chunks": chunked(b"hel", b"lo"),
    "large": post(b"large"),
    "two": post(b"a") + get("/", "Connection: close"),
    "bad": b"BAD\r\n\r\n",
    "continue": get("/", "Expect: 100-continue", "Content-Length: 5", method="POST"),
}
HOW = {
    "kill": lambda greenlet: greenlet.kill(block=False),
    "an error": lambda greenlet: greenlet.kill(ValueError("mine"), block=False),
    "a timeout": lambda greenlet: greenlet.kill(Timeout(1), block=False),
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("request_", REQUESTS)
def test_ended_wherever_it_waits(request_, how):
    data = REQUESTS[request_]
    for at in range(0, len(data) + 1, 1 if len(data) < 60 else 3):
        app, pool = Application(), Pool(5)
        with serving(app, validate=False, expect_errors=True, spawn=pool) as server, Client(server) as client:
            client.send(data[:at])
            while not server._handlers:
                sleep(0)
            settle(get_hub())
            (handler,) = server._handlers or (None,)
            if handler is not None:
                HOW[how](handler)
                hubcore.joinall([handler])
            try:
                client.rest()
            except ConnectionResetError:
                pass
            assert app.closed == app.begun
            assert len(pool) == 0
            assert server.statistics["connections"] == 0
            assert not server._rules.connections
            with Client(server) as another:
                assert another.ask(get()).body == b"onexxx"


@pytest.mark.parametrize("steps", range(12))
def test_killed_after_so_many_turns(steps):
    app = Application()
    with serving(app, validate=False) as server, Client(server) as client:
        client.send(post(b"hello") * 2 + get())
        while not server._handlers:
            sleep(0)
        (handler,) = server._handlers
        for _ in range(steps):
            sleep(0)
        handler.kill()
        try:
            client.rest()
        except ConnectionResetError:
            pass
        assert app.closed == app.begun
        assert server.statistics["connections"] == 0


def test_killed_while_a_full_pool_has_no_room():
    held = []

    def app(environ, start_response):
        held.append(True)
        sleep(1e6)

    with serving(app, validate=False, spawn=1) as server, Client(server) as first, Client(server) as second:
        first.send(get())
        while not held:
            sleep(0)
        (running,) = server.pool
        second.send(get())
        while server.statistics["requests"] < 2:
            sleep(0)
        (waiting,) = set(server._handlers) - {running}
        waiting.kill()
        assert second.ended()
        assert (len(server.pool), len(held)) == (1, 1)
        running.kill()
        assert len(server.pool) == 0


def test_killed_during_the_handshake():
    with serving(ssl_context=server_context(ssl)) as server, Client(server) as client:
        client.send(b"\x16\x03\x01")
        while not server._handlers:
            sleep(0)
        settle(get_hub())
        (handler,) = server._handlers
        handler.kill()
        try:
            assert client.ended()
        except ConnectionResetError:
            pass
        assert server.statistics["connections"] == 0


def test_killed_while_it_lingers():
    with serving(discard_limit=10) as server, Client(server) as client:
        client.send(post(b"x" * 1000)[:-1])
        assert client.response().status == 200
        (handler,) = server._handlers
        handler.kill()
        assert client.ended()


def test_a_pool_that_is_killed_ends_its_requests():
    app = Application()
    pool = Pool(3)
    with serving(app, validate=False, spawn=pool) as server:
        clients = [Client(server).send(post(b"large")) for _ in range(3)]
        while len(pool) < 3:
            sleep(0)
        pool.kill()
        for client in clients:
            client.close()
        settle(get_hub())
        assert app.closed == app.begun
        assert len(pool) == 0


def test_a_client_that_vanishes_at_any_moment():
    data = post(b"hello") + chunked(b"hello") + get("/", "Connection: close")
    app = Application()
    with serving(app, validate=False) as server:
        for at in range(len(data)):
            client = Client(server)
            client.send(data[:at])
            if at % 2:
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        while server.statistics["connections"]:
            sleep(0.001)
    assert app.closed == app.begun
    assert app.begun > len(data) / 2


def test_the_server_is_killed_while_it_stops():
    app = Application()
    with serving(app, validate=False) as server, Client(server) as client:
        client.send(post(b"large"))
        while not app.begun:
            sleep(0)
        stopping = spawn(server.stop)
        settle(get_hub())
        stopping.kill()
        assert server.closed
        server.stop(timeout=0)
        assert server.statistics["connections"] == 0
        assert app.closed == app.begun
