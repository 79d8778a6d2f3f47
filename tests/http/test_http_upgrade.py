"""Connections that are handed over to the application: the ways to take one, early bytes, the end, the log."""

import pytest

from hubcore import Timeout, sleep, socket, spawn
from hubcore.pywsgi import WSGIHandler
from tests.http import seam
from tests.http.support import Client, Stream, get, hello, serving

pytestmark = pytest.mark.usefixtures("hub")

UPGRADE = get("/ws", "Connection: Upgrade", "Upgrade: mine")
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mine\r\n\r\n"


def echo_lines(recv, send):
    """What the applications here speak: what comes, in capital letters, until there is no more."""
    while data := recv(100):
        send(data.upper())


def by_key(key):
    def app(environ, start_response):
        sock = environ[key]
        sock.sendall(SWITCH)
        echo_lines(sock.recv, sock.sendall)
        return []

    return app


def by_file(environ, start_response):
    sock = environ["wsgi.input"].rfile.raw._sock
    sock.sendall(SWITCH)
    echo_lines(sock.recv, sock.sendall)
    return []


def by_start_response(environ, start_response):
    start_response("101 Switching Protocols", [("Connection", "Upgrade"), ("Upgrade", "mine")])
    sock = environ["hubcore.socket"]
    echo_lines(sock.recv, sock.sendall)
    return []


def by_write(environ, start_response):
    write = start_response("101 Switching Protocols", [("Connection", "Upgrade"), ("Upgrade", "mine")])
    write(b"")
    echo_lines(environ["gunicorn.socket"].recv, write)
    return []


def by_iterable(environ, start_response):
    start_response("101 Switching Protocols", [("Connection", "Upgrade"), ("Upgrade", "mine")])

    def lines():
        while data := environ["hubcore.socket"].recv(100):
            yield data.upper()

    return lines()


WAYS = {
    "hubcore.socket": by_key("hubcore.socket"),
    "gunicorn.socket": by_key("gunicorn.socket"),
    "rfile": by_file,
    "start_response": by_start_response,
    "write": by_write,
    "iterable": by_iterable,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("early", [b"", b"early"])
def test_an_application_takes_the_connection(way, early):
    log = Stream()
    with (
        serving(WAYS[way], validate=False, log=log, log_format="%(m)s %(U)s %(s)s") as server,
        Client(server) as client,
    ):
        client.send(UPGRADE + early)
        head = client.head()
        assert (head.status, head["Upgrade"], head["Connection"]) == (101, "mine", "Upgrade")
        assert {name for name, _ in head.headers} == {"Connection", "Upgrade"}
        if early:
            assert client.take(5) == b"EARLY"
        for word in (b"one", b"GET / HTTP/1.1\r\n\r\n"):
            client.send(word)
            assert client.take(len(word)) == word.upper()
        client.end()
        assert client.ended()
    assert log.text == "GET /ws 101\n"


def test_looking_at_the_keys_takes_nothing():
    def app(environ, start_response):
        assert "hubcore.socket" in environ
        assert environ.get("gunicorn.socket") is not None
        assert "not taken" in repr(environ["hubcore.socket"])
        assert hasattr(environ["wsgi.input"], "rfile")
        assert hasattr(environ["wsgi.input"].rfile, "raw")
        return hello(environ, start_response)

    responses, errors = seam.talk(app, UPGRADE * 2)
    assert errors == ""
    assert [response.body for response in responses] == [b"hello"] * 2


def test_no_time_limit_of_the_server_holds_afterwards(hub_backend):
    second = 1000.0 if "virtual" in hub_backend else 0.02
    limits = dict.fromkeys(("keepalive", "header_timeout", "body_timeout", "write_timeout"), second)
    with serving(by_key("hubcore.socket"), validate=False, **limits) as server, Client(server, 1e9) as client:
        client.send(UPGRADE)
        client.head()
        sleep(second * 5)
        client.send(b"word")
        assert client.take(4) == b"WORD"


def test_what_came_early_is_read_in_every_way():
    seen = []

    def app(environ, start_response):
        sock = environ["hubcore.socket"]
        seen.append(sock.recv(2))
        buffer = bytearray(3)
        seen.append(bytes(buffer[: sock.recv_into(buffer, 2)]))
        seen.append(bytes(buffer[: sock.recv_into(buffer)]))
        with sock.makefile("rb") as file:
            seen.append(file.read(5))
            seen.append(file.readline())
        with sock.makefile("rb", 0) as file:
            seen.append(file.read(4))
        assert sock.fileno() >= 0
        sock.settimeout(10)
        assert sock.gettimeout() == 10
        return []

    with serving(app, validate=False) as server, Client(server) as client:
        client.send(UPGRADE + b"abcdefghijklmnop\n")
        sleep(0.01)
        client.send(b"more")
        assert client.ended()
    assert seen == [b"ab", b"cd", b"efg", b"hijkl", b"mnop\n", b"more"]


def test_the_connection_is_taken_without_any_field_that_asks_for_it():
    with serving(by_key("hubcore.socket"), validate=False) as server, Client(server) as client:
        client.send(get())
        assert client.head().status == 101
        client.send(b"word")
        assert client.take(4) == b"WORD"


def test_an_error_afterwards_is_told_and_nothing_is_sent():
    def app(environ, start_response):
        environ["hubcore.socket"].sendall(SWITCH)
        raise ValueError("mine")

    with serving(app, validate=False, expect_errors=True) as server, Client(server) as client:
        client.send(UPGRADE)
        assert client.rest() == SWITCH
        assert "ValueError: mine" in server.error_log.text


def test_stop_iteration_is_a_normal_end():
    def app(environ, start_response):
        environ["hubcore.socket"].sendall(SWITCH)
        raise StopIteration

    with serving(app, validate=False) as server, Client(server) as client:
        client.send(UPGRADE)
        assert client.rest() == SWITCH


def test_the_socket_is_of_no_use_once_the_request_is_over():
    kept = []

    def app(environ, start_response):
        kept.append(environ["hubcore.socket"])
        return hello(environ, start_response)

    with serving(app) as server, Client(server) as client:
        client.ask(get())
        with pytest.raises(OSError, match="the request is over"):
            kept[0].sendall(b"x")
        assert "over" in repr(kept[0])
        assert client.ask(get()).body == b"hello"


def test_another_greenlet_may_use_the_socket_while_the_application_runs():
    def app(environ, start_response):
        sock = environ["hubcore.socket"]
        sock.sendall(SWITCH)
        reading = spawn(sock.recv, 100)
        sock.sendall(reading.get())
        return []

    with serving(app, validate=False) as server, Client(server) as client:
        client.send(UPGRADE)
        client.head()
        client.send(b"word")
        assert client.rest() == b"word"


def test_a_pool_of_requests_counts_it_until_it_ends():
    with serving(by_key("hubcore.socket"), validate=False, spawn=1) as server:
        with Client(server) as first, Client(server) as second:
            first.send(UPGRADE)
            first.head()
            assert len(server.pool) == 1
            second.send(UPGRADE)
            with pytest.raises(Timeout), Timeout(0.05):
                second.head()
            first.close()
            assert second.head().status == 101


# -- handler classes, as gevent-websocket's


class Taking(WSGIHandler):
    """Takes connections that ask for it, by its own socket and file, and leaves the others to the application."""

    def run_application(self):
        if self.environ.get("HTTP_UPGRADE") != "mine":
            super().run_application()
            return
        self.result = []
        self.start_response("101 Switching Protocols", [("Connection", "Upgrade"), ("Upgrade", "mine")])
        assert self.status
        assert not self.headers_sent
        self.write(b"")
        assert self.headers_sent
        file = self.rfile
        echo_lines(lambda size: file.readline(), self.socket.sendall)


def test_a_handler_class_takes_the_connection_by_its_file_and_socket():
    log = Stream()
    settings = {"handler_class": Taking, "log": log, "log_format": "%(U)s %(s)s"}
    with serving(hello, **settings) as server, Client(server) as client:
        assert client.ask(get("/plain")).body == b"hello"
        client.send(UPGRADE + b"early\n")
        head = client.head()
        assert head.headers == [("Connection", "Upgrade"), ("Upgrade", "mine")]
        assert client.take(6) == b"EARLY\n"
        client.send(b"later\n")
        assert client.take(6) == b"LATER\n"
        client.end()
        assert client.ended()
    assert log.lines == ["/plain 200", "/ws 101"]


def test_a_socket_with_tls_is_handed_over():
    from hubcore import ssl
    from tests.support.certificates import authority, server_context

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    with serving(by_key("hubcore.socket"), validate=False, ssl_context=server_context(ssl)) as server:
        sock = socket.create_connection(("127.0.0.1", server.server_port))
        with Client(context.wrap_socket(sock, server_hostname="localhost")) as client:
            client.send(UPGRADE + b"early")
            assert client.head().status == 101
            assert client.take(5) == b"EARLY"
            client.send(b"word")
            assert client.take(4) == b"WORD"
