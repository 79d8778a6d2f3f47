"""WSGIServer: its arguments, what it listens on, pools, and how many connections and requests there may be."""

import logging

import pytest

from hubcore import Timeout, sleep, socket, spawn
from hubcore.event import Event
from hubcore.hub import get_hub
from hubcore.pool import Pool
from hubcore.pywsgi import Limits, WSGIServer
from hubcore.testing import run_python, settle
from tests.http.support import Client, Stream, get, hello, serving

pytestmark = pytest.mark.usefixtures("hub")


class Held:
    """An application whose requests wait until they are let go."""

    def __init__(self):
        self.go = Event()
        self.running = self.most = 0

    def __call__(self, environ, start_response):
        self.running += 1
        self.most = max(self.most, self.running)
        self.go.wait()
        self.running -= 1
        return hello(environ, start_response)


# -- arguments


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"limit_request_line": -1}, ValueError, "limit_request_line is 0 (no limit) or more bytes, not -1"),
        ({"limit_request_fields": "100"}, TypeError, "limit_request_fields is a whole number of things, or None"),
        ({"max_body_size": 1.5}, TypeError, "max_body_size is a whole number of bytes, or None for no limit, not 1.5"),
        ({"header_timeout": "30"}, TypeError, "header_timeout is a number of seconds, or None for no limit, not '30'"),
        ({"keepalive": float("nan")}, ValueError, "keepalive is 0 (no limit) or more seconds, not nan"),
        ({"max_connections": True}, TypeError, "max_connections is a whole number of things"),
        ({"header_map": "keep"}, ValueError, "header_map is 'drop' or 'refuse' or 'dangerous', not 'keep'"),
        ({"pool_counts": "both"}, ValueError, "pool_counts is 'requests' or 'connections', not 'both'"),
        ({"forwarded_allow_ips": "localhost"}, ValueError, "forwarded_allow_ips has IP addresses, networks"),
        ({"proxy_protocol": True, "proxy_allow_ips": ""}, ValueError, "needs proxy_allow_ips"),
        ({"log_format": "%(nothing)s"}, ValueError, "a log format has no atom %(nothing)s"),
        ({"log_format": "plain"}, ValueError, "a log format is combined, common, json, or has atoms"),
        ({"log": 5}, TypeError, "a log is 'default', None, a logger, or what has a write method; not 5"),
        ({"log": "access.log"}, ValueError, "a log is 'default', None, a logger"),
        ({"server_header": "a\r\nb"}, ValueError, "the value of the header Server has a control character"),
        ({"spawn": "thread"}, TypeError, "spawn must be 'default', 'raw', None"),
        ({"keepalive_timeout": 5}, TypeError, "a WSGIServer has no argument keepalive_timeout"),
        ({"application": "app"}, TypeError, "a WSGI application is callable, not 'app'"),
    ],
)
def test_wrong_arguments_are_told(given, error, text):
    given = {"application": hello, "log": Stream(), **given}
    with pytest.raises(error) as caught:
        WSGIServer(("127.0.0.1", 0), **given)
    assert text in str(caught.value)


def test_without_an_application_it_does_not_start():
    server = WSGIServer(("127.0.0.1", 0))
    with pytest.raises(TypeError, match="was given no application"):
        server.start()
    assert server.closed


def test_limits_are_given_one_by_one_or_together():
    server = WSGIServer(("127.0.0.1", 0), hello, limits=Limits(keepalive=5, backlog=7), limit_request_line=100)
    assert (server.limits.keepalive, server.limits.limit_request_line, server.backlog) == (5, 100, 7)
    assert server.limits.header_timeout == 30
    assert WSGIServer(("127.0.0.1", 0), hello, backlog=9).backlog == 9
    assert WSGIServer(("127.0.0.1", 0), hello).backlog == 2048


def test_gevents_attributes():
    with serving(hello, environ={"MINE": "x", "SERVER_NAME": "name"}, validate=False) as server:
        assert server.application is hello
        assert server.server_host == "127.0.0.1"
        assert server.server_port > 0
        assert not server.ssl_enabled
        assert (server.log, type(server.error_log)) == (None, Stream)
        environ = server.get_environ()
        assert (environ["MINE"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (
            "x",
            "name",
            str(server.server_port),
        )
        assert server.base_env["MINE"] == "x"
        assert server.loop is get_hub().loop
        server.set_environ({"MINE": "y"})
        assert server.get_environ()["MINE"] == "y"
        with Client(server) as client:
            seen = []
            server.application = server._rules.application = lambda environ, start: (
                seen.append(environ) or hello(environ, start)
            )
            client.ask(get())
        assert (seen[0]["MINE"], seen[0]["SERVER_NAME"]) == ("y", "127.0.0.1")
        server.base_env["MINE"] = "z"
        with Client(server) as client:
            client.ask(get())
        assert seen[1]["MINE"] == "z"


def test_an_environ_class_of_its_own():
    from hubcore.pywsgi import WSGISecureEnviron

    class Server(WSGIServer):
        environ_class = WSGISecureEnviron

    seen = []

    def app(environ, start_response):
        seen.append((type(environ), environ["HTTP_COOKIE"], repr(environ)))
        return hello(environ, start_response)

    server = Server(("127.0.0.1", 0), app, log=None)
    server.start()
    with Client(server) as client:
        client.ask(get("/", "Cookie: secret", "Connection: close"))
    server.stop()
    assert seen[0][:2] == (WSGISecureEnviron, "secret")
    assert "secret" not in seen[0][2]


def test_multiprocess_takes_one_connection_at_a_time():
    assert WSGIServer(("127.0.0.1", 0), hello, environ={"wsgi.multiprocess": True}).max_accept == 1
    assert WSGIServer(("127.0.0.1", 0), hello).max_accept == 100


def test_it_listens_on_unix_sockets(tmp_path):
    path = str(tmp_path / "socket")
    seen = []

    def app(environ, start_response):
        seen.append((environ["REMOTE_ADDR"], environ["SERVER_NAME"], environ["SERVER_PORT"]))
        return hello(environ, start_response)

    log = Stream()
    with serving(app, listener=path, log=log):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        with Client(sock) as client:
            assert client.ask(get()).body == b"hello"
    assert seen == [("", "localhost", "80")]
    assert log.text.startswith("- - - [")


def test_it_listens_on_sockets_that_it_is_given():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with serving(listener=listener) as server, Client(server) as client:
        assert client.ask(get()).body == b"hello"
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("spawn_", ["default", "raw", 5, Pool(5), lambda *args: spawn(*args)])
def test_connections_are_spawned_as_asked_for(spawn_):
    spawn_ = Pool(5) if isinstance(spawn_, Pool) else spawn_
    with serving(spawn=spawn_) as server, Client(server) as client:
        for _ in range(3):
            assert client.ask(get()).body == b"hello"
        client.end()
        assert client.ended()


def test_one_connection_after_the_other():
    with serving(spawn=None) as server:
        for _ in range(3):
            with Client(server) as client:
                assert client.ask(get()).body == b"hello"


def test_without_the_parser_the_import_says_what_to_install(hub_backend):
    code = """
        import sys
        sys.modules["httptools"] = None
        try:
            import hubcore.pywsgi
        except ImportError as error:
            print(error.name, error)
    """
    done = run_python(code, hub_backend)
    assert (
        done.stdout
        == "httptools hubcore.pywsgi needs the HTTP parser httptools; get it by: pip install 'hubcore[http]'\n"
    )


def test_nothing_else_imports_it(hub_backend):
    done = run_python(
        "import sys, hubcore.server; print('httptools' in sys.modules, 'hubcore._http' in sys.modules)", hub_backend
    )
    assert done.stdout == "False False\n"


# -- pools


def test_a_pool_counts_requests_so_that_idle_clients_starve_nobody():
    app = Held()
    with serving(app, spawn=2) as server:
        idle = [Client(server) for _ in range(10)]
        while server.statistics["connections"] < 10:
            sleep(0.001)
        asking = [Client(server).send(get()) for _ in range(5)]
        while app.running < 2:
            sleep(0.001)
        settle(get_hub())
        assert (app.running, len(server.pool), server.full()) == (2, 2, True)
        app.go.set()
        for client in asking:
            assert client.response().body == b"hello"
        assert app.most == 2
        assert len(server.pool) == 0
        for client in [*idle, *asking]:
            client.close()


def test_room_for_requests_is_a_pool_that_costs_less():
    from hubcore._http.room import Room

    app = Held()
    room = Room(2)
    with serving(app, spawn=room) as server:
        asking = [Client(server).send(get()) for _ in range(5)]
        while app.running < 2:
            sleep(0.001)
        settle(get_hub())
        assert (app.running, server.full()) == (2, True)
        app.go.set()
        for client in asking:
            assert client.response().body == b"hello"
            client.close()
        assert app.most == 2
        assert (room.full(), room.wait_available()) == (False, 2)


def test_a_pool_may_count_connections_and_then_makes_idle_ones_end():
    with serving(spawn=2, pool_counts="connections") as server:
        first, second = Client(server), Client(server)
        first.ask(get())
        second.ask(get())
        assert len(server.pool) == 2
        with Client(server) as third:
            assert third.ask(get()).body == b"hello"
            assert first.ended()  # it was idle for the longest time
            assert second.ask(get()).body == b"hello" if not third.buffer else True
        first.close()
        second.close()


def test_max_connections_pauses_accepting():
    app = Held()
    with serving(app, max_connections=2) as server:
        running = [Client(server).send(get()) for _ in range(2)]
        while app.running < 2:
            sleep(0.001)
        waiting = Client(server).send(get())
        with pytest.raises(Timeout), Timeout(0.05):
            waiting.response()
        assert server.statistics["connections"] == 2
        app.go.set()
        for client in running:
            assert client.response().body == b"hello"
        assert waiting.response().body == b"hello"
        assert server.statistics["connections"] <= 2
        for client in [*running, waiting]:
            client.close()


def test_at_max_connections_the_longest_idle_one_makes_room():
    with serving(max_connections=3) as server:
        clients = [Client(server) for _ in range(3)]
        for client in clients:
            client.ask(get())
        clients[0].ask(get())  # so that the second is idle for the longest time
        with Client(server) as another:
            assert another.ask(get()).body == b"hello"
            assert clients[1].ended()
            assert clients[2].ask(get()).status == 200
        for client in clients:
            client.close()


def test_connections_of_a_full_server_end_after_their_request():
    app = Held()
    with serving(app, max_connections=1) as server, Client(server) as first:
        first.send(get())
        while not app.running:
            sleep(0.001)
        with Client(server) as second:
            second.send(get())
            settle(get_hub())
            app.go.set()
            assert first.response()["Connection"] == "close"
            assert second.response().body == b"hello"


def test_many_clients_in_turn_at_a_small_limit():
    with serving(max_connections=3) as server:

        def ask():
            with Client(server) as client:
                return client.ask(get()).status

        asking = [spawn(ask) for _ in range(100)]
        assert [each.get() for each in asking] == [200] * 100


def test_max_requests_ends_a_connection():
    with serving(max_requests=3) as server, Client(server) as client:
        answers = [client.ask(get()) for _ in range(3)]
        assert ["Connection" in answer for answer in answers] == [False, False, True]
        assert client.ended()


def test_pipelined_requests_leave_others_their_turn():
    seen = []

    def app(environ, start_response):
        seen.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    with serving(app, max_pipelined=4) as server, Client(server) as greedy, Client(server) as modest:
        greedy.ask(get("/first"))
        modest.ask(get("/first"))
        greedy.send(get("/greedy") * 200)
        modest.send(get("/modest"))
        for _ in range(200):
            assert greedy.response().status == 200
        assert modest.response().status == 200
    assert seen.index("/modest") < 50


def test_responses_to_pipelined_requests_come_in_order():
    def app(environ, start_response):
        sleep(0.001 * (5 - int(environ["PATH_INFO"][1:])))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]

    with serving(app) as server, Client(server) as client:
        client.send(b"".join(get(f"/{i}") for i in range(5)))
        assert [client.response().body for _ in range(5)] == [b"/%d" % i for i in range(5)]


# -- limits of heads


def line_of(size):
    return get("/" + "a" * (size - len("GET / HTTP/1.1")))


def field_of(size):
    return get("/", "A: " + "b" * (size - 3))


@pytest.mark.parametrize(
    ("request_", "limits", "status"),
    [
        (line_of(8190), {}, 200),
        (line_of(8191), {}, 414),
        (line_of(101), {"limit_request_line": 100}, 414),
        (line_of(60_000), {"limit_request_line": 0}, 200),
        (field_of(8190), {}, 200),
        (field_of(8191), {}, 431),
        (field_of(101), {"limit_request_field_size": 100}, 431),
        (field_of(60_000), {"limit_request_field_size": None}, 200),
        (get("/", *["A: b"] * 99), {}, 200),
        (get("/", *["A: b"] * 100), {}, 431),
        (get("/", *["A: b"] * 1000), {"limit_request_fields": 0}, 200),
        (get("/", *["A: " + "b" * 1000] * 64), {}, 200),
        (get("/", *["A: " + "b" * 1000] * 66), {}, 431),
        (get("/", *["A: " + "b" * 8000] * 50), {"limit_request_head": 0}, 200),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_heads_have_limits(request_, limits, status, whole):
    with serving(**limits) as server, Client(server) as client:
        sending = spawn(client.send, request_ if whole else request_[:-2])
        if not whole and status == 200:
            sending.join()
            client.send(request_[-2:])
        response = client.response()
        assert response.status == status
        assert ("Connection" in response) == (status != 200)
        sending.kill()


@pytest.mark.parametrize(("endless", "status"), [(b"GET /" + b"a" * 9000, 414), (get()[:-2] + b"a" * 9000, 431)])
def test_a_head_without_an_end_is_refused_before_it_ends(endless, status):
    with serving() as server, Client(server) as client:
        assert client.ask(endless, "GET").status == status
        assert client.ended()


def test_header_map():
    request = get("/", "A_B: c")
    seen = []

    def app(environ, start_response):
        seen.append(environ.get("HTTP_A_B"))
        return hello(environ, start_response)

    for header_map, status in (("drop", 200), ("refuse", 400), ("dangerous", 200)):
        with serving(app, header_map=header_map) as server, Client(server) as client:
            assert client.ask(request).status == status
    assert seen == [None, "c"]


def test_refused_requests_are_counted_and_told_at_info(caplog):
    caplog.set_level(logging.INFO, "hubcore.http")
    with serving() as server, Client(server) as client:
        assert client.ask(b"GET / HTTP/3.0\r\n\r\n").status == 505
        assert client.ended()
        assert server.statistics["refused"] == 1
    assert [record.message for record in caplog.records] == [
        "505 HTTP Version Not Supported: the version HTTP/3.0; it takes HTTP/1.1 or HTTP/1.0 from 127.0.0.1"
    ]
