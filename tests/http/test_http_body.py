"""wsgi.input: reading, the end, bodies that break off, what the application leaves, 100 Continue."""

import errno

import pytest

from hubcore import sleep, socket, spawn
from hubcore.event import Event
from hubcore.pywsgi import BadRequest, ClientGone
from tests.http import seam
from tests.http.support import Client, chunked, echo, get, post, serving

pytestmark = pytest.mark.usefixtures("hub")

TEXT = b"one\ntwo\n\nthree"


def both(body):
    """The same body with a length, in one chunk, and in chunks of one byte."""
    return [post(body), chunked(body), chunked(*[body[i : i + 1] for i in range(len(body))])]


def read_with(use, request, *, validate=True, cut=None):
    """What `use(wsgi.input)` returns in an application that gets `request`."""
    found = []

    def app(environ, start_response):
        found.append(use(environ["wsgi.input"]))
        start_response("200 OK", [])
        return [b""]

    pieces = [request] if cut is None else [request[i : i + cut] for i in range(0, len(request), cut)]
    responses, errors = seam.talk(app, *pieces)
    assert errors == ""
    assert [response.status for response in responses] == [200]
    return found[0]


USES = {
    "all": (lambda body: body.read(), TEXT),
    "all, by a negative size": (lambda body: body.read(-1), TEXT),
    "all, by None": (lambda body: body.read(None), TEXT),
    "more than there is": (lambda body: body.read(1000), TEXT),
    "in parts": (
        lambda body: [body.read(5), body.read(5), body.read(50), body.read(5)],
        [TEXT[:5], TEXT[5:10], TEXT[10:], b""],
    ),
    "nothing": (lambda body: [body.read(0), body.read(3)], [b"", b"one"]),
    "the end, again and again": (lambda body: [body.read()] + [body.read() for _ in range(3)], [TEXT, b"", b"", b""]),
    "the end by a size": (
        lambda body: [body.read(), body.read(5), body.readline(), body.readlines()],
        [TEXT, b"", b"", []],
    ),
    "lines": (lambda body: [body.readline() for _ in range(5)], [b"one\n", b"two\n", b"\n", b"three", b""]),
    "lines of a size": (
        lambda body: [body.readline(2), body.readline(2), body.readline(100), body.readline(0), body.readline(None)],
        [b"on", b"e\n", b"two\n", b"", b"\n"],
    ),
    "a line of just its size": (lambda body: [body.readline(4), body.readline(-1)], [b"one\n", b"two\n"]),
    "all lines": (lambda body: body.readlines(), [b"one\n", b"two\n", b"\n", b"three"]),
    "lines with a hint": (
        lambda body: [body.readlines(5), body.readlines(None)],
        [[b"one\n", b"two\n"], [b"\n", b"three"]],
    ),
    "a loop over lines": (lambda body: list(body), [b"one\n", b"two\n", b"\n", b"three"]),
    "a line and the rest": (lambda body: [body.readline(), body.read()], [b"one\n", b"two\n\nthree"]),
    "some and then lines": (lambda body: [body.read(2), list(body)], [b"on", [b"e\n", b"two\n", b"\n", b"three"]]),
    "next": (lambda body: [next(body), next(body)], [b"one\n", b"two\n"]),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("request_", both(TEXT), ids=["length", "chunk", "chunks"])
@pytest.mark.parametrize("cut", [None, 1, 7])
def test_a_body_is_read(use, request_, cut):
    function, right = USES[use]
    assert read_with(function, request_, cut=cut) == right


@pytest.mark.parametrize("request_", [get(), post(b""), chunked()], ids=["none", "length", "chunks"])
def test_an_empty_body_is_at_its_end(request_):
    def use(body):
        return [
            body.read(),
            body.read(5),
            body.read1(),
            body.readline(),
            body.readlines(),
            list(body),
            body.readinto(bytearray(3)),
        ]

    assert read_with(use, request_) == [b"", b"", b"", b"", [], [], 0]


@pytest.mark.parametrize("request_", both(TEXT), ids=["length", "chunk", "chunks"])
def test_a_body_is_read_into_buffers_and_as_it_comes(request_):
    def use(body):
        buffer = bytearray(5)
        found = [body.readinto(buffer), bytes(buffer), body.read1(1)]
        while piece := body.read1():
            found.append(piece)
        return [*found[:3], b"".join(found[3:]), body.readinto(buffer), body.readable()]

    assert read_with(use, request_) == [5, TEXT[:5], TEXT[5:6], TEXT[6:], 0, True]


def test_read1_gives_what_is_there_without_waiting_for_more():
    def app(environ, start_response):
        data = environ["wsgi.input"].read1()
        start_response("200 OK", [("Connection", "close")])
        return [data]

    with serving(app, validate=False) as server, Client(server) as client:
        client.send(get("/", "Content-Length: 10", method="POST") + b"abc")
        assert client.response().body == b"abc"


def test_a_large_body_is_the_same_in_all_ways_to_read_it():
    data = bytes(range(256)) * 4000

    def in_parts(size):
        def use(body):
            parts = []
            while part := body.read(size):
                assert len(part) == size or sum(map(len, parts)) + len(part) == len(data)
                parts.append(part)
            return b"".join(parts)

        return use

    for request in (post(data), chunked(*[data[i : i + 3000] for i in range(0, len(data), 3000)])):
        for size in (1000, 65536, 100_000):
            assert read_with(in_parts(size), request, cut=50_000) == data
        assert b"".join(read_with(list, request, cut=50_000)) == data


def test_whether_it_ends_by_itself_is_in_the_environ():
    seen = seam.Seen()
    seam.talk(seen, get())
    assert seen.requests[0][0]["wsgi.input_terminated"] is True


# -- what breaks off


@pytest.mark.parametrize(
    "request_",
    [
        post(b"hello")[:-1],
        get("/", "Content-Length: 5", method="POST"),
        chunked(b"hello", end=b""),
        chunked(b"hello", end=b"0\r\n"),
        chunked(b"hello")[:-12],
        get("/", "Transfer-Encoding: chunked", method="POST"),
        chunked(b"hello", end=b"0\r\nA: b\r\n"),
    ],
)
@pytest.mark.parametrize("read", ["read", "readline", "readlines"])
def test_a_body_that_breaks_off_is_an_error_and_never_a_short_body(request_, read):
    app = seam.Seen()
    failures = []

    def reads(environ, start_response):
        body = environ["wsgi.input"]
        for _ in range(3):
            try:
                while getattr(body, read)():
                    pass
            except OSError as error:
                failures.append(error)
        raise failures[0]

    responses, errors = seam.talk(reads, request_)
    assert responses == []
    assert errors == ""
    assert len(failures) == 3
    assert all(isinstance(error, ClientGone | ConnectionError) for error in failures)
    assert not app.requests


def test_the_reader_gets_the_error_of_a_reset_connection():
    failures = []

    def app(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            failures.append(error)
            raise

    with serving(app, validate=False) as server, Client(server) as client:
        client.send(get("/", "Content-Length: 5", method="POST"))
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        while not failures:
            sleep(0.01)
        assert failures[0].errno == errno.ECONNRESET
        assert server.statistics["resets"] == 1


@pytest.mark.parametrize("how", ["raises", "answers"])
def test_framing_that_is_found_broken_while_reading(how):
    failures = []

    def app(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except BadRequest as error:
            failures.append((error.status, isinstance(error, OSError)))
            if how == "raises":
                raise
        start_response("422 Unprocessable Content", [("Content-Length", "4")])
        return [b"own\n"]

    (response,), errors = seam.talk(app, chunked(b"hello", end=b"x\r\n\r\n") + get("/smuggled"))
    assert failures == [(400, True)]
    assert response["Connection"] == "close"
    assert (response.status, response.body) == ((400, b"Bad Request\n") if how == "raises" else (422, b"own\n"))
    assert len(errors.splitlines()) == (1 if how == "raises" else 0)


def test_framing_that_is_found_broken_once_the_response_has_begun():
    def app(environ, start_response):
        write = start_response("200 OK", [])
        write(b"begun")
        environ["wsgi.input"].read()
        return []

    with serving(app, validate=False, expect_errors=True) as server, Client(server) as client:
        client.send(chunked(b"hello", end=b"x\r\n\r\n") + get("/smuggled"))
        assert client.head().status == 200
        assert client.chunk() == b"begun"
        assert client.ended()  # and no last chunk
        assert server.error_log.text.startswith("POST /: 400 Bad Request: the chunk size")


def test_an_error_of_the_application_about_a_bad_body_is_its_own():
    def app(environ, start_response):
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            raise ValueError("mine") from error

    (response,), errors = seam.talk(app, chunked(b"hello", end=b"x\r\n\r\n"))
    assert response.status == 500
    assert "ValueError: mine" in errors


# -- limits


@pytest.mark.parametrize("size", [10, 11])
def test_max_body_size_is_for_declared_bodies(size):
    app = seam.Seen()
    (response,), _ = seam.talk(app, post(b"x" * size), max_body_size=10)
    assert response.status == (200 if size == 10 else 413)
    assert len(app.requests) == (size == 10)


@pytest.mark.parametrize("size", [10, 11])
def test_max_body_size_is_for_counted_bodies(size):
    app = seam.Seen()
    (response,), _ = seam.talk(app, chunked(b"x" * 6, b"x" * (size - 6)), max_body_size=10)
    assert response.status == (200 if size == 10 else 413)
    assert [error.status for error in app.failures] == ([] if size == 10 else [413])


# -- what the application leaves


def first_bytes(environ, start_response):
    data = environ["wsgi.input"].read(2)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [data]


@pytest.mark.parametrize("request_", [post(b"x" * 1000), chunked(b"x" * 600, b"x" * 400)], ids=["length", "chunks"])
def test_what_is_left_of_a_body_is_read_and_the_connection_stays(request_):
    responses, errors = seam.talk(first_bytes, request_ * 3)
    assert [response.body for response in responses] == [b"xx"] * 3
    assert errors == ""


@pytest.mark.parametrize("request_", [post(b"x" * 1000), chunked(b"x" * 600, b"x" * 400)], ids=["length", "chunks"])
def test_beyond_discard_limit_the_connection_ends(request_):
    responses, errors = seam.talk(first_bytes, request_[:150], request_[150:], get("/smuggled"), discard_limit=500)
    assert [response.body for response in responses] == [b"xx"]
    assert errors == ""


def test_a_client_that_still_sends_gets_the_response_and_no_reset():
    body = b"x" * 20_000_000
    with serving(first_bytes) as server, Client(server) as client:
        sender = spawn(client.send, get("/", f"Content-Length: {len(body)}", method="POST") + body)
        assert client.response().body == b"xx"
        assert client.ended()
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            sender.get(timeout=100)


@pytest.mark.parametrize("bad", [b"x\r\n", b"5\r\nhelloX"])
def test_what_is_left_may_be_broken(bad):
    request = chunked(b"hello", end=bad)
    responses, errors = seam.talk(first_bytes, request + get("/smuggled"))
    assert [response.body for response in responses] == [b"he"]
    assert errors == ""


def test_a_body_is_of_no_use_once_the_request_is_over():
    kept = []

    def app(environ, start_response):
        kept.append(environ["wsgi.input"])
        start_response("200 OK", [])
        return [b""]

    seam.talk(app, post(b"hello") + post(b"again"))
    for body in kept:
        with pytest.raises(OSError, match="over"):
            body.read()


# -- 100 Continue


def test_the_client_is_told_to_continue_at_the_first_read_only():
    events = []

    def app(environ, start_response):
        events.append("called")
        go.wait()
        events.append("reads")
        data = environ["wsgi.input"].read(2) + environ["wsgi.input"].read(100)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [data]

    go = Event()
    with serving(app) as server, Client(server) as client:
        client.send(get("/", "Content-Length: 5", "Expect: 100-CONTINUE", method="POST"))
        while not events:
            sleep(0.01)
        client.sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.more()
        client.sock.settimeout(100)
        go.set()
        interim = client.head()
        assert (interim.status, interim.headers) == (100, [])
        assert events == ["called", "reads"]
        assert client.ask(b"hello", "POST").body == b"hello"
        assert "Expect" not in client.ask(get())


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_who_has_sent_the_body_already_is_not_told(version):
    request = get("/", "Content-Length: 5", "Expect: 100-continue", method="POST", version=version)
    responses, _ = seam.talk(echo, request + b"hello")
    assert [response.status for response in responses] == [200]


def test_http_1_0_is_never_told():
    with serving(echo) as server, Client(server) as client:
        client.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="POST", version="1.0"))
        while not server.statistics["requests"]:
            sleep(0.01)
        assert client.ask(b"hello", "POST").body == b"hello"


def test_who_is_not_told_may_send_the_body_or_not_so_the_connection_ends():
    def app(environ, start_response):
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"no"]

    with serving(app) as server, Client(server) as client:
        response = client.ask(get("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert (response.status, response["Connection"]) == (403, "close")
        client.send(b"hello" + get("/smuggled"))
        assert client.ended()
        assert server.statistics["requests"] == 1


def test_once_the_response_has_begun_nobody_is_told_to_continue():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])(b"begun,")
        return [environ["wsgi.input"].read()]

    with serving(app, validate=False) as server, Client(server) as client:
        client.send(get("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert client.head().status == 200
        assert client.chunk() == b"begun,"
        client.send(b"hello")
        assert client.chunk() == b"hello"


def test_an_empty_body_is_not_waited_for():
    responses, _ = seam.talk(echo, get("/", "Expect: 100-continue", method="POST") + get())
    assert [response.status for response in responses] == [200, 200]
