"""Jobs of packages that are commands: gunicorn, Celery, locust, dramatiq, huey, uWSGI. Each raises what went wrong."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interplay import services
from tests.interplay.dropin.ways import REAL, Start

PATIENCE = 40.0
# Whom a worker runs on, as it says by itself.
WHO = """
import os, sys, gevent
def who():
    if os.environ.get("JOB_REAL"):
        return "real" if "hubcore" not in sys.modules else "hubcore, but the real gevent was asked for"
    import hubcore
    same = gevent.Greenlet is hubcore.Greenlet and gevent.get_hub().loop.name == os.environ["HUB_BACKEND"]
    return "hubcore" if same else repr(gevent)
"""


class Program:
    """A started program, and what it says."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    def said(self) -> str:
        """All that it has said so far."""
        return self.log.read_text(errors="replace")

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition()` is true. AssertionError with what the program said if it ends or takes too long."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{self.said()}"
            assert time.monotonic() < end, f"it takes too long:\n{self.said()}"
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM, status: tuple[int, ...] = (0,)) -> None:
        """Send a signal; it must end with one of `status`, and have said no traceback."""
        self.process.send_signal(number)
        try:
            found = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end after signal {number}:\n{self.said()}") from None
        assert found in status, f"it ended with {found}:\n{self.said()}"
        assert "Traceback" not in self.said(), self.said()


@contextmanager
def started(start: Start, folder: Path, arguments: list[str], **env: str) -> Iterator[Program]:
    """A Python program in `folder`, started the way of `start`; killed at the end with its children."""
    yield from _started(start.command(*arguments), start.environment(**env), folder)


def _started(command: list[str], env: dict[str, str], folder: Path) -> Iterator[Program]:
    log = folder / "said"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield Program(process, log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


WEB = (
    WHO
    + """
import time
now = most = 0
def application(environ, start_response):
    global now, most
    now += 1
    most = max(now, most)
    time.sleep(0.3)
    now -= 1
    body = f"{who()} {most}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""
)


def fetch(port: int, path: str = "/", method: str = "GET", body: str | None = None) -> str:
    """The body of a response with status 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path, body, kind)
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status == 200, f"{response.status}: {text}"
        return text
    finally:
        connection.close()


def answers(port: int) -> bool:
    """Whether a server answers there."""
    try:
        fetch(port)
    except OSError:
        return False
    return True


def fetch_at_once(start: Start, port: int, count: int = 10) -> None:
    """Fetch so many times at once: the answers must say the right gevent, and that requests overlapped."""
    with ThreadPoolExecutor(count) as pool:
        found = [text.rpartition(" ") for text in pool.map(lambda _: fetch(port), range(count))]
    assert {who for who, _, _ in found} == {"real" if start.way == REAL else "hubcore"}, found
    most = max(int(number) for _, _, number in found)
    assert most >= count // 2, f"at most {most} requests at once"


def _asked(code: str, folder: Path, program: Program, env: Mapping[str, str]) -> Any:
    """Run `code`, a client of `program`, whatever gevent it gets; return what its last line says, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={**env, "JOB_REAL": "1"},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + program.said()
    return json.loads(done.stdout.splitlines()[-1])


def _gunicorn(worker: str, start: Start, folder: Path) -> None:
    (folder / "app.py").write_text(WEB)
    (folder / "start.py").write_text("from gunicorn.app.wsgiapp import run\nrun()\n")
    port = services.free_port()
    arguments = ["start.py", "-k", worker, "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    arguments += ["--access-logfile", "-", "--graceful-timeout", "5", "app:application"]
    with started(start, folder, arguments) as program:
        program.wait_until(lambda: answers(port))
        fetch_at_once(start, port)
        assert program.said().count('"GET / HTTP/1.1" 200') >= 10, program.said()
        program.process.send_signal(signal.SIGHUP)
        program.wait_until(lambda: program.said().count("Booting worker") == 2)
        program.wait_until(lambda: "Worker exiting" in program.said())
        fetch_at_once(start, port)
        program.stop()


def gunicorn_gevent(start: Start, folder: Path) -> None:
    """gunicorn -k gevent: 10 requests at once, access log, HUP, TERM."""
    _gunicorn("gevent", start, folder)


def gunicorn_gevent_wsgi(start: Start, folder: Path) -> None:
    """gunicorn -k gevent_wsgi: the same."""
    _gunicorn("gevent_wsgi", start, folder)


def gunicorn_gevent_pywsgi(start: Start, folder: Path) -> None:
    """gunicorn -k gevent_pywsgi: the same."""
    _gunicorn("gevent_pywsgi", start, folder)


TASKS = (
    WHO
    + """
import time
from celery import Celery

app = Celery("tasks", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.broker_connection_retry_on_startup = True

@app.task
def add(a, b, wait=0.0):
    time.sleep(wait)
    return a + b

@app.task(bind=True, max_retries=3)
def again(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries

@app.task
def whom():
    return who()
"""
)
ASK = """
import json, time
from tasks import add, again, app, whom
found = {"who": whom.delay().get(timeout=20)}
begin = time.monotonic()
jobs = [add.delay(number, 1, 0.5) for number in range(20)]
found["sums"] = [job.get(timeout=20) for job in jobs]
found["at once"] = time.monotonic() - begin < 7  # one after another: 10
found["retries"] = again.delay().get(timeout=20)
found["eta"] = add.apply_async((1, 2), countdown=0.5).get(timeout=20)
slow = add.delay(1, 2, 1000)
while slow.id not in str(app.control.inspect(timeout=1).active()):
    pass
slow.revoke(terminate=True)
try:
    slow.get(timeout=20)
except Exception as error:
    found["revoked"] = type(error).__name__
def size():
    return list(app.control.inspect(timeout=2).stats().values())[0]["pool"]["max-concurrency"]
app.control.pool_grow(5, reply=True)
app.control.pool_shrink(10, reply=True)
found["size"] = size()
print(json.dumps(found))
"""


def celery(start: Start, folder: Path) -> None:
    """celery -P gevent over Redis: 20 tasks at once, retry, countdown, inspect, revoke, pool_grow and shrink, TERM."""
    (folder / "tasks.py").write_text(TASKS)
    with services.running("redis") as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        arguments = ["-m", "celery", "-A", "tasks", "worker", "-P", "gevent", "-c", "50", "-l", "INFO"]
        with started(start, folder, arguments, REDIS=url) as program:
            program.wait_until(lambda: "ready." in program.said())
            env = {name: text for name, text in os.environ.items() if not name.startswith("HUB")} | {"REDIS": url}
            found = _asked(ASK, folder, program, env)
            assert found.pop("size") in (45, 44, 46), found
            assert found == {
                "who": "real" if start.way == REAL else "hubcore",
                "sums": list(range(1, 21)),
                "at once": True,
                "retries": 2,
                "eta": 3,
                "revoked": "TaskRevokedError",
            }
            program.process.send_signal(signal.SIGTERM)
            assert program.process.wait(PATIENCE) == 0, program.said()
            assert "AttributeError" not in program.said(), program.said()


LOCUSTFILE = (
    WHO
    + """
from locust import FastHttpUser, HttpUser, constant, events, task

class Slow(HttpUser):
    wait_time = constant(0.1)

    @task
    def index(self):
        self.client.get("/")

class Fast(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def index(self):
        self.client.get("/")

@events.quitting.add_listener
def said(environment, **kw):
    print("it ran on", who())
    print("requests", environment.stats.total.num_requests, "failures", environment.stats.total.num_failures)
"""
)
SERVER = """
import gevent.monkey
gevent.monkey.patch_all()
import sys
from app import application
from gevent.pywsgi import WSGIServer
WSGIServer(("127.0.0.1", int(sys.argv[1])), application, log=None).serve_forever()
"""


@contextmanager
def _web_server(start: Start, folder: Path) -> Iterator[int]:
    """The port of a server of its own, on the same gevent."""
    (folder / "web").mkdir()
    (folder / "web" / "app.py").write_text(WEB)
    (folder / "web" / "serve.py").write_text(SERVER)
    port = services.free_port()
    with started(start, folder / "web", ["serve.py", str(port)]) as program:
        program.wait_until(lambda: answers(port))
        yield port


def locust_headless(start: Start, folder: Path) -> None:
    """locust headless: HttpUser and FastHttpUser, 20 users for 4 seconds."""
    (folder / "locustfile.py").write_text(LOCUSTFILE)
    with _web_server(start, folder) as port:
        arguments = ["-m", "locust", "--headless", "-u", "20", "-r", "20", "-t", "4s", "-H", f"http://127.0.0.1:{port}"]
        with started(start, folder, arguments) as program:
            assert program.process.wait(PATIENCE) == 0, program.said()
            _judge_locust(start, program)


def _judge_locust(start: Start, program: Program, least: int = 60) -> None:
    said = program.said()
    assert "Traceback" not in said, said
    assert f"it ran on {'real' if start.way == REAL else 'hubcore'}" in said, said
    numbers = next(line.split() for line in said.splitlines() if line.startswith("requests "))
    assert int(numbers[1]) >= least, said
    assert numbers[3] == "0", said


def locust_page(start: Start, folder: Path) -> None:
    """locust with its page and 2 workers: start by /swarm, /stats, /stop, TERM."""
    (folder / "locustfile.py").write_text(LOCUSTFILE)
    with _web_server(start, folder) as port:
        web, master = services.free_port(), services.free_port()
        common = ["-m", "locust", "-H", f"http://127.0.0.1:{port}"]
        leader = [
            *common,
            "--master",
            "--master-bind-port",
            str(master),
            "--web-port",
            str(web),
            "--expect-workers",
            "2",
        ]
        worker = [*common, "--worker", "--master-port", str(master)]
        for name in ("one", "two"):
            (folder / name).mkdir()
            (folder / name / "locustfile.py").write_text(LOCUSTFILE)
        with (
            started(start, folder, leader) as program,
            started(start, folder / "one", worker) as one,
            started(start, folder / "two", worker) as two,
        ):

            def stats() -> dict[str, object]:
                found: dict[str, object] = json.loads(fetch(web, "/stats/requests"))
                return found

            program.wait_until(lambda: answers(web) and len(stats()["workers"]) == 2)  # type: ignore[arg-type]
            assert json.loads(fetch(web, "/swarm", "POST", "user_count=10&spawn_rate=10"))["success"]
            program.wait_until(lambda: sum(each["num_requests"] for each in stats()["stats"]) > 50)  # type: ignore
            assert json.loads(fetch(web, "/stop", "POST"))["success"]
            program.stop()
            for each in (one, two):
                each.process.wait(PATIENCE)
                assert "Traceback" not in each.said(), each.said()
            assert f"it ran on {'real' if start.way == REAL else 'hubcore'}" in program.said(), program.said()


DRAMATIQ = (
    WHO
    + """
import time
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from dramatiq.threading import is_gevent_active

broker = RedisBroker(url=os.environ["REDIS"])
broker.add_middleware(Results(backend=RedisBackend(url=os.environ["REDIS"])))
dramatiq.set_broker(broker)

@dramatiq.actor(store_results=True)
def add(a, b):
    time.sleep(0.5)
    return a + b

@dramatiq.actor(store_results=True)
def whom():
    return f"{who()} {is_gevent_active()}"
"""
)
ASK_DRAMATIQ = """
import json, time
from tasks import add, whom
begin = time.monotonic()
jobs = [add.send(number, 1) for number in range(20)]
sums = [job.get_result(block=True, timeout=20_000) for job in jobs]
print(json.dumps([whom.send().get_result(block=True, timeout=20_000), sums, time.monotonic() - begin < 7]))
"""


def dramatiq(start: Start, folder: Path) -> None:
    """dramatiq-gevent over Redis: 20 tasks at once, TERM."""
    (folder / "tasks.py").write_text(DRAMATIQ)
    script = str(Path(sys.executable).with_name("dramatiq-gevent"))
    with services.running("redis") as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        arguments = [script, "-p", "1", "-t", "20", "tasks"]
        with started(start, folder, arguments, REDIS=url) as program:
            program.wait_until(lambda: "ready for action" in program.said())
            who = "real" if start.way == REAL else "hubcore"
            found = _asked(ASK_DRAMATIQ, folder, program, os.environ | {"REDIS": url})
            assert found == [f"{who} True", list(range(1, 21)), True], f"{found}\n{program.said()}"
            program.stop()


HUEY = (
    WHO
    + """
import time
from huey import RedisHuey

huey = RedisHuey("job", url=os.environ["REDIS"])

@huey.task()
def add(a, b):
    time.sleep(0.5)
    return a + b

@huey.task()
def whom():
    return who()
"""
)
START_HUEY = """
from gevent import monkey
monkey.patch_all()
from huey.bin.huey_consumer import consumer_main
consumer_main()
"""
ASK_HUEY = """
import json, time
from tasks import add, whom
begin = time.monotonic()
jobs = [add(number, 1) for number in range(20)]
sums = [job.get(blocking=True, timeout=20) for job in jobs]
print(json.dumps([whom().get(blocking=True, timeout=20), sums, time.monotonic() - begin < 7]))
"""


def huey(start: Start, folder: Path) -> None:
    """huey -k greenlet over Redis, in a program that patches: 20 tasks at once, INT."""
    (folder / "tasks.py").write_text(HUEY)
    (folder / "start.py").write_text(START_HUEY)
    with services.running("redis") as redis:
        url = f"redis://127.0.0.1:{redis.port}/0"
        arguments = ["start.py", "tasks.huey", "-k", "greenlet", "-w", "20"]
        with started(start, folder, arguments, REDIS=url) as program:
            program.wait_until(lambda: "Huey consumer started" in program.said())
            who = "real" if start.way == REAL else "hubcore"
            found = _asked(ASK_HUEY, folder, program, os.environ | {"REDIS": url})
            assert found == [who, list(range(1, 21)), True], f"{found}\n{program.said()}"
            program.stop(signal.SIGINT)


def uwsgi(start: Start, folder: Path) -> None:
    """uWSGI --gevent, which takes the names from C: 10 requests at once, TERM."""
    (folder / "app.py").write_text(WEB)
    port = services.free_port()
    command = [str(Path(sys.executable).with_name("uwsgi")), "--http-socket", f"127.0.0.1:{port}", "--master"]
    command += ["--gevent", "20", "--gevent-monkey-patch", "--module", "app:application", "--die-on-term"]
    command += ["--virtualenv", sys.prefix]
    env = start.environment()
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], str(folder)])
    for program in _started(command, env, folder):
        program.wait_until(lambda: answers(port))
        fetch_at_once(start, port)
        program.stop(status=(0, 30))
