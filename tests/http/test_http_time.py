"""Time limits: of heads, of silence between requests, of bodies, of clients that do not read, of the application.

On virtual time with the defaults, and there it is also seen that nothing ends too early; on the others with a 500th.
"""

import pytest

from hubcore import Timeout, sleep, socket, spawn
from hubcore.hub import get_hub
from hubcore.pywsgi import BadRequest, Limits
from tests.http.support import Client, chunked, echo, get, hello, read_all, serving


@pytest.fixture
def virtual(hub, hub_backend):
    return "virtual" in hub_backend


@pytest.fixture
def scaled(virtual):
    """Makes of seconds as many on virtual time, and else a 500th."""
    return (lambda seconds: float(seconds)) if virtual else (lambda seconds: seconds / 500)


@pytest.fixture
def limits(scaled):
    """The default limits, scaled."""
    default = Limits()
    names = ("header_timeout", "keepalive", "body_timeout", "write_timeout")
    return {name: scaled(getattr(default, name)) for name in names}


def now():
    return get_hub().loop.update_now()


def check_time(virtual, start, right):
    if virtual:
        assert now() - start == pytest.approx(right, abs=0.01)


# -- heads


def test_a_connection_that_says_nothing_is_closed_without_a_word(limits, virtual):
    with serving(**limits) as server, Client(server) as client:
        start = now()
        assert client.ended()
        check_time(virtual, start, 30)
        assert server.statistics == {"connections": 0, "requests": 0, "refused": 0, "resets": 0}


def test_a_head_has_one_time_limit_from_its_first_byte(limits, scaled, virtual):
    with serving(**limits) as server, Client(server) as client:
        sleep(scaled(20))
        start = now()
        client.send(b"G")

        def drip():
            for byte in b"ET / HTTP/1.1\r\nHost: test\r\nA: " + b"x" * 1000:
                sleep(scaled(4))
                client.send(bytes([byte]))

        dripping = spawn(drip)
        response = client.response()
        check_time(virtual, start, 30)
        dripping.kill()
        assert (response.status, response["Connection"]) == (408, "close")
        assert client.ended()
        assert server.statistics["refused"] == 1


def test_the_second_heads_limit_begins_anew(limits, scaled):
    with serving(**limits) as server, Client(server) as client:
        for _ in range(3):
            sleep(scaled(20))
            request = get()
            client.send(request[:9])
            sleep(scaled(20) if scaled(1) == 1 else 0)
            assert client.ask(request[9:], "GET").status == 200


def test_an_empty_line_alone_begins_no_request(limits, virtual):
    with serving(**limits) as server, Client(server) as client:
        assert client.ask(get() + b"\r\n").status == 200
        start = now()
        assert client.ended()
        check_time(virtual, start, 75)


def test_without_a_limit_a_head_may_take_for_ever(limits, scaled):
    with serving(**{**limits, "header_timeout": None}) as server, Client(server) as client:
        sleep(scaled(100))
        client.send(get()[:5])
        sleep(scaled(100))
        assert client.ask(get()[5:], "GET").status == 200


# -- between requests


def test_a_connection_without_a_further_request_is_closed(limits, virtual):
    with serving(**limits) as server, Client(server) as client:
        client.ask(get())
        start = now()
        assert client.ended()
        check_time(virtual, start, 75)


def test_requests_in_time_keep_it_open(limits, scaled, virtual):
    if not virtual:
        limits["keepalive"] = 100
    with serving(**limits) as server, Client(server) as client:
        for _ in range(10):
            assert client.ask(get()).status == 200
            sleep(scaled(70))
        assert server.statistics["connections"] == 1


@pytest.mark.parametrize("off", [0, None])
def test_without_a_limit_it_stays(limits, scaled, off):
    with serving(**{**limits, "keepalive": off}) as server, Client(server) as client:
        client.ask(get())
        sleep(scaled(1000))
        assert client.ask(get()).status == 200


# -- bodies


def test_a_body_that_does_not_come(limits, virtual):
    seen = []

    def app(environ, start_response):
        try:
            environ["wsgi.input"].read(10)
        except BadRequest as error:
            seen.append(error.status)
            raise

    with serving(app, expect_errors=True, **limits) as server, Client(server) as client:
        start = now()
        response = client.ask(get("/", "Content-Length: 10", method="POST") + b"hello")
        check_time(virtual, start, 60)
        assert (seen, response.status, response["Connection"]) == ([408], 408, "close")
        assert client.ended()
        assert server.error_log.text.startswith("POST /: 408 Request Timeout: nothing of the body for ")


def test_a_chunk_that_does_not_come(limits):
    with serving(echo, expect_errors=True, **limits) as server, Client(server) as client:
        assert client.ask(chunked(b"hello", end=b"")).status == 408


def test_the_time_of_the_application_is_not_the_bodys(limits, scaled):
    def app(environ, start_response):
        sleep(scaled(100))
        data = read_all(environ["wsgi.input"])
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [data]

    with serving(app, **limits) as server, Client(server) as client:
        assert client.ask(get("/", "Content-Length: 5", method="POST") + b"hello").body == b"hello"


def test_a_body_may_come_slowly_but_not_slower_than_the_lowest_rate(hub, hub_backend):
    if "virtual" not in hub_backend:
        pytest.skip("on virtual time only: it is about a rate")
    size = 100_000
    for rate, status in ((200, 200), (50, 408)):
        with serving(echo, expect_errors=True) as server, Client(server) as client:
            client.send(get("/", f"Content-Length: {size}", method="POST"))

            def drip(client=client, rate=rate):
                for _ in range(size // rate // 10):
                    sleep(10)
                    client.send(b"x" * rate * 10)

            dripping = spawn(drip)
            assert client.response().status == status
            dripping.kill()


def test_a_body_of_single_bytes_is_too_slow(hub, hub_backend):
    if "virtual" not in hub_backend:
        pytest.skip("on virtual time only: it is about a rate")
    with serving(echo, expect_errors=True) as server, Client(server) as client:
        client.send(get("/", "Content-Length: 100000", method="POST"))

        def drip():
            while True:
                sleep(50)
                client.send(b"x")

        dripping = spawn(drip)
        start = now()
        assert client.response().status == 408
        assert now() - start < 110
        dripping.kill()
        assert "less than 100 bytes per second" in server.error_log.text
    with serving(echo, min_body_rate=0) as server, Client(server) as client:
        client.send(get("/", "Content-Length: 100", method="POST"))
        for _ in range(100):
            sleep(50)
            client.send(b"x")
        assert client.response().status == 200


def test_what_the_application_leaves_has_the_bodys_limits(limits, virtual):
    with serving(hello, **limits) as server, Client(server) as client:
        start = now()
        assert client.ask(get("/", "Content-Length: 10", method="POST")).status == 200
        assert client.ended()
        check_time(virtual, start, 60)


# -- clients that do not read


class Endless:
    """A body without an end that knows when it was closed."""

    def __init__(self):
        self.closed = False

    def __iter__(self):
        while True:
            yield b"x" * 65536

    def close(self):
        self.closed = True


def test_a_client_that_does_not_read_stops_the_application_and_is_dropped(limits, virtual):
    body = Endless()
    sent = []

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return body

    with serving(app, validate=False, **limits) as server, Client(server) as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        start = now()
        client.send(get())
        while not body.closed:
            sleep(limits["write_timeout"] / 60)
            sent.append(server.statistics["resets"])
        if virtual:
            assert 60 <= now() - start < 64
        assert server.statistics["resets"] == 1


def test_a_client_that_reads_slowly_is_waited_for(limits, scaled):
    body = b"x" * 3_000_000

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    with serving(app, **limits) as server, Client(server) as client:
        client.send(get())
        while len(client.buffer) < len(body):
            sleep(scaled(5))
            client.more()
        assert client.response().body == body


# -- the application's time


def test_request_timeout_is_off_by_default(virtual):
    def app(environ, start_response):
        sleep(10_000 if virtual else 0.01)
        return hello(environ, start_response)

    with serving(app) as server, Client(server, timeout=None) as client:
        assert client.ask(get()).status == 200


def test_an_application_that_takes_too_long(scaled, virtual):
    cleaned = []

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/quick":
            return hello(environ, start_response)
        try:
            sleep(1000)
        finally:
            cleaned.append(True)

    with serving(app, expect_errors=True, request_timeout=scaled(10)) as server, Client(server) as client:
        start = now()
        response = client.ask(get())
        check_time(virtual, start, 10)
        assert (response.status, response["Connection"], cleaned) == (503, "close", [True])
        assert server.error_log.text.startswith("GET /: it took longer than ")
        with Client(server) as another:
            assert another.ask(get("/quick")).status == 200
            assert another.ask(get("/quick")).status == 200


def test_the_application_may_see_its_time_over_and_answer(scaled):
    def app(environ, start_response):
        try:
            sleep(1000)
        except Timeout:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"own answer"]

    with serving(app, request_timeout=scaled(10)) as server, Client(server) as client:
        assert client.ask(get()).body == b"own answer"


def test_a_response_that_has_begun_when_the_time_is_over_breaks_off(scaled):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])

        def body():
            yield b"begun"
            sleep(1000)

        return body()

    with serving(app, expect_errors=True, request_timeout=scaled(10)) as server, Client(server) as client:
        client.send(get())
        client.head()
        assert client.chunk() == b"begun"
        assert client.ended()


def test_a_timeout_of_the_applications_own_is_a_500(scaled):
    def app(environ, start_response):
        with Timeout(scaled(1)):
            sleep(1000)

    with serving(app, expect_errors=True, request_timeout=scaled(10)) as server, Client(server) as client:
        assert client.ask(get()).status == 500
        assert "Timeout: " in server.error_log.text


@pytest.mark.parametrize("error", [TimeoutError("mine"), OSError("mine"), ConnectionResetError("mine")])
def test_a_timeout_around_reading_raises_what_it_was_given(scaled, error):
    seen = []

    def app(environ, start_response):
        try:
            with Timeout(scaled(1), error):
                environ["wsgi.input"].read(5)
        except OSError as found:
            seen.append(found is error)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"late"]

    with serving(app) as server, Client(server) as client:
        response = client.ask(get("/", "Content-Length: 5", method="POST"))
        assert (seen, response.body) == ([True], b"late")
