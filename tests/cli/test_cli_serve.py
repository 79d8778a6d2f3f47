"""`hubcore serve`: real processes, asked by plain HTTP."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.cli.test_cli import command
from tests.support.paths import ROOT

pytest.importorskip("httptools")

APP = """
import os, socket, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(0.3)
    body = f"{os.getpid()} {socket.socket.__module__} {environ['wsgi.multiprocess']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""
PATIENCE = 20.0


class Serving:
    """A running `hubcore serve`; what it says on stderr goes to a file."""

    def __init__(self, process, log, port=None):
        self.process, self.log, self.port = process, log, port

    def said(self):
        return self.log.read_text()

    def wait_until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, self.said()
            assert self.process.poll() is None, self.said()
            time.sleep(0.02)

    def get(self, path="/"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        assert response.status == 200, body
        return body

    def pids(self):
        """The workers that have announced themselves, in that order."""
        return [int(pid) for pid in re.findall(r"\(worker (\d+)\)", self.said())]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(folder, *arguments, workers=1, **variables):
    """`hubcore serve` in `folder`, once so many workers have announced themselves."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "HUBCORE_"))}
    env |= {"PYTHONPATH": str(ROOT)} | variables
    log = folder / "said"
    if not any(each.startswith("--bind") for each in arguments):
        arguments = ("--bind", "127.0.0.1:0", *arguments)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "hubcore", "serve", *arguments],
            cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    running = Serving(process, log)
    try:
        running.wait_until(lambda: len(running.pids()) >= workers)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", running.said())
        running.port = int(found[1]) if found else None
        yield running
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_patches_serves_and_ends(folder, number):
    with serving(folder, "app") as running:
        assert running.get() == f"{running.process.pid} hubcore.socket False"
        assert re.fullmatch(r"hubcore serve: http://127\.0\.0\.1:\d+ \(worker \d+\)\n", running.said())
        assert running.end(number) == 0
        assert running.said().count("\n") == 1


def test_it_may_leave_the_standard_library_unpatched(folder):
    with serving(folder, "app", "--no-patch") as running:
        assert running.get() == f"{running.process.pid} socket False"


def test_a_running_request_is_finished(folder):
    with serving(folder, "app") as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE)
        connection.request("GET", "/slow")
        time.sleep(0.1)
        running.process.send_signal(signal.SIGTERM)
        response = connection.getresponse()
        assert (response.status, response.getheader("Connection")) == (200, "close")
        response.read()
        connection.close()
        assert running.process.wait(PATIENCE) == 0


def test_the_access_log_and_its_rotation(folder):
    path = folder / "access.log"
    with serving(folder, "app:application", "--access-log", str(path), "--log-format", "%(r)s %(s)s") as running:
        running.get("/one")
        running.wait_until(lambda: path.read_text() == "GET /one HTTP/1.1 200\n")
        path.rename(folder / "old.log")
        running.process.send_signal(signal.SIGUSR1)
        running.wait_until(path.exists)
        running.get("/two")
        running.wait_until(lambda: path.read_text() == "GET /two HTTP/1.1 200\n")
        assert running.end() == 0


def test_settings_come_from_the_environment_and_from_pyproject(folder):
    (folder / "pyproject.toml").write_text(
        '[tool.hubcore.serve]\napp = "app"\naccess-log = "access.log"\nlog_format = "file %(s)s"\nkeepalive = 7\n'
    )
    with serving(folder, HUBCORE_SERVE_LOG_FORMAT="variable %(s)s") as running:
        running.get()
        running.wait_until(lambda: (folder / "access.log").read_text() == "variable 200\n")
        assert running.end() == 0
    with serving(folder, "--log-format", "option %(s)s", HUBCORE_SERVE_LOG_FORMAT="variable %(s)s") as running:
        running.get()
        running.wait_until(lambda: (folder / "access.log").read_text().endswith("option 200\n"))


def test_a_unix_socket(folder):
    with serving(folder, "app", "--bind", "unix:sock") as running:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "sock"))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        assert "unix:sock" in running.said()
        assert running.end() == 0
    assert not (folder / "sock").exists()


def test_an_environment_file(folder):
    (folder / "app.py").write_text(
        "import os\ndef app(environ, start):\n    start('200 OK', [])\n"
        "    return [f\"{os.environ['MINE']} {os.environ['QUOTED']}\".encode()]\n"
    )
    (folder / "env").write_text('# a comment\nMINE=from the file\nexport QUOTED="a b"\n')
    with serving(folder, "app", "--env-file", "env") as running:
        assert running.get() == "from the file a b"


# -- what is wrong


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["nowhere:app"], 1, "there is no module 'nowhere' in "),
        (["app:nothing"], 1, "the module 'app' has no 'nothing'; it has application"),
        (["app.py"], 1, "app.py is a file; name the module: app"),
        (["app:"], 1, "'app:' names no application; it takes module:attribute"),
        (["app:os"], 1, "app:os is no application, which is callable"),
        ([], 2, "name the application: module:attribute"),
        (["app", "--workers", "0"], 2, "workers is 1 or more, not 0"),
        (["app", "--workers", "2", "--reload"], 2, "--reload is for one worker"),
        (["app", "--keyfile", "key"], 2, "--keyfile needs --certfile"),
        (["app", "--certfile", "none"], 2, "cannot read the certfile none"),
        (["app", "--bind", "somewhere"], 1, "'somewhere' is no address; it takes HOST:PORT, unix:PATH or fd:N"),
        (["app", "--bind", "fd:99"], 1, "cannot listen on fd:99: Bad file descriptor"),
        (["app", "--bind", "127.0.0.1:99999"], 1, "'127.0.0.1:99999' is no address"),
        (["app", "--app-dir", "none"], 1, "there is no folder "),
        (["app", "--backend", "none"], 2, "none"),
        (["app", "--env-file", "none"], 2, "cannot read none: No such file or directory"),
        (["app", "--log-format", "%(none)s", "--access-log", "-"], 1, "a log format has no atom %(none)s"),
        (["app", "--forwarded-allow-ips", "localhost"], 1, "forwarded_allow_ips has IP addresses"),
        (["app", "--header-map", "keep"], 1, "header_map is 'drop' or 'refuse' or 'dangerous', not 'keep'"),
        (["asgi:app"], 1, "asgi:app is an ASGI application, and hubcore serve runs WSGI ones"),
        (
            ["asgi:make"],
            1,
            "asgi:make does not take (environ, start_response); if it makes the application, add --factory",
        ),
    ],
)
def test_what_is_wrong_is_one_line(folder, arguments, status, text):
    (folder / "asgi.py").write_text(
        "class App:\n    async def __call__(self, scope, receive, send): pass\napp = App()\ndef make(): return app\n"
    )
    bind = () if "--bind" in arguments else ("--bind", "127.0.0.1:0")
    _, errors = command("serve", *arguments, *bind, status=status, cwd=folder)
    assert text in errors
    assert errors.startswith("hubcore: ")
    assert errors.count("\n") == 1


def test_a_port_in_use(folder):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for workers in ("1", "2"):
            _, errors = command("serve", "app", "--bind", f"127.0.0.1:{port}", "-w", workers, status=1, cwd=folder)
            assert errors == f"hubcore: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("variables", "toml", "text"),
    [
        ({"HUBCORE_SERVE_WORKER": "2"}, "", "there is no setting HUBCORE_SERVE_WORKER"),
        ({"HUBCORE_SERVE_WORKERS": "two"}, "", "HUBCORE_SERVE_WORKERS: 'two' is not a whole number of 0 or more"),
        ({"HUBCORE_SERVE_RELOAD": "maybe"}, "", "HUBCORE_SERVE_RELOAD is on or off, not 'maybe'"),
        ({}, "worker = 2", "[tool.hubcore.serve] has no setting worker"),
        ({}, 'keepalive = "long"', "keepalive: 'long' is not a number of seconds"),
        ({}, "keepalive = ", "pyproject.toml: Invalid value"),
    ],
)
def test_wrong_settings_are_told_with_their_place(folder, variables, toml, text):
    (folder / "pyproject.toml").write_text(f"[tool.hubcore.serve]\n{toml}\n")
    _, errors = command("serve", "app", "--bind", "127.0.0.1:0", status=2, cwd=folder, **variables)
    assert text in errors
    assert errors.count("\n") == 1


def test_an_error_of_the_application_has_its_own_traceback_only(folder):
    (folder / "broken.py").write_text("def f():\n    raise ValueError('mine')\nf()\n")
    _, errors = command("serve", "broken", "--check", status=1, cwd=folder)
    assert errors.splitlines()[-1] == "ValueError: mine"
    assert "hubcore" not in errors.replace(str(folder), "")


def test_check_loads_and_exits(folder):
    assert command("serve", "--check", "app", cwd=folder) == ("", "")


# -- workers


def test_workers_share_a_port(folder):
    with serving(folder, "app", "--workers", "2", workers=2) as running:
        answers = set()
        running.wait_until(lambda: answers.add(running.get()) or len(answers) == 2)
        assert {int(answer.split()[0]) for answer in answers} == set(running.pids())
        assert all(answer.endswith("True") for answer in answers)
        assert running.end() == 0


def test_a_worker_that_dies_is_replaced(folder):
    with serving(folder, "app", "--workers", "2", workers=2) as running:
        os.kill(running.pids()[0], signal.SIGKILL)
        running.wait_until(lambda: len(running.pids()) == 3)
        assert "was killed by SIGKILL; another one is started" in running.said()
        for _ in range(5):
            running.get()
        assert running.end() == 0


def test_hup_replaces_all_workers_and_loses_no_request(folder):
    with serving(folder, "app", "--workers", "2", workers=2) as running:
        old = set(running.pids())
        running.process.send_signal(signal.SIGHUP)
        answers = []
        running.wait_until(lambda: answers.append(running.get("/")) or len(running.pids()) == 4)
        running.wait_until(lambda: answers.append(running.get("/")) or not any(map(_lives, old)))
        new = set(running.pids()) - old
        assert {int(running.get().split()[0]) for _ in range(20)} <= new
        assert running.end() == 0


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_hup_with_a_broken_application_keeps_the_old_workers(folder):
    with serving(folder, "app", "--workers", "2", workers=2) as running:
        (folder / "app.py").write_text("raise ValueError('broken')")
        running.process.send_signal(signal.SIGHUP)
        running.wait_until(lambda: running.said().count("the old one goes on") == 2)
        assert int(running.get().split()[0]) in running.pids()
        assert running.end() == 0


def test_max_requests_replaces_a_worker(folder):
    with serving(folder, "app", "--workers", "2", "--max-requests", "3", workers=2) as running:
        answers = set()
        running.wait_until(lambda: answers.add(running.get()) or len(answers) >= 4)
        assert "another one is started" not in running.said()
        assert running.end() == 0


def test_workers_that_cannot_begin_end_it(folder):
    _, errors = command("serve", "nowhere:app", "-w", "2", "--bind", "127.0.0.1:0", status=1, cwd=folder)
    assert "there is no module 'nowhere'" in errors


def test_workers_end_with_their_supervisor(folder):
    with serving(folder, "app", "--workers", "2", workers=2) as running:
        pids = running.pids()
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        end = time.monotonic() + PATIENCE
        while any(map(_lives, pids)):
            assert time.monotonic() < end
            time.sleep(0.02)


def test_a_worker_that_does_not_end_is_killed(folder):
    (folder / "app.py").write_text(APP.replace("time.sleep(0.3)", "while True: pass"))
    with serving(folder, "app", "--workers", "2", "--graceful-timeout", "0.1", workers=2) as running:
        client = socket.create_connection(("127.0.0.1", running.port))
        client.sendall(b"GET /slow HTTP/1.0\r\n\r\n")
        time.sleep(0.2)
        assert running.end() == 0
        client.close()


def test_the_service_manager_is_told(folder):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(PATIENCE)
        with serving(folder, "app", "--workers", "2", workers=2, NOTIFY_SOCKET=str(folder / "notify")):
            assert manager.recv(100) == b"READY=1"


# -- reload


def test_reload_after_a_change_and_after_a_mistake(folder):
    with serving(folder, "app", "--reload") as running:
        first = running.get()
        (folder / "app.py").write_text(APP.replace("{os.getpid()}", "second"))
        running.wait_until(lambda: len(running.pids()) == 2)
        assert running.get().startswith("second")
        (folder / "app.py").write_text("def application(:\n")
        running.wait_until(lambda: "SyntaxError" in running.said())
        (folder / "app.py").write_text(APP.replace("{os.getpid()}", "third"))
        running.wait_until(lambda: len(running.pids()) == 3)
        assert running.get().startswith("third")
        assert "app.py has changed" in running.said()
        assert first
        assert running.end() == 0


# -- finding applications


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("def application(environ, start): pass", "found"),
        ("def app(environ, start): pass", "found"),
        ("def create_app():\n    return lambda environ, start: None", "found"),
        ("def make_app():\n    return lambda environ, start: None", "found"),
        ("def mine(environ, start): pass", "found:mine"),
        ("class Site:\n    def wsgi(self, environ, start): pass\nsite = Site()", "found:site.wsgi"),
        ("def mine():\n    return lambda environ, start: None", "found:mine()"),
        ("class App:\n    def __init__(self, environ, start): pass", "found:App"),
    ],
)
def test_applications_are_found(tmp_path, monkeypatch, source, name):
    from hubcore.cli._serve_app import find_application

    (tmp_path / "found.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "found", raising=False)
    assert callable(find_application(name))
    monkeypatch.delitem(sys.modules, "found", raising=False)


def test_a_project_of_djangos_layout(tmp_path, monkeypatch):
    from hubcore.cli._serve_app import find_application

    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "__init__.py").touch()
    (tmp_path / "project" / "wsgi.py").write_text("def application(environ, start): pass")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("project.wsgi", "project"):
        assert find_application(name).__module__ == "project.wsgi"


def test_info_knows_no_more_of_it_than_before():
    assert json.loads(command("info", "--json")[0])
