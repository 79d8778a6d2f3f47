"""stop and serve_forever: no request is lost, idle connections end, what takes too long is killed."""

import socket as stdlib

import pytest

import hubcore
from hubcore import GreenletExit, sleep, spawn
from hubcore.event import Event
from hubcore.hub import get_hub
from hubcore.pywsgi import WSGIServer
from hubcore.testing import run_python, settle
from tests.http.support import Client, Stream, get, hello, post

pytestmark = pytest.mark.usefixtures("hub")


class Held:
    """An application whose requests wait until they are let go."""

    def __init__(self):
        self.go = Event()
        self.running = 0
        self.killed = 0

    def __call__(self, environ, start_response):
        self.running += 1
        try:
            self.go.wait()
        except GreenletExit:
            self.killed += 1
            raise
        finally:
            self.running -= 1
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"finished"]

    def wait_for(self, count):
        while self.running < count:
            sleep(0.001)


def make(app=hello, **settings):
    server = WSGIServer(("127.0.0.1", 0), app, log=None, error_log=Stream(), **settings)
    server.start()
    return server


def test_a_running_request_finishes_and_its_connection_ends():
    app = Held()
    server = make(app)
    with Client(server) as client:
        client.send(get())
        app.wait_for(1)
        stopping = spawn(server.stop)
        settle(get_hub())
        assert server.stopping.is_set()
        assert server.closed
        assert not stopping.ready()
        app.go.set()
        response = client.response()
        assert (response.body, response["Connection"]) == (b"finished", "close")
        assert client.ended()
        stopping.get()


def test_listening_ends_at_once():
    app = Held()
    server = make(app)
    with Client(server) as client:
        client.send(get())
        app.wait_for(1)
        stopping = spawn(server.stop)
        settle(get_hub())
        with pytest.raises(ConnectionRefusedError):
            Client(server)
        app.go.set()
        stopping.get()


def test_idle_connections_are_closed_at_once():
    server = make()
    server.idle_grace = server._rules.idle_grace = 0.01
    with Client(server) as silent, Client(server) as served:
        assert served.ask(get()).status == 200
        while server.statistics["connections"] < 2:
            sleep(0.001)
        sleep(0.05)
        start = get_hub().loop.update_now()
        server.stop()
        assert get_hub().loop.update_now() - start < 10  # graceful_timeout is 30
        assert silent.ended()
        assert served.ended()
        assert server.statistics["connections"] == 0


def test_a_request_that_comes_right_after_a_response_is_not_lost():
    server = make()
    server.idle_grace = server._rules.idle_grace = 5.0
    with Client(server) as client:
        assert client.ask(get()).status == 200
        stopping = spawn(server.stop)
        settle(get_hub())
        response = client.ask(get())
        assert (response.status, response["Connection"]) == (200, "close")
        assert client.ended()
        stopping.get()


def test_who_keeps_quiet_after_a_response_is_closed_soon():
    server = make()
    with Client(server) as client:
        assert client.ask(get()).status == 200
        start = get_hub().loop.update_now()
        server.stop()
        assert get_hub().loop.update_now() - start < 10
        assert client.ended()


@pytest.mark.parametrize("part", [1, 20])
def test_a_request_whose_first_byte_has_come_counts_as_running(part):
    server = make()
    with Client(server) as client:
        client.send(get()[:part])
        while not server._rules.connections or next(iter(server._rules.connections)).idle_since is not None:
            sleep(0.001)
        stopping = spawn(server.stop)
        settle(get_hub())
        response = client.ask(get()[part:], "GET")
        assert (response.status, response["Connection"]) == (200, "close")
        stopping.get()


def test_a_body_is_read_to_its_end():
    seen = []

    def app(environ, start_response):
        seen.append(environ["wsgi.input"].read(5))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"got it"]

    server = make(app)
    with Client(server) as client:
        client.send(post(b"hello")[:-3])
        while not server.statistics["requests"]:
            sleep(0.001)
        stopping = spawn(server.stop)
        settle(get_hub())
        assert client.ask(b"llo", "POST").body == b"got it"
        assert seen == [b"hello"]
        stopping.get()


def test_who_waits_in_the_kernel_is_served():
    server = make()
    clients = [stdlib.create_connection(("127.0.0.1", server.server_port), 10) for _ in range(50)]
    for client in clients:  # nothing has been accepted, as this greenlet has never waited
        client.sendall(get())
    server.stop()
    for sock in clients:
        with sock, Client(sock, 10) as client:
            response = client.response()
            assert (response.status, response["Connection"]) == (200, "close")
    assert server.statistics["requests"] == 50


def test_what_takes_too_long_is_killed():
    app = Held()
    server = make(app, graceful_timeout=0.05)
    with Client(server) as client:
        client.send(get())
        app.wait_for(1)
        server.stop()
        assert (app.running, app.killed) == (0, 1)
        assert client.ended()
    assert server.error_log.text == ""


def test_the_argument_of_stop_takes_the_place_of_graceful_timeout():
    app = Held()
    server = make(app)
    with Client(server) as client:
        client.send(get())
        app.wait_for(1)
        server.stop(timeout=0.01)
        assert app.killed == 1


@pytest.mark.parametrize("timeout", [0, None])
def test_without_a_graceful_timeout_stop_waits_for_ever(timeout):
    app = Held()
    server = make(app, graceful_timeout=timeout)
    with Client(server) as client:
        client.send(get())
        app.wait_for(1)
        stopping = spawn(server.stop)
        sleep(0.05 if "virtual" not in type(get_hub().loop).__name__.lower() else 1e6)
        assert not stopping.ready()
        app.go.set()
        assert client.response().body == b"finished"
        stopping.get()


def test_handed_over_connections_learn_of_it_and_are_killed_at_the_end():
    told, ended = [], []

    def app(environ, start_response):
        sock = environ["hubcore.socket"]
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        server.stopping.wait()
        told.append(True)
        try:
            sock.recv(1)
        except GreenletExit:
            ended.append(True)
            raise
        return []

    server = make(app, graceful_timeout=0.05)
    with Client(server) as client:
        client.send(get("/", "Connection: Upgrade", "Upgrade: mine"))
        assert client.head().status == 101
        server.stop()
        assert (told, ended) == ([True], [True])
        assert client.ended()


def test_stop_twice_and_start_again():
    server = make()
    with Client(server) as client:
        assert client.ask(get("/", "Connection: close")).status == 200
    server.stop()
    server.stop()
    assert server.stopping.is_set()
    server.start()
    assert not server.stopping.is_set()
    with Client(server) as client:
        for _ in range(2):
            assert "Connection" not in client.ask(get())
    server.stop()


def test_a_handler_may_stop_its_server():
    def app(environ, start_response):
        server.stop()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the last"]

    server = make(app)
    with Client(server) as client:
        response = client.ask(get())
        assert (response.body, response["Connection"]) == (b"the last", "close")
    assert server.closed


def test_a_lingering_connection_does_not_hold_up_stop():
    server = make(discard_limit=10)
    with Client(server) as client:
        client.send(post(b"x" * 1000)[:-1])
        assert client.response().status == 200
        server.stop()
        assert client.ended()


# -- serve_forever


def test_serve_forever_returns_when_the_last_request_is_over():
    app = Held()
    server = WSGIServer(("127.0.0.1", 0), app, log=None)
    serving_forever = spawn(server.serve_forever)
    settle(get_hub())
    with Client(server) as client:
        client.send(get())
        app.wait_for(1)
        stopping = spawn(server.stop)
        settle(get_hub())
        assert not serving_forever.ready()
        app.go.set()
        assert client.response().status == 200
        hubcore.joinall([stopping, serving_forever], raise_error=True)


PROGRAM = """
    import os, signal, sys
    from hubcore import monkey; monkey.patch_all()
    import hubcore
    from hubcore import socket, spawn, sleep
    from hubcore.pywsgi import WSGIServer

    def app(environ, start_response):
        os.kill(os.getpid(), {signal})
        sleep(0.3)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"finished"]

    def client():
        with socket.create_connection(("127.0.0.1", server.server_port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\\r\\nHost: test\\r\\n\\r\\n")
            answer = b""
            while data := sock.recv(1000):
                answer += data
        assert b"Connection: close" in answer, answer
        print(answer.rpartition(b"\\r\\n")[2].decode(), flush=True)

    server = WSGIServer(("127.0.0.1", 0), app, log=None)
    server.start()
    asking = spawn(client)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("interrupted")
        raise SystemExit
    asking.join()
    print("over", server.statistics["connections"], server.closed)
    print("handler", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
"""


@pytest.mark.parametrize("signal", ["signal.SIGTERM", "signal.SIGINT"])
def test_a_signal_stops_serve_forever_once_requests_are_over(hub_backend, signal):
    done = run_python(PROGRAM.format(signal=signal), hub_backend)
    assert done.stdout.splitlines() == ["finished", "over 0 True", "handler True"]
    assert done.stderr == ""


def test_a_second_interrupt_ends_at_once(hub_backend):
    program = PROGRAM.replace("sleep(0.3)", "sleep(0.1); os.kill(os.getpid(), signal.SIGINT); sleep(1000)")
    done = run_python(program.format(signal="signal.SIGINT"), hub_backend)
    assert done.stdout.splitlines()[-1] == "interrupted"


def test_a_programs_own_handler_stays(hub_backend):
    program = PROGRAM.format(signal="signal.SIGTERM").replace(
        "server.start()", "server.start(); signal.signal(signal.SIGTERM, lambda *args: (print('own'), server.stop()))"
    )
    done = run_python(program, hub_backend)
    assert done.stdout.splitlines() == ["own", "finished", "over 0 True", "handler False"]
