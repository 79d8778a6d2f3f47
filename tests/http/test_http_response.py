"""What an application may answer (PEP 3333), and how that goes over the wire (RFC 9110, RFC 9112)."""

import re
import time
from email.utils import parsedate_to_datetime

import pytest

from hubcore.event import Event
from tests.http import seam
from tests.http.support import Client, get, serving

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


# -- framing


@pytest.mark.parametrize(
    ("result", "length"),
    [
        ([b"hello"], 5),
        ((b"hel", b"lo"), 5),
        ([], 0),
        ([b""], 0),
        ([b"", b"a", b""], 1),
        ([b"x" * 70_000, b"y"], 70_001),
    ],
)
def test_a_body_whose_size_is_known_gets_its_length(result, length):
    response = only(answering(result))
    assert (response.framing, response["Content-Length"]) == ("length", str(length))
    assert response.body == b"".join(result)
    assert "Connection" not in response


def test_a_body_whose_size_is_not_known_goes_in_chunks():
    response = only(answering(lambda: iter([b"a", b"", b"bc"])))
    assert (response.framing, response.body) == ("chunked", b"abc")
    assert "Connection" not in response


def test_to_http_1_0_the_end_of_the_connection_ends_the_body():
    request = get(version="1.0")
    response = only(answering(lambda: iter([b"a", b"bc"])), request + get("/smuggled"))
    assert (response.framing, response.body, response["Connection"]) == ("end", b"abc", "close")


def test_http_1_0_stays_only_with_a_known_length():
    keep = get("/", "Connection: keep-alive", version="1.0")
    responses, _ = seam.talk(answering([b"hello"]), keep * 2)
    assert [response["Connection"] for response in responses] == ["keep-alive"] * 2
    response = only(answering(lambda: iter([b"hello"])), keep * 2)
    assert (response.framing, response["Connection"]) == ("end", "close")
    response = only(answering(lambda: iter([b"hello"]), headers=[TEXT, ("Content-Length", "5")]), keep)
    assert (response.framing, response["Connection"]) == ("length", "keep-alive")


def test_an_empty_iterable_has_a_length_of_0():
    response = only(answering(lambda: iter([])))
    assert response["Content-Length"] == "0"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("result", [lambda: [b"body"], lambda: iter([b"bo", b"dy"])])
def test_some_responses_never_have_a_body(status, result):
    app = answering(result, status, [])
    responses, errors = seam.talk(app, get() * 2)
    assert errors == ""
    assert [(response.status, response.body) for response in responses] == [(int(status[:3]), b"")] * 2
    assert "Transfer-Encoding" not in responses[0]
    assert "Content-Length" not in responses[0]


def test_a_length_that_the_application_gives_is_dropped_with_204_and_kept_with_304():
    length = [("Content-Length", "5")]
    assert "Content-Length" not in only(answering([b"hello"], "204 No Content", length))
    sent, errors = failing(answering([], "304 Not Modified", length))
    assert b"\r\nContent-Length: 5\r\n" in sent
    assert sent.endswith(b"\r\n\r\n")
    assert errors == ""


@pytest.mark.parametrize("result", [lambda: [b"hello"], lambda: iter([b"hel", b"lo"])])
def test_head_gets_the_head_alone(result):
    request = get(method="HEAD")
    sock = seam.Pieces([request * 2])
    with serving(answering(result), validate=False) as server:
        server.handle(sock, ("192.0.2.1", 1))
    first, second, rest = sock.sent.split(b"\r\n\r\n")
    assert rest == b""
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (b"Content-Length: 5" in first) == (result() == [b"hello"])


def test_head_without_a_body_claims_no_length():
    sent, _ = failing(answering([]), get(method="HEAD"))
    assert b"Content-Length" not in sent
    sent, _ = failing(answering([], headers=[("Content-Length", "5")]), get(method="HEAD"))
    assert b"Content-Length: 5" in sent


def test_the_rest_of_a_body_that_goes_nowhere_is_not_asked_for():
    asked = []

    def result():
        for i in range(1000):
            asked.append(i)
            yield b"x"

    seam.talk(answering(result), get(method="HEAD"))
    assert asked == [0]


@pytest.mark.parametrize("result", [lambda: [b"hello, world"], lambda: iter([b"hel", b"lo, ", b"world"])])
def test_a_body_longer_than_its_length_is_cut_and_told(result):
    app = answering(result, headers=[TEXT, ("Content-Length", "5")])
    sent, errors = failing(app, get() + get("/smuggled"))
    assert sent.endswith(b"\r\n\r\nhello")
    assert sent.count(b"HTTP/1.1") == 1
    assert errors == "GET /: the application sent more than its Content-Length of 5 bytes; the rest is dropped\n"


@pytest.mark.parametrize("result", [lambda: [b"hel"], lambda: iter([b"h", b"el"]), list])
def test_a_body_shorter_than_its_length_ends_the_connection(result):
    app = answering(result, headers=[TEXT, ("Content-Length", "5")])
    sent, errors = failing(app, get() + get("/smuggled"))
    assert sent.count(b"HTTP/1.1") == 1
    assert re.fullmatch(r"GET /: the application sent \d bytes less than its Content-Length of 5\n", errors)


def test_what_fits_one_send_is_sent_at_once():
    sends = []

    class Sock(seam.Pieces):
        def sendall(self, data):
            sends.append(bytes(data))

    for result in ([b"x" * 60_000], (b"a", b"b"), iter([b"a"])):
        with serving(answering(lambda result=result: result), validate=False) as server:
            server.handle(Sock([get()]), ("192.0.2.1", 1))
    assert [data.count(b"HTTP/1.1") for data in sends] == [1, 1, 1, 0]
    assert sends[-1] == b"0\r\n\r\n"


def test_each_item_is_sent_before_the_next_is_asked_for():
    go = Event()

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/event-stream")])

        def events():
            for i in range(3):
                yield b"data: %d\n\n" % i
                go.wait()
                go.clear()

        return events()

    with serving(app) as server, Client(server) as client:
        client.send(get())
        assert client.head()["Transfer-Encoding"] == "chunked"
        for i in range(3):
            assert client.chunk() == b"data: %d\n\n" % i
            go.set()
        assert client.chunk() == b""


def test_large_items_are_whole():
    items = [bytes([65 + i]) * 300_000 for i in range(3)]
    for headers in ([TEXT], [TEXT, ("Content-Length", "900000")]):
        with serving(answering(lambda: iter(items), headers=headers)) as server, Client(server) as client:
            assert client.ask(get()).body == b"".join(items)
            assert client.ask(get()).body == b"".join(items)
    with serving(answering(items)) as server, Client(server) as client:
        assert client.ask(get()).body == b"".join(items)


@pytest.mark.parametrize("item", [bytearray(b"hello"), memoryview(b"hello")])
def test_what_is_like_bytes_is_taken(item):
    assert failing(answering([item]))[0].endswith(b"\r\n\r\nhello")
    assert failing(answering(lambda: iter([item])))[0].endswith(b"5\r\nhello\r\n0\r\n\r\n")


# -- the head


def test_every_response_has_a_date():
    response = only(answering([b""]))
    assert abs(parsedate_to_datetime(response["Date"]).timestamp() - time.time()) < 100
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response["Date"])


def test_date_and_server_may_be_the_applications_own():
    headers = [("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("SERVER", "mine")]
    response = only(answering([b""], headers=[TEXT, *headers]))
    assert (response["Date"], response["Server"]) == ("Thu, 01 Jan 1970 00:00:00 GMT", "mine")


@pytest.mark.parametrize(
    ("setting", "right"), [("hubcore", "hubcore"), ("mine/1.0", "mine/1.0"), (None, None), ("", None)]
)
def test_the_server_field_is_a_setting(setting, right):
    response = only(answering([b""]), server_header=setting)
    assert (response["Server"] if right else "Server" in response) == (right or False)


def test_headers_come_as_the_application_gives_them():
    headers = [
        TEXT,
        ("X-One", "1"),
        ("Set-Cookie", "a=b"),
        ("Set-Cookie", "c=d"),
        ("x-one", " 2 "),
        ("X-Latin", "\xe9"),
    ]
    response = only(answering([b""], headers=headers))
    assert response.headers[: len(headers)] == headers


def test_a_status_may_have_any_reason():
    for status in ("200 OK", "299 What I mean", "404 ", "404 Nicht gefunden \xfc"):
        response = only(answering([b""], status))
        assert f"{response.status} {response.reason}" == status
    sent, errors = failing(answering([b""], "404"))
    assert sent.startswith(b"HTTP/1.1 404 \r\n")
    assert errors == ""


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, CLOSE", "x , close"])
def test_the_application_may_end_the_connection(value):
    response = only(answering([b""], headers=[TEXT, ("Connection", value)]), get() + get("/smuggled"))
    assert response["Connection"] == "close"


def test_what_is_about_the_connection_is_the_servers_own():
    headers = [TEXT, ("Connection", "keep-alive"), ("Keep-Alive", "timeout=5"), ("Transfer-Encoding", "chunked")]
    for result, framing in (([b"hello"], "length"), (lambda: iter([b"hello"]), "chunked")):
        responses, errors = seam.talk(answering(result, headers=headers), get() * 2)
        assert errors == ""
        for response in responses:
            assert (response.framing, response.body) == (framing, b"hello")
            assert "Keep-Alive" not in response
            assert "Connection" not in response


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("connection", [None, "close", "keep-alive", "Keep-Alive, close", "foo", "KEEP-ALIVE"])
def test_the_client_says_whether_the_connection_stays(version, connection):
    fields = [] if connection is None else [f"Connection: {connection}"]
    stays = "close" not in (connection or "") and (version == "1.1" or (connection or "").lower() == "keep-alive")
    responses, _ = seam.talk(answering([b"hello"]), get("/", *fields, version=version), get())
    assert len(responses) == (2 if stays else 1)
    assert ("Connection" in responses[0] and responses[0]["Connection"] == "close") == (not stays)


def test_an_early_hint_or_such_as_the_response_ends_the_connection():
    sent, _ = failing(answering([b"body"], "103 Early Hints", [("Link", "</a>")]), get() + get("/smuggled"))
    assert sent.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n")
    assert b"body" not in sent
    assert b"Content-Length" not in sent
    assert sent.count(b"HTTP/1.1") == 1


def test_426_says_what_to_upgrade_to():
    response = only(
        answering([b""], "426 Upgrade Required", [TEXT, ("Upgrade", "websocket"), ("Connection", "Upgrade")])
    )
    assert (response["Upgrade"], response["Connection"]) == ("websocket", "Upgrade")
    assert "Upgrade" not in only(answering([b""], headers=[TEXT, ("Upgrade", "h2c")]))
