"""The programs of examples/ do what their headers say: each runs, on libev and on libuv."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.support.page_runs import free_port, skip_without, web
from tests.support.paths import ROOT

EXAMPLES = ROOT / "examples"
backends = pytest.mark.parametrize("backend", ["libev", "libuv"])


@contextlib.contextmanager
def running(backend, *command):
    """A program of examples/ with its output as text; killed at the end if it still runs."""
    env = {**os.environ, "HUB_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", *command],
        cwd=EXAMPLES,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def finished(backend, *command):
    with running(backend, *command) as process:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output


def port_of(process):
    line = process.stdout.readline()
    found = re.match(r"listening on port (\d+)", line)
    assert found, line + process.stdout.read()
    return int(found[1])


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=20)


@backends
def test_echo_finishes_its_client_before_it_stops(backend):
    with running(backend, "echo.py", "0") as process, connect(port_of(process)) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        process.send_signal(signal.SIGTERM)
        client.sendall(b"still there?")
        assert client.recv(100) == b"still there?"
        client.close()
        assert process.stdout.read() == "stopped\n"
        assert process.wait(20) == 0


@backends
def test_chat(backend):
    with running(backend, "chat.py", "0") as process:
        port = port_of(process)
        with connect(port) as ann, connect(port) as bob, ann.makefile() as to_ann, bob.makefile() as to_bob:
            bob.sendall(b"hi\n")
            assert to_ann.readline() == f"{bob.getsockname()[1]}: hi\n"
            ann.sendall(b"hello\n")
            assert to_bob.readline() == f"{ann.getsockname()[1]}: hello\n"
            ann.close()
            to_ann.close()
        process.kill()


@backends
def test_the_crawler(backend):
    skip_without(["requests"])
    with web() as url:
        output = finished(backend, "-m", "hubcore", "run", "crawler.py", f"{url}/")
    assert output.split() == ["40", "pages,", "0", "failed"]


@backends
def test_a_thousand_requests(backend):
    skip_without(["requests"])
    with web() as url:
        output = finished(backend, "-m", "hubcore", "run", "thousand_requests.py", f"{url}/", "200")
    assert output.startswith("200 pages in")


@backends
def test_the_redis_worker(backend):
    skip_without(["redis", "redis-server"])
    redis = pytest.importorskip("redis")
    port = free_port()
    with subprocess.Popen(["redis-server", "--port", str(port), "--save", ""], stdout=subprocess.DEVNULL) as server:
        try:
            client = redis.Redis(port=port, socket_timeout=20)
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    assert server.poll() is None
                    time.sleep(0.01)
            for number in range(60):
                client.rpush("jobs", json.dumps({"number": number}))
            with running(backend, "-m", "hubcore", "run", "redis_worker.py", str(port)) as process:
                assert process.stdout.readline() == "20 workers\n"
                results = [json.loads(client.blpop(["results"], timeout=15)[1]) for _ in range(60)]
                assert sorted(each["square"] for each in results) == [number**2 for number in range(60)]
                process.send_signal(signal.SIGTERM)
                assert process.stdout.read() == "stopped\n"
                assert process.wait(20) == 0
            client.close()
        finally:
            server.terminate()


@backends
def test_deadlines(backend):
    assert finished(backend, "deadlines.py").splitlines() == [
        "first: the answer of near",
        "near: the answer of near",
        "far: the answer of far",
        "broken: too late",
        "all of them: too late",
    ]


@backends
def test_the_backdoor(backend, tmp_path):
    path = tmp_path / "door"
    with running(backend, "backdoor.py", "0", str(path)) as process:
        port = port_of(process)
        assert process.stdout.readline() == f"backdoor at {path}\n"
        with connect(port) as visitor:
            assert visitor.recv(100) == b"you are visitor 1\n"
        with socket.socket(socket.AF_UNIX) as prompt, prompt.makefile() as text:
            prompt.settimeout(20)
            prompt.connect(str(path))
            prompt.sendall(b"print('visits:', len(visits), server.started)\nexit()\n")
            assert "visits: 1 True" in text.read()


def test_virtual_time():
    output = finished(
        "virtual",
        *("-m", "pytest", "-q", "-p", "hubcore.testing.plugin", "-p", "no:cacheprovider"),
        *("--rootdir", str(EXAMPLES), "--hub-backend=virtual", "test_virtual_time.py"),
    )
    assert "3 passed" in output


def test_every_program_is_in_the_table_and_is_run_here():
    table = set(re.findall(r"^\| `([\w./]+)` \|", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    files = {path.name if path.is_file() else f"{path.name}/" for path in EXAMPLES.iterdir()}
    assert table == files - {"README.md", "__pycache__/", ".pytest_cache/"}
    here = (ROOT / "tests" / "examples" / "test_examples.py").read_text()
    assert [name for name in table if name.endswith(".py") and f'"{name}"' not in here] == []
