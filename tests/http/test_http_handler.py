"""Subclasses of WSGIHandler: what they may replace is called where gevent calls it; and what a handler knows."""

import re

import pytest

from hubcore.pywsgi import WSGIHandler, WSGIServer
from tests.http import seam
from tests.http.support import Client, Stream, echo, get, hello, post, serving

pytestmark = pytest.mark.usefixtures("hub")

POINTS = (
    "handle", "handle_one_request", "read_requestline", "read_request", "get_environ", "handle_one_response",
    "run_application", "start_response", "process_result", "write", "finalize_headers", "log_request", "format_request",
)  # fmt: skip


def recorder(*names):
    """A subclass that notes the calls of these methods, in order, and what they return."""
    calls = []

    def method(name):
        def call(self, *args, **kwargs):
            calls.append(name)
            return getattr(WSGIHandler, name)(self, *args, **kwargs)

        return call

    return type("Recorder", (WSGIHandler,), {name: method(name) for name in names}), calls


def answers(handler_class, *pieces, app=hello, log=None, **settings):
    return seam.talk(app, *pieces, handler_class=handler_class, **settings)


def test_every_point_is_called_in_order():
    kind, calls = recorder(*POINTS)
    log = Stream()
    with serving(lambda environ, start: iter(hello(environ, start)), handler_class=kind, log=log) as server:
        with Client(server) as client:
            assert client.ask(get()).body == b"hello"
            assert client.ask(get("/", "Connection: close")).body == b"hello"
            assert client.ended()
    one = list(POINTS[1:])
    assert calls == ["handle", *one, *one]
    assert len(log.lines) == 2


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("request_", [get(), post(b"hello"), get(method="HEAD"), get(version="1.0")])
def test_a_point_that_only_calls_the_original_changes_nothing(name, request_):
    kind, calls = recorder(name)
    log = Stream()
    sent = []
    for handler_class in (WSGIHandler, kind):
        settings = {"log": log, "log_format": "%(r)s %(s)s %(b)s", "error_log": Stream()}
        server = WSGIServer(("127.0.0.1", 0), echo, handler_class=handler_class, **settings)
        server._rules.application = echo
        sock = seam.Pieces([request_ * 2])
        server.handle(sock, ("192.0.2.1", 1))
        server.stop()
        assert server.error_log.text == ""
        headers = sorted(line for line in sock.sent.splitlines() if not line.startswith(b"Date:"))
        sent.append((headers, re.sub(rb"[^\r\n]+\r\n", b"", sock.sent)))
    # A write of its own may change the size, so that is not known any more.
    assert sent[0] == sent[1] or name == "write"
    half = len(log.lines) // 2
    assert log.lines[:half] == log.lines[half:]
    assert set(calls) == ({name} if name != "write" else set(calls))


def test_get_environ_may_change_and_replace():
    class Own(WSGIHandler):
        def get_environ(self):
            return {**super().get_environ(), "OWN": "mine", "PATH_INFO": "/other"}

    app = seam.Seen()
    responses, _ = answers(Own, get(), app=app)
    assert app.requests[0][0]["OWN"] == "mine"
    assert responses[0]["X-Path"] == "/other"


def test_finalize_headers_sees_all_and_may_change_all():
    seen = []

    class Own(WSGIHandler):
        def finalize_headers(self):
            super().finalize_headers()
            seen.append(dict(self.response_headers))
            self.response_headers = [pair for pair in self.response_headers if pair[0] != "Server"]
            self.response_headers.append(("X-Own", "mine"))

    responses, _ = answers(Own, get() * 2)
    assert set(seen[0]) == {"Content-Type", "Server", "Date", "Content-Length"}
    for response in responses:
        assert {name for name, _ in response.headers} == {"Content-Type", "Date", "Content-Length", "X-Own"}
        assert response.body == b"hello"


def test_write_may_change_what_is_sent():
    class Own(WSGIHandler):
        def write(self, data):
            super().write(data.upper())

    responses, _ = answers(Own, get() * 2)
    assert [(response.body, response.framing) for response in responses] == [(b"HELLO", "chunked")] * 2


def test_start_response_may_add():
    class Own(WSGIHandler):
        def start_response(self, status, headers, exc_info=None):
            return super().start_response(status, [*headers, ("X-Own", "mine")], exc_info)

    responses, _ = answers(Own, get())
    assert responses[0]["X-Own"] == "mine"


def test_read_request_may_refuse_or_change_the_line():
    class Own(WSGIHandler):
        def read_request(self, raw_requestline):
            if "/forbidden" in raw_requestline:
                return False
            return super().read_request(raw_requestline.replace("/old", "/new"))

    app = seam.Seen()
    responses, _ = answers(Own, get("/old") + get("/forbidden") + get("/smuggled"), app=app)
    assert [response.status for response in responses] == [200, 400]
    assert responses[0]["X-Path"] == "/new"


def test_read_requestline_may_change_the_line():
    class Own(WSGIHandler):
        def read_requestline(self):
            return super().read_requestline().replace("GET", "POST")

    app = seam.Seen()
    answers(Own, get(), app=app)
    assert app.requests[0][0]["REQUEST_METHOD"] == "POST"


@pytest.mark.parametrize("outcome", [None, ("200 OK", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nown")])
def test_handle_one_request_may_end_the_connection(outcome):
    class Own(WSGIHandler):
        def handle_one_request(self):
            super().handle_one_request()
            return outcome

    responses, _ = answers(Own, get() * 3)
    assert [response.body for response in responses] == [b"hello"] + ([b"own"] if outcome else [])


def test_log_request_and_format_request():
    class Own(WSGIHandler):
        def format_request(self):
            return f"{self.command} {self.path} {self.code} {self.time_finish >= self.time_start > 0}"

    log = Stream()
    with serving(handler_class=Own, log=log) as server, Client(server) as client:
        client.ask(get("/a?b"))
    assert log.text == "GET /a?b 200 True\n"

    class Other(WSGIHandler):
        def log_request(self):
            seen.append((self.status, self.response_length, self.response_headers, self.environ["PATH_INFO"]))

    seen = []
    with serving(handler_class=Other) as server, Client(server) as client:
        client.ask(get("/a"))
    assert seen == [("200 OK", 5, [("Content-Type", "text/plain")], "/a")]


def test_handle_error_and_log_error():
    class Own(WSGIHandler):
        def handle_error(self, t, v, tb):
            seen.append((t, str(v), tb is not None))

        def log_error(self, msg, *args):
            seen.append(msg % args)

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/short":
            start_response("200 OK", [("Content-Length", "5")])
            return [b""]
        raise ValueError("mine")

    seen = []
    responses, errors = answers(Own, get("/"), app=app)
    assert (responses[0].status, errors) == (500, "")
    assert seen == [(ValueError, "mine", True)]
    with serving(app, validate=False, handler_class=Own) as server, Client(server) as client:
        client.send(get("/short"))
        client.rest()
    assert seen[1:] == ["GET /short: the application sent 5 bytes less than its Content-Length of 5"]


def test_what_a_handler_knows_while_it_serves():
    seen = {}

    class Own(WSGIHandler):
        def run_application(self):
            for name in (
                "command", "path", "requestline", "request_version", "client_address", "application", "content_length",
                "headers_sent", "status", "close_connection", "connection_upgraded", "result", "response_use_chunked",
                "protocol_version", "provided_date", "provided_content_length", "response_length", "code",
            ):  # fmt: skip
                seen[name] = getattr(self, name)
            seen["headers"] = self.headers
            seen["wsgi_input"] = self.wsgi_input is self.environ["wsgi.input"]
            seen["server"] = self.server.application is self.application
            super().run_application()
            seen["after"] = (self.status, self.code, self.headers_sent, self.response_length, self.provided_date)

    with serving(echo, handler_class=Own, validate=False) as server, Client(server) as client:
        client.ask(post(b"hello", "X-A: b", "x-a: c", path="/a?b"))
        peer = client.sock.getsockname()
    headers = seen.pop("headers")
    assert (headers["x-a"], headers.get_all("X-A"), headers.get("None")) == ("b", ["b", "c"], None)
    assert seen.pop("after") == ("200 OK", 200, True, 5, False)
    assert seen == {
        "command": "POST", "path": "/a?b", "requestline": "POST /a?b HTTP/1.1", "request_version": "HTTP/1.1",
        "client_address": peer, "application": echo, "content_length": 5, "headers_sent": False, "status": None,
        "close_connection": False, "connection_upgraded": False, "result": None, "response_use_chunked": False,
        "protocol_version": "HTTP/1.1", "provided_date": False, "provided_content_length": None, "response_length": 0,
        "code": 0, "wsgi_input": True, "server": True,
    }  # fmt: skip


def test_handlers_may_have_attributes_of_their_own():
    class Own(WSGIHandler):
        def handle_one_response(self):
            self.mine = getattr(self, "mine", 0) + 1
            super().handle_one_response()

        def get_environ(self):
            return {**super().get_environ(), "MINE": getattr(self, "mine", 0)}

    app = seam.Seen()
    answers(Own, get() * 3, app=app)
    assert [environ["MINE"] for environ, _ in app.requests] == [0, 1, 2]


def test_a_handler_reads_first_what_somebody_has_read_before():
    import io

    sock = seam.Pieces([get("/second")])

    class File(io.BytesIO):
        def read1(self, size):
            return super().read1(size) or sock.recv(size)

    server = WSGIServer(("127.0.0.1", 0), echo, log=None)
    server._rules.application = echo
    WSGIHandler(sock, ("192.0.2.1", 1), server, File(get("/first"))).handle()
    client = seam.Answers(sock.sent)
    assert [client.response()["X-Path"] for _ in range(2)] == ["/first", "/second"]
