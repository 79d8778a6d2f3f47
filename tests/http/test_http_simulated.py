"""pywsgi in simulated worlds: kill -9, partitions, resets and pauses, over many seeds."""

import http.client

import pytest

from hubcore import sleep, socket
from hubcore.pywsgi import WSGIServer
from hubcore.testing import sim

UNTIL = 15.0  # virtual seconds; from then on all is well


class Service:
    """Each answer has the request's path in each of its lines; a POST is answered with its body."""

    def __init__(self, **options):
        self.options = options
        self.posted = {}
        self.open = 0

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] == "POST":
            body = environ["wsgi.input"].read()
            self.posted[path] = self.posted.get(path, 0) + 1
            start_response("200 OK", [("Content-Length", str(len(body)))])
            return [body]
        if path.startswith("/chunked"):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return self.slowly(path)
        body = f"{path}\n".encode() * 500
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def slowly(self, path):
        self.open += 1
        try:
            for _ in range(10):
                yield f"{path}\n".encode() * 50
                sleep(0.05)
        finally:
            self.open -= 1

    def run(self):
        self.open = 0  # of the process before, which was killed
        WSGIServer(("", 80), self, log=None, error_log=None, **self.options).serve_forever()


class Connection:
    """A kept connection as of http.client, but on hubcore's sockets."""

    def __init__(self):
        self.kept = None

    def ask(self, method, path, body=None):
        """The whole answer. OSError or HTTPException if it is not whole."""
        if self.kept is None:
            self.kept = http.client.HTTPConnection("web", 80)
            self.kept.auto_open = 0  # it would take a socket of its own
            self.kept.sock = socket.create_connection(("web", 80), timeout=3)
        try:
            self.kept.request(method, path, body)
            answer = self.kept.getresponse()
            data = answer.read()
            if answer.will_close:
                self.close()
        except BaseException:
            self.close()
            raise
        return answer.status, data

    def close(self):
        if self.kept is not None:
            self.kept.close()
            self.kept = None


def expected(method, path, body):
    if method == "POST":
        return body
    return f"{path}\n".encode() * 500


def answers_are_whole(simulation, options):
    service = Service(**options)
    simulation.host("web", service.run)
    failed = []

    def client(name):
        random = simulation.random
        connection = Connection()
        for count in range(8):
            method, body = random.choice([("GET", None), ("GET", None), ("POST", f"{name} {count}".encode() * 100)])
            path = random.choice(["/plain", "/chunked"]) + f"/{name}/{count}"
            while True:
                try:
                    status, data = connection.ask(method, path, body)
                except (OSError, http.client.HTTPException) as error:
                    failed.append(type(error))
                    sleep(random.random())
                    continue
                if status == 200:
                    assert data == expected(method, path, body), f"{method} {path}: {len(data)} bytes, {data[:40]!r}"
                    break
                assert status in (408, 503), status
                sleep(random.random())
            sleep(random.random())
        connection.close()

    clients = [simulation.host(f"c{i}", client, f"c{i}") for i in range(4)]
    simulation.faults(
        "kill", "partition", "reset", "pause", every=(0.3, 1.5), lasting=(0.1, 2), until=UNTIL, hosts=["web"]
    )
    simulation.eventually(lambda: not any(host.alive for host in clients), within=500, every=1)
    simulation.eventually(lambda: service.open == 0, within=2000, every=10)
    connection = Connection()
    assert connection.ask("GET", "/plain/after") == (200, expected("GET", "/plain/after", None))
    connection.close()
    return failed


OPTIONS = {"unlimited": {}, "two at a time": {"spawn": 2}}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_answer_is_whole_or_an_error(name):
    sim.explore(answers_are_whole, OPTIONS[name], seeds=12, shrink=2.0, fork=False)


def test_faults_do_cut_answers():
    """Without which the test above would say nothing."""
    failed = [sim.run(answers_are_whole, {}, seed=seed, fork=False) for seed in range(4)]
    assert sum(map(len, failed)) > 4


def kept_connections_end(simulation):
    """A client that is gone without a word does not hold a connection for ever."""
    service = Service()
    simulation.host("web", service.run)
    went = []

    def client():
        connection = Connection()
        connection.ask("GET", "/plain/x")
        went.append(connection)  # kept open
        sleep(1e6)

    host = simulation.host("c", client)
    simulation.eventually(lambda: went)
    kernel = simulation.hosts["web"].kernel
    held = len(kernel.endpoints)
    host.crash()
    simulation.eventually(lambda: len(kernel.endpoints) < held, within=600, every=5)


def test_a_client_that_crashed_is_let_go():
    sim.explore(kept_connections_end, seeds=5, shrink=2.0, fork=False)
