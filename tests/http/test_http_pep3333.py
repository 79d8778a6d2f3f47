"""PEP 3333: mistakes of applications, exc_info, write, close, the environ."""

import re

import pytest

from hubcore import sleep
from hubcore.event import Event
from tests.http import seam
from tests.http.support import Client, get, post, serving

pytestmark = pytest.mark.usefixtures("hub")

TEXT = ("Content-Type", "text/plain")


def answering(result, status="200 OK", headers=(TEXT,)):
    """An application that answers so."""

    def app(environ, start_response):
        start_response(status, list(headers))
        return result() if callable(result) else result

    return app


def only(app, request=None, **settings):
    """The one response to a request, with nothing in the error log."""
    responses, errors = seam.talk(app, request or get(), **settings)
    assert errors == ""
    (response,) = responses
    return response


def failing(app, request=None, **settings):
    """The response to a request, what it says, and what the error log has."""
    sock = seam.Pieces([request or get()])
    with serving(app, validate=False, expect_errors=True, **settings) as server:
        server.handle(sock, ("192.0.2.1", 1))
        return sock.sent, server.error_log.text


# -- mistakes of applications


class Loud(str):
    """A str of another class."""


MISTAKES = {
    "no start_response": lambda start: [b"x"],
    "no start_response, and nothing": lambda start: [],
    "no start_response, and an iterable": lambda start: iter([b"x"]),
    "twice": lambda start: (start("200 OK", []), start("200 OK", [])) and [b"x"],
    "a number for a status": lambda start: start(200, []) and [b"x"],
    "bytes for a status": lambda start: start(b"200 OK", []) and [b"x"],
    "a word for a status": lambda start: start("OK", []) and [b"x"],
    "two digits": lambda start: start("20 OK", []) and [b"x"],
    "four digits": lambda start: start("2000 OK", []) and [b"x"],
    "a status of 0": lambda start: start("000 OK", []) and [b"x"],
    "a line end in the status": lambda start: start("200 OK\r\nX: y", []) and [b"x"],
    "a status beyond Latin-1": lambda start: start("200 \u20ac", []) and [b"x"],
    "None for headers": lambda start: start("200 OK", None) and [b"x"],
    "a dict for headers": lambda start: start("200 OK", {"A": "b"}) and [b"x"],
    "a str for a header": lambda start: start("200 OK", ["A: b"]) and [b"x"],
    "three parts": lambda start: start("200 OK", [("A", "b", "c")]) and [b"x"],
    "bytes for a name": lambda start: start("200 OK", [(b"A", "b")]) and [b"x"],
    "bytes for a value": lambda start: start("200 OK", [("A", b"b")]) and [b"x"],
    "a number for a value": lambda start: start("200 OK", [("A", 1)]) and [b"x"],
    "None for a value": lambda start: start("200 OK", [("A", None)]) and [b"x"],
    "a list for a value": lambda start: start("200 OK", [("A", ["b"])]) and [b"x"],
    "an empty name": lambda start: start("200 OK", [("", "b")]) and [b"x"],
    "a space in a name": lambda start: start("200 OK", [("A B", "c")]) and [b"x"],
    "a colon in a name": lambda start: start("200 OK", [("A:", "b")]) and [b"x"],
    "a line end in a name": lambda start: start("200 OK", [("A\r\nB", "c")]) and [b"x"],
    "a name beyond ASCII": lambda start: start("200 OK", [("\xc5", "b")]) and [b"x"],
    "a carriage return in a value": lambda start: start("200 OK", [("A", "b\rc")]) and [b"x"],
    "a line feed in a value": lambda start: start("200 OK", [("A", "b\nSet-Cookie: c")]) and [b"x"],
    "NUL in a value": lambda start: start("200 OK", [("A", "b\0")]) and [b"x"],
    "a value beyond Latin-1": lambda start: start("200 OK", [("A", "\u20ac")]) and [b"x"],
    "a length that is no number": lambda start: start("200 OK", [("Content-Length", "five")]) and [b"x"],
    "a negative length": lambda start: start("200 OK", [("Content-Length", "-1")]) and [b"x"],
    "two lengths": lambda start: start("200 OK", [("Content-Length", "1"), ("content-length", "2")]) and [b"x"],
    "a str for a body": lambda start: start("200 OK", []) and ["text"],
    "a str for the body": lambda start: start("200 OK", []) and "text",
    "a number for a body": lambda start: start("200 OK", []) and [1],
    "a str in an iterable": lambda start: start("200 OK", []) and iter(["text"]),
    "nothing returned": lambda start: start("200 OK", []) and None,
    "an error": lambda start: 1 / 0,
    "an error of the connection's kind": lambda start: (_ for _ in ()).throw(ConnectionResetError("elsewhere")),
    "an error behind start_response": lambda start: start("200 OK", []) and [b"x"][1],
    "StopIteration": lambda start: next(iter([])),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_500_and_a_traceback_in_the_log(mistake):
    function = MISTAKES[mistake]
    sent, errors = failing(lambda environ, start_response: function(start_response), get("/secret?a=b"))
    client = seam.Answers(sent)
    response = client.response()
    assert client.buffer == b""
    assert (response.status, response.body, response["Connection"]) == (500, b"Internal Server Error\n", "close")
    assert {name for name, _ in response.headers} == {"Content-Type", "Server", "Date", "Content-Length", "Connection"}
    assert errors.count("Traceback (most recent call last)") == 1
    assert re.search(r"^GET /secret\?a=b failed with \w+$", errors.splitlines()[-1])


def test_the_log_has_nothing_of_the_environ():
    def app(environ, start_response):
        raise ValueError("mine")

    _, errors = failing(app, get("/", "Authorization: Basic c2VjcmV0"))
    assert "c2VjcmV0" not in errors


def test_what_a_client_sent_cannot_forge_the_log():
    _, errors = failing(lambda environ, start_response: 1 / 0, get('/"%0a\\'))
    assert errors.splitlines()[-1] == r"GET /\"%0a\\ failed with ZeroDivisionError"


def test_a_mistake_after_the_head_was_sent_ends_the_connection_without_the_last_chunk():
    def result():
        yield b"begun"
        raise ValueError("mine")

    sent, errors = failing(answering(result), get() + get("/smuggled"))
    assert sent.endswith(b"5\r\nbegun\r\n")
    assert sent.count(b"HTTP/1.1") == 1
    assert "ValueError: mine" in errors


# -- exc_info


def test_exc_info_replaces_a_head_that_was_not_sent():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "5"), ("X-Old", "1"), ("Date", "never")])
        try:
            raise ValueError
        except ValueError as error:
            start_response("503 Sorry", [TEXT], (type(error), error, error.__traceback__))
        return [b"sorry"]

    response = only(app)
    assert (response.status, response.body) == (503, b"sorry")
    assert "X-Old" not in response
    assert response["Date"] != "never"


def test_exc_info_is_raised_when_the_head_was_sent():
    raised = []

    def app(environ, start_response):
        start_response("200 OK", [TEXT])(b"begun")
        error = ValueError("mine")
        try:
            start_response("500 No", [TEXT], (ValueError, error, None))
        except ValueError as again:
            raised.append(again is error)
            raise

    sent, errors = failing(app)
    assert raised == [True]
    assert sent.count(b"HTTP/1.1") == 1
    assert "ValueError: mine" in errors


# -- write


def test_write_sends_at_once_and_the_iterable_follows():
    go = Event()

    def app(environ, start_response):
        write = start_response("200 OK", [TEXT])
        write(b"")
        go.wait()
        write(b"a")
        write(b"")
        write(b"b")
        return iter([b"c", b""])

    with serving(app) as server, Client(server) as client:
        client.send(get())
        assert client.head()["Transfer-Encoding"] == "chunked"  # the first write sends the head, even without a body
        go.set()
        assert [client.chunk() for _ in range(4)] == [b"a", b"b", b"c", b""]


def test_write_and_a_list():
    def app(environ, start_response):
        start_response("200 OK", [TEXT, ("Content-Length", "4")])(b"ab")
        return [b"c", b"d"]

    assert only(app).body == b"abcd"


def test_write_takes_bytes_only():
    sent, errors = failing(lambda environ, start_response: start_response("200 OK", [TEXT])("text"))
    assert sent.startswith(b"HTTP/1.1 500 ")
    assert "TypeError: the body of a response is made of bytes, not of str: 'text'" in errors


# -- close


class Result:
    """A body that counts how often it is closed."""

    def __init__(self, items, fails=None):
        self.items = items
        self.closed = 0
        self.fails = fails

    def __iter__(self):
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self):
        self.closed += 1
        if self.fails is not None:
            raise self.fails


@pytest.mark.parametrize(
    "items", [[], [b"a", b"b"], [b""], [ValueError("mine")], [b"a", ValueError("mine")], ["text"], [b"x" * 100_000]]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_result_is_closed_once(items, method):
    result = Result(items)
    failing(answering(lambda: result), get(method=method))
    assert result.closed == 1


def test_the_result_is_closed_when_start_response_was_never_called():
    result = Result([b"a"])
    failing(lambda environ, start_response: result)
    assert result.closed == 1


def test_an_error_of_close_is_told_and_ends_the_connection():
    result = Result([b"a"], fails=ValueError("mine"))
    sent, errors = failing(answering(lambda: result), get() + get("/smuggled"))
    assert sent.endswith(b"1\r\na\r\n0\r\n\r\n")
    assert "ValueError: mine" in errors
    assert result.closed == 1


def test_the_result_is_closed_when_the_client_goes_away():
    result = Result([b"x" * 1000] * 100_000)
    with serving(answering(lambda: result), validate=False) as server, Client(server) as client:
        client.send(get())
        client.head()
        client.close()
        while not result.closed:
            sleep(0.01)
        assert server.statistics["resets"] == 1
    assert result.closed == 1


# -- the environ


def test_the_environ_is_what_the_pep_says():
    app = seam.Seen()
    with serving(app, validate=False) as server, Client(server) as client:
        client.ask(post(b"hello", "Content-Type: text/plain", "X-A: b", path="/a%20b?c=d"))
        port = server.server_port
        peer = client.sock.getsockname()
    environ, body = app.requests[0]
    assert body == b"hello"
    assert type(environ) is dict
    right = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/a b", "QUERY_STRING": "c=d",
        "CONTENT_TYPE": "text/plain", "CONTENT_LENGTH": "5", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": peer[0], "REMOTE_PORT": str(peer[1]), "HTTP_X_A": "b",
        "GATEWAY_INTERFACE": "CGI/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.multithread": True,
        "wsgi.multiprocess": False, "wsgi.run_once": False,
    }  # fmt: skip
    assert {key: environ[key] for key in right} == right
    assert environ["SERVER_SOFTWARE"].startswith("hubcore/")


def test_requests_do_not_share_their_environ():
    seen = []

    def app(environ, start_response):
        seen.append("MINE" in environ)
        environ["MINE"] = "x"
        start_response("200 OK", [TEXT])
        return [b""]

    seam.talk(app, get() * 3)
    assert seen == [False] * 3


def test_wsgi_errors_is_the_error_log():
    def app(environ, start_response):
        environ["wsgi.errors"].write("from the application\n")
        environ["wsgi.errors"].writelines(["a\n", "b\n"])
        environ["wsgi.errors"].flush()
        start_response("200 OK", [TEXT])
        return [b""]

    assert failing(app)[1] == "from the application\na\nb\n"
