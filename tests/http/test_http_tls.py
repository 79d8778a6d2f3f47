"""HTTPS: the handshake's time, keep-alive, idle connections, large bodies, the end."""

import pytest

from hubcore import sleep, socket, spawn, ssl
from hubcore.hub import get_hub
from tests.http import seam
from tests.http.support import Client, echo, get, hello, post, serving
from tests.support.certificates import authority, issued, server_context

pytestmark = pytest.mark.usefixtures("hub")


def connect(server, alpn=None, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority().configure_trust(context)
    if alpn:
        context.set_alpn_protocols(alpn)
    for name, value in options.items():
        setattr(context, name, value)
    sock = socket.create_connection(("127.0.0.1", server.server_port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Client(context.wrap_socket(sock, server_hostname="localhost"))


def secure(app=hello, **settings):
    return serving(app, ssl_context=server_context(ssl), **settings)


@pytest.fixture
def files(tmp_path):
    """A certificate and its key, as files."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = issued("localhost")
    made.private_key_pem.write_to_path(key)
    made.cert_chain_pems[0].write_to_path(cert)
    return {"certfile": str(cert), "keyfile": str(key)}


def test_requests_of_one_connection():
    app = seam.Seen()
    with secure(app, validate=False) as server, connect(server) as client:
        assert server.ssl_enabled
        for _ in range(3):
            assert client.ask(post(b"hello")).body == b"hello"
        client.send(get("/a") + get("/b"))
        assert [client.response()["X-Path"] for _ in range(2)] == ["/a", "/b"]
    environ = app.requests[0][0]
    assert (environ["wsgi.url_scheme"], environ["SERVER_PORT"]) == ("https", str(environ["SERVER_PORT"]))


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions_of_tls(version):
    only = getattr(ssl.TLSVersion, version)
    with secure() as server, connect(server, minimum_version=only, maximum_version=only) as client:
        assert client.sock.version() == version.replace("_", ".")
        assert [client.ask(get()).body for _ in range(2)] == [b"hello"] * 2


def test_http_1_1_is_what_it_offers(files):
    with serving(**files) as server:
        for alpn, right in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None), (None, None)):
            with connect(server, alpn) as client:
                assert client.sock.selected_alpn_protocol() == right
                assert client.ask(get()).body == b"hello"


def test_a_context_of_ones_own_offers_what_it_says():
    context = server_context(ssl)
    context.set_alpn_protocols(["mine"])
    with serving(ssl_context=context) as server, connect(server, ["http/1.1", "mine"]) as client:
        assert client.sock.selected_alpn_protocol() == "mine"


def test_a_handshake_that_does_not_come_has_the_heads_limit(hub_backend):
    timeout = 30 if "virtual" in hub_backend else 0.05
    with secure(header_timeout=timeout) as server, Client(server) as client:
        client.send(b"\x16")
        try:
            assert client.ended()
        except ConnectionResetError:
            pass


def test_plain_http_to_a_port_of_tls_harms_nobody():
    with secure() as server:
        with Client(server) as client:
            client.send(get())
            try:
                client.rest()
            except ConnectionResetError:
                pass
        with connect(server) as client:
            assert client.ask(get()).body == b"hello"


def test_an_idle_connection_is_closed(hub_backend):
    timeout = 75 if "virtual" in hub_backend else 0.05
    with secure(keepalive=timeout) as server, connect(server) as client:
        assert client.ask(get()).status == 200
        assert client.ended()


def test_stop_ends_idle_connections_and_waits_for_running_ones():
    def app(environ, start_response):
        if environ["PATH_INFO"] == "/slow":
            sleep(0.05)
        return hello(environ, start_response)

    with secure(app) as server, connect(server) as idle, connect(server) as running:
        idle.ask(get())
        running.send(get("/slow"))
        while server.statistics["requests"] < 2:
            sleep(0.001)
        stopping = spawn(server.stop)
        response = running.response()
        assert (response.body, response["Connection"]) == (b"hello", "close")
        assert running.ended()
        assert idle.ended()
        stopping.get()


def test_a_request_right_after_a_response_is_served_when_it_stops():
    with secure() as server, connect(server) as client:
        server._rules.idle_grace = 5.0
        client.ask(get())
        stopping = spawn(server.stop)
        sleep(0.001)
        assert client.ask(get())["Connection"] == "close"
        stopping.get()


def test_large_bodies_both_ways():
    data = bytes(range(256)) * 20_000
    with secure(echo, validate=False) as server, connect(server) as client:
        for _ in range(2):
            sending = spawn(client.send, post(data))
            assert client.response().body == data
            sending.get()


def test_the_end_of_a_body_that_the_connections_end_ends_is_secure():
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([b"to the end"])

    with secure(app) as server, connect(server) as client:
        client.sock.suppress_ragged_eofs = False  # an end without TLS's own word would be an error
        assert client.ask(get(version="1.0")).body == b"to the end"


def test_a_body_that_breaks_off_is_an_error():
    failures = []

    def app(environ, start_response):
        try:
            environ["wsgi.input"].read(100)
        except OSError as error:
            failures.append(error)
            raise

    with secure(app, validate=False) as server:
        client = connect(server)
        client.send(post(b"x" * 100)[:-50])
        client.close()
        while not failures:
            sleep(0.001)
    assert isinstance(failures[0], ConnectionError)


def test_a_body_that_is_not_read_ends_the_connection_with_its_response():
    with secure(discard_limit=10) as server, connect(server) as client:
        client.send(post(b"x" * 1000)[:-1])
        assert client.response().body == b"hello"
        assert client.ended()


def test_a_client_that_does_not_read_is_dropped(hub_backend):
    timeout = 60 if "virtual" in hub_backend else 0.1
    closed = []

    class Endless:
        def __iter__(self):
            while True:
                yield b"x" * 65536

        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Endless()

    with secure(app, validate=False, write_timeout=timeout) as server, connect(server) as client:
        client.send(get())
        while not closed:
            sleep(timeout / 10)
        assert server.statistics["resets"] == 1


def test_many_at_once():
    with secure(echo, validate=False) as server:

        def ask(i):
            with connect(server) as client:
                return [client.ask(post(b"%d" % i)).body for _ in range(5)]

        asking = [spawn(ask, i) for i in range(20)]
        assert [each.get() for each in asking] == [[b"%d" % i] * 5 for i in range(20)]
    assert get_hub().loop is not None


def test_wrong_files_are_told(tmp_path):
    from hubcore.pywsgi import WSGIServer

    with pytest.raises(OSError, match="nowhere"):
        WSGIServer(("127.0.0.1", 0), hello, certfile=str(tmp_path / "nowhere.pem"))
    with pytest.raises(TypeError, match="needs an ssl_context, or a certfile"):
        WSGIServer(("127.0.0.1", 0), hello, keyfile="key.pem")
