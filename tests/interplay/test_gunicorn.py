"""gunicorn with hubcore.gunicorn.Worker: signals, reload under load, a blocked hub, TLS, logs, limits, hooks."""

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from tests.cli.test_cli_serve import PATIENCE, Serving
from tests.support.certificates import client_context
from tests.support.paths import ROOT

pytest.importorskip("gunicorn")
pytest.importorskip("httptools")

APP = """
import os, socket, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(0.5)
    if path == "/block":
        while True:
            pass
    if path == "/error":
        raise ValueError("mine")
    body = environ["wsgi.input"].read() or f"{os.getpid()} {socket.socket.__module__} {environ['REMOTE_ADDR']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Scheme", environ["wsgi.url_scheme"])])
    return [body]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@contextmanager
def gunicorn(folder, backend, *arguments, workers=1):
    """gunicorn in `folder`, once so many workers are up."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "said"
    # As the script `gunicorn`: with `python -m gunicorn` a second master cannot import the standard library's http.
    (folder / "start.py").write_text("from gunicorn.app.wsgiapp import run\nrun()\n")
    command = [sys.executable, "start.py", "-k", "hubcore.gunicorn.Worker", "-w", str(workers), "--no-control-socket"]
    if "--bind" not in arguments:
        command += ["--bind", f"127.0.0.1:{port}"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "HUB_BACKEND": backend}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments, "app:application"],
            cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    running = Serving(process, log, port)
    try:
        errors = folder / "errors" if "errors" in arguments else log
        running.wait_until(lambda: errors.exists() and errors.read_text().count("Booting worker") >= workers)
        if "--bind" not in arguments and "--certfile" not in arguments:
            running.wait_until(lambda: _answers(running))
        yield running
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(running):
    try:
        running.get()
    except OSError:
        return False
    return True


class Load:
    """Clients that ask again and again on connections that stay; what fails is kept."""

    def __init__(self, port, clients=8):
        self.port = port
        self.failures, self.answers = [], []
        self.over = False
        self.threads = [threading.Thread(target=self.ask) for _ in range(clients)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc):
        self.over = True
        for thread in self.threads:
            thread.join()

    def ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self.over:
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                self.answers.append((response.status, response.read()))
            except Exception as error:
                self.failures.append(repr(error))
                connection.close()
            time.sleep(0.002)
        connection.close()


def test_it_serves_patched_and_ends(folder, hub_backend):
    with gunicorn(folder, hub_backend) as running:
        assert re.fullmatch(r"\d+ hubcore.socket 127.0.0.1", running.get())
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
        connection.request("GET", "/slow")
        time.sleep(0.1)
        running.process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert (response.status, response.getheader("Connection")) == (200, "close")
        response.read()
        connection.close()
        assert running.process.wait(PATIENCE) == 0
        assert "Traceback" not in running.said()


def test_a_reload_under_load_loses_no_request(folder, hub_backend):
    clients = 8
    with gunicorn(folder, hub_backend, workers=2) as running:
        with Load(running.port, clients) as load:
            generations = []
            for times in (1, 2, 3):
                if times > 1:
                    running.process.send_signal(signal.SIGHUP)
                running.wait_until(lambda times=times: running.said().count("Booting worker") >= 2 * times)
                running.wait_until(lambda times=times: running.said().count("Worker exiting") >= 2 * (times - 1))
                # Each client may be about to note an answer of a worker that has just exited. The kernel may give all
                # connections to one of the two workers.
                first = len(load.answers) + clients
                running.wait_until(lambda first=first: len(load.answers) > first + 50)
                generations.append({body.split()[0] for _, body in load.answers[first : first + 50]})
        assert load.failures == []
        assert {status for status, _ in load.answers} == {200}
        assert len(set().union(*generations)) == sum(map(len, generations))  # each has workers of its own
        assert running.end() == 0


def test_more_and_fewer_workers_under_load(folder, hub_backend):
    with gunicorn(folder, hub_backend) as running:
        with Load(running.port) as load:
            running.process.send_signal(signal.SIGTTIN)
            running.wait_until(lambda: running.said().count("Booting worker") == 2)
            running.wait_until(lambda: len(load.answers) > 50)
            running.process.send_signal(signal.SIGTTOU)
            running.wait_until(lambda: running.said().count("Worker exiting") == 1)
            before = len(load.answers)
            running.wait_until(lambda: len(load.answers) > before + 50)
        assert load.failures == []
        assert running.end() == 0


def test_max_requests_under_load(folder, hub_backend):
    with gunicorn(folder, hub_backend, "--max-requests", "200", workers=2) as running:
        with Load(running.port) as load:
            running.wait_until(lambda: running.said().count("Booting worker") >= 4)
        assert load.failures == []
        assert running.end() == 0


def test_a_worker_that_is_killed_is_replaced(folder, hub_backend):
    with gunicorn(folder, hub_backend) as running:
        os.kill(int(running.get().split()[0]), signal.SIGKILL)
        running.wait_until(lambda: running.said().count("Booting worker") == 2)
        running.wait_until(lambda: _answers(running))
        assert running.end() == 0


def test_a_hub_that_is_held_up_is_found(folder, hub_backend):
    with gunicorn(folder, hub_backend, "--timeout", "2") as running:
        running.get("/slow")
        client = socket.create_connection(("127.0.0.1", running.port))
        client.sendall(b"GET /block HTTP/1.0\r\n\r\n")
        running.wait_until(lambda: "WORKER TIMEOUT" in running.said())
        running.wait_until(lambda: running.said().count("Booting worker") == 2)
        client.close()
        running.wait_until(lambda: _answers(running))
        assert running.end() == 0


def test_tls_and_several_addresses(folder, hub_backend, certificates):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ("--bind", f"127.0.0.1:{port}", "--bind", "unix:sock")
    pem = certificates["localhost"]
    with gunicorn(folder, hub_backend, *arguments, "--certfile", pem, "--keyfile", pem) as running:
        running.wait_until((folder / "sock").exists)
        context = client_context(ssl)
        context.set_alpn_protocols(["h2", "http/1.1"])
        for family, address in ((socket.AF_INET, ("127.0.0.1", port)), (socket.AF_UNIX, str(folder / "sock"))):
            with socket.socket(family) as plain:
                plain.settimeout(PATIENCE)
                plain.connect(address)
                with context.wrap_socket(plain, server_hostname="localhost") as client:
                    assert client.selected_alpn_protocol() == "http/1.1"
                    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert b"X-Scheme: https\r\n" in client.recv(1000)
        assert running.end() == 0


def test_logs(folder, hub_backend):
    formats = ("--access-logfile", "access", "--access-logformat", '%(r)s %(s)s %(b)s "%({x-a}i)s" "%({x-scheme}o)s"')
    with gunicorn(folder, hub_backend, *formats, "--error-logfile", "errors", "--capture-output") as running:
        running.wait_until(lambda: "GET /" in (folder / "access").read_text())
        (folder / "access").write_text("")
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
        connection.request("POST", "/a?b", b"hello", {"X-A": "x"})
        connection.getresponse().read()
        connection.close()
        running.wait_until(lambda: (folder / "access").read_text() == 'POST /a?b HTTP/1.1 200 5 "x" "http"\n')
        connection.request("GET", "/error")
        assert connection.getresponse().status == 500
        connection.close()
        running.wait_until(lambda: "ValueError: mine" in (folder / "errors").read_text())
        assert (folder / "errors").read_text().count("Traceback") == 1
        (folder / "access").rename(folder / "old")
        running.process.send_signal(signal.SIGUSR1)
        running.wait_until((folder / "access").exists)
        assert running.end() == 0


def test_settings_are_gunicorns(folder, hub_backend):
    (folder / "conf.py").write_text(
        "limit_request_line = 100\nlimit_request_fields = 3\nheader_map = 'refuse'\nkeepalive = 1\n"
        "forwarded_allow_ips = '127.0.0.1'\nworker_connections = 5\n"
        "def pre_request(worker, req):\n    worker.log.info('before %s %s', req.method, req.path)\n"
        "def post_request(worker, req, environ, resp):\n    worker.log.info('after %s %s', req.uri, resp.status)\n"
    )
    with gunicorn(folder, hub_backend, "-c", "conf.py") as running:

        def status(*lines):
            with socket.create_connection(("127.0.0.1", running.port), PATIENCE) as client:
                client.sendall("\r\n".join([*lines, "", ""]).encode())
                return client.recv(1000)

        assert status("GET /" + "a" * 100 + " HTTP/1.1", "Host: a").startswith(b"HTTP/1.1 414 ")
        assert status("GET / HTTP/1.1", "Host: a", "A: a", "B: b", "C: c").startswith(b"HTTP/1.1 431 ")
        assert status("GET / HTTP/1.1", "Host: a", "A_B: a").startswith(b"HTTP/1.1 400 ")
        said = status("GET /x?y HTTP/1.1", "Host: a", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")
        assert said.endswith(b" 203.0.113.7")
        assert b"X-Scheme: https" in said
        running.wait_until(lambda: "after /x?y 200 OK" in running.said())
        assert "before GET /x" in running.said()
        with socket.create_connection(("127.0.0.1", running.port), PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            while client.recv(1000):
                pass  # keepalive is one second
        assert running.end() == 0


def test_usr2_starts_a_second_master_and_loses_no_request(folder, hub_backend):
    with gunicorn(folder, hub_backend) as running:
        old = running.process.pid
        with Load(running.port) as load:
            os.kill(old, signal.SIGUSR2)
            running.wait_until(lambda: running.said().count("Booting worker") == 2)
            os.kill(old, signal.SIGTERM)
            running.process.wait(PATIENCE)
            before = len(load.answers)
            end = time.monotonic() + PATIENCE
            while len(load.answers) < before + 50:
                assert time.monotonic() < end
                time.sleep(0.02)
        assert load.failures == []
        second = int(re.findall(r"\[(\d+)\] \[INFO\] Starting gunicorn", running.said())[1])
        os.kill(second, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while "Shutting down" not in running.said().split("Starting gunicorn")[2]:
            assert time.monotonic() < end, running.said()
            time.sleep(0.02)
