"""Programs as they are, started by `hubcore run`: gunicorn, pytest-xdist, execnet, coverage, debugpy."""

import importlib.util
import json
import os
import signal
import socket as stdlib
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import pytest

from tests.interplay.services import free_port

pytestmark = pytest.mark.slow

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN = [sys.executable, "-X", "faulthandler", "-m", "hubcore", "run"]
PATIENCE = 60  # seconds that a program may run, and that its answers may take


@pytest.fixture
def start(hub_backend, tmp_path):
    """Starts a command under `hubcore run`, in a folder with some files; its process, which does not run for ever."""
    started = []

    def start(*arguments, files=None, **options):
        for name, content in (files or {}).items():
            (tmp_path / name).write_text(textwrap.dedent(content))
        environment = {**os.environ, "HUB_BACKEND": hub_backend, "PYTHONPATH": ROOT, "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            [*RUN, *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )
        limit = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
        limit.start()
        started.append((process, limit))
        return process

    yield start
    for process, limit in started:
        limit.cancel()
        limit.join()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()  # unread: a daemon that the program left behind may have the other end


def output_of(process, status=0):
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, said
    return said


def need(*modules):
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module} (pip install --group interplay; or make interplay)")


def read_until(process, text):
    said = ""
    while text not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    return said


# gunicorn


GATE_APP = """
    import os, threading
    lock, barrier = threading.Lock(), threading.Barrier(5)

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/gate":
            barrier.wait(30)  # five at once, or none
        body = f"{os.getpid()} {threading.current_thread().name} {type(threading.current_thread()).__module__}".encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
"""


def ask(port, path):
    with stdlib.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while part := sock.recv(65536):
            answer += part
    return answer.partition(b"\r\n\r\n")[2].decode()


def ask_together(port, path, count):
    socks = [stdlib.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(count)]
    for sock in socks:
        sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answers = []
    for sock in socks:
        with sock, sock.makefile("rb") as file:
            answers.append(file.read().partition(b"\r\n\r\n")[2].decode())
    return answers


def test_gunicorn_with_its_own_threads(start):
    need("gunicorn")
    port = free_port()
    process = start(
        "-m", "gunicorn", "-k", "gthread", "--threads", "5", "-w", "1", "-b", f"127.0.0.1:{port}",
        "--no-control-socket", "app:app", files={"app.py": GATE_APP},
    )  # fmt: skip
    read_until(process, "Booting worker")
    answers = ask_together(port, "/gate", 5)
    assert len({answer.split()[0] for answer in answers}) == 1
    assert len({answer.split()[1] for answer in answers}) == 5
    worker = int(answers[0].split()[0])
    os.kill(worker, signal.SIGKILL)
    read_until(process, "Booting worker")
    assert int(ask(port, "/").split()[0]) != worker
    process.send_signal(signal.SIGHUP)  # new workers in place of the old ones
    read_until(process, "Booting worker")
    assert ask(port, "/")
    process.send_signal(signal.SIGTERM)
    assert "Shutting down: Master" in output_of(process)


# pytest-xdist and execnet


TESTS = """
    import threading, time
    import pytest
    from hubcore import monkey

    @pytest.mark.parametrize("number", range(20))
    def test_one(number):
        assert threading.current_thread() is threading.main_thread()
        time.sleep(0)

    def test_two():
        assert False, "on purpose"
"""


def test_pytest_xdist(start):
    need("xdist")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:hubcore", "-n", "2"]
    process = start("-m", "pytest", *options, "test_it.py", files={"test_it.py": TESTS})
    said = output_of(process, status=1)
    assert "20 passed" in said, said
    assert "1 failed" in said, said


EXECNET = """
    import execnet, hubcore, threading
    from hubcore import monkey
    assert monkey.is_module_patched("threading")
    group = execnet.Group([f"popen//python=%s" % __import__("sys").executable] * 3)
    channels = [gateway.remote_exec("while 1: channel.send(channel.receive() * 2)") for gateway in group]

    def ask(channel):
        for i in range(50):
            channel.send(i)
            assert channel.receive() == 2 * i

    hubcore.joinall([hubcore.spawn(ask, channel) for channel in channels], raise_error=True)
    group.terminate(timeout=5)
    print("done")
"""


def test_execnet(start):
    need("execnet")
    assert output_of(start("program.py", files={"program.py": EXECNET})) == "done\n"


# coverage


MEASURED = """
    import threading
    import hubcore

    def work(number):
        before = number
        hubcore.sleep(0)
        after = before + 1
        if after < 0:
            never = True
        return after

    def in_thread():
        hubcore.sleep(0.001)
        done.append(1)

    def ended():
        try:
            hubcore.sleep(100)
        except hubcore.GreenletExit:
            done.append(2)

    done = []
    sleeper = hubcore.spawn(ended)
    hubcore.sleep(0)
    sleeper.kill()
    jobs = [hubcore.spawn(work, i) for i in range(3)]
    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert [job.get() for job in jobs] == [1, 2, 3]
"""  # the lines that follow a wait are what a tracer gives to the wrong greenlet if nobody tells it


def test_coverage_of_greenlets(start, tmp_path):
    need("coverage")
    options = ["--concurrency=greenlet", "--data-file=data", "--include=program.py"]
    said = output_of(start("-m", "coverage", "run", *options, "program.py", files={"program.py": MEASURED}))
    assert said == ""
    command = [sys.executable, "-m", "coverage", "json", "--data-file=data", "-o", "-"]
    report = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
    (file,) = report["files"].values()
    never = next(i for i, line in enumerate(MEASURED.splitlines(), 0) if "never = True" in line)
    assert file["missing_lines"] == [never + 1]


# debugpy


DEBUGGED = """
    import hubcore, threading, time
    from hubcore import monkey
    assert monkey.is_module_patched("threading")

    def work(number):
        time.sleep(0.001)
        result = number * 2  # breakpoint
        return result

    jobs = [hubcore.spawn(work, i) for i in (20, 21)]
    print([job.get() for job in jobs], flush=True)
    threads = [threading.Thread(target=work, args=(i,)) for i in (30, 31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("joined", flush=True)
"""


class Debugger:
    """A client of the Debug Adapter Protocol: https://microsoft.github.io/debug-adapter-protocol/specification"""

    def __init__(self, sock):
        self.sock, self.file, self.number, self.events = sock, sock.makefile("rb"), 0, []

    def ask(self, command, answer=True, **arguments):
        self.number += 1
        body = json.dumps({"seq": self.number, "type": "request", "command": command, "arguments": arguments}).encode()
        self.sock.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.answer_to(self.number) if answer else self.number

    def answer_to(self, number):
        while True:
            message = self.read()
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return message.get("body", {})

    def event(self, name):
        while True:
            for message in self.events:
                if message["event"] == name:
                    self.events.remove(message)
                    return message.get("body", {})
            self.read()

    def read(self):
        size = 0
        while (line := self.file.readline().strip()) or not size:
            assert line, "the debugger closed the connection"
            size = int(line.rpartition(b":")[2])
        message = json.loads(self.file.read(size))
        if message["type"] == "event":
            self.events.append(message)
        return message


@contextmanager
def debugger(port):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            sock = stdlib.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.02)
    with sock:
        yield Debugger(sock)


def test_a_breakpoint_in_a_greenlet(start, tmp_path):
    need("debugpy")
    port = free_port()
    process = start(
        "-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client", "program.py",
        files={"program.py": DEBUGGED},
    )  # fmt: skip
    line = next(i for i, text in enumerate(DEBUGGED.splitlines(), 0) if "# breakpoint" in text) + 1
    with debugger(port) as client:
        client.ask("initialize", adapterID="test", clientID="test")
        attach = client.ask("attach", answer=False, justMyCode=True)
        client.event("initialized")
        client.ask("setBreakpoints", source={"path": str(tmp_path / "program.py")}, breakpoints=[{"line": line}])
        client.ask("configurationDone")
        client.answer_to(attach)
        seen = []
        for _ in range(4):
            thread = client.event("stopped")["threadId"]
            frame = client.ask("stackTrace", threadId=thread)["stackFrames"][0]
            assert (frame["name"], frame["line"]) == ("work", line)
            seen.append(client.ask("evaluate", expression="number", frameId=frame["id"])["result"])
            client.ask("next", threadId=thread)
            assert client.event("stopped")["reason"] == "step"
            frame = client.ask("stackTrace", threadId=thread)["stackFrames"][0]
            assert client.ask("evaluate", expression="result", frameId=frame["id"])["result"] == str(int(seen[-1]) * 2)
            client.ask("continue", threadId=thread)
        assert sorted(seen) == ["20", "21", "30", "31"]
        # Its adapter, another process with the same output, stays until the client goes.
        read_until(process, "joined")
        assert process.wait(PATIENCE) == 0
