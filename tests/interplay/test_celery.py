"""Celery with hubcore.celery's pool and a real Redis: tasks at once, time limits, revoking, retries, ETA, shutdown."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from tests.support.paths import ROOT

pytest.importorskip("celery")

PATIENCE = 40.0
TASKS = """
import os, time
from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

app = Celery("tasks", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.broker_connection_retry_on_startup = True

@app.task
def add(a, b, wait=0.0):
    time.sleep(wait)
    return a + b

@app.task
def fail():
    raise ValueError("mine")

@app.task
def careful():
    try:
        time.sleep(1000)
    except SoftTimeLimitExceeded:
        return "in time"

@app.task(bind=True, max_retries=3)
def again(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries

@app.task
def patched():
    import socket
    return socket.socket.__module__
"""
ASK = """
import json, time
from celery import chord, group
from tasks import add, again, app, careful, fail, patched

def outcome(result, timeout=20):
    try:
        value = result.get(timeout=timeout)
    except Exception as error:
        value = type(error).__name__
    return [result.state, value]

def pool():
    return list(app.control.inspect(timeout=2).stats().values())[0]["pool"]

found = {}
"""


@contextmanager
def worker(folder, url, backend, *arguments):
    """A worker of the tasks; its process, and what it says."""
    (folder / "tasks.py").write_text(TASKS)
    env = os.environ | {"PYTHONPATH": str(ROOT), "REDIS": url, "HUB_BACKEND": backend}
    log = folder / "said"
    command = [sys.executable, "-m", "hubcore", "celery", "-A", "tasks", "worker", "-l", "INFO", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait(lambda: "ready." in log.read_text(), process, log)
        yield process, log
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(condition, process, log):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


@pytest.fixture
def url(servers):
    return f"redis://127.0.0.1:{servers('redis').port}/3"


def ask(folder, url, code):
    """What `code`, run in plain Python, puts into `found`."""
    (folder / "ask.py").write_text(ASK + code + "\nprint(json.dumps(found))\n")
    env = os.environ | {"PYTHONPATH": str(ROOT), "REDIS": url}
    done = subprocess.run(
        [sys.executable, "ask.py"], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_tasks(tmp_path, url, hub_backend):
    with worker(tmp_path, url, hub_backend, "-c", "50") as (process, log):
        found = ask(
            tmp_path,
            url,
            """
found["patched"] = patched.delay().get(timeout=20)
start = time.monotonic()
found["together"] = sum(each.get(timeout=20) for each in [add.delay(i, i, 0.5) for i in range(50)])
found["seconds"] = time.monotonic() - start
found["fails"] = outcome(fail.delay())
found["retries"] = outcome(again.delay())
found["eta"] = outcome(add.apply_async((1, 2), countdown=0.5))
found["expired"] = outcome(add.apply_async((1, 2), countdown=0.5, expires=0.1))
found["soft"] = outcome(add.apply_async((1, 2, 1000), soft_time_limit=1))
found["careful"] = outcome(careful.apply_async(soft_time_limit=1))
found["hard"] = outcome(add.apply_async((1, 2, 1000), time_limit=1))
slow = add.delay(1, 2, 1000)
while slow.id not in str(app.control.inspect(timeout=1).active()):
    pass
slow.revoke(terminate=True)
found["revoked"] = outcome(slow)
later = add.apply_async((1, 2), countdown=1000)
later.revoke()
found["group"] = group(add.s(i, i) for i in range(10))().get(timeout=20)
found["chord"] = chord([add.s(i, i) for i in range(3)])(again.si()).get(timeout=20)
found["pool"] = pool()
app.control.pool_grow(5, reply=True)
found["grown"] = pool()["max-concurrency"]
app.control.pool_shrink(10, reply=True)
found["shrunk"] = pool()["max-concurrency"]
app.control.rate_limit("tasks.add", "5/s", reply=True)
start = time.monotonic()
[each.get(timeout=20) for each in [add.delay(1, 1) for _ in range(6)]]
found["limited"] = time.monotonic() - start
""",
        )
        assert found.pop("seconds") < 15  # one after another they would take 25
        assert found.pop("limited") > 0.5
        pool = found.pop("pool")
        assert (pool["implementation"], pool["max-concurrency"]) == ("hubcore.celery:TaskPool", 50)
        assert found == {
            "patched": "hubcore.socket",
            "together": 2450,
            "fails": ["FAILURE", "ValueError"],
            "retries": ["SUCCESS", 2],
            "eta": ["SUCCESS", 3],
            "expired": ["REVOKED", "TaskRevokedError"],
            "soft": ["FAILURE", "SoftTimeLimitExceeded"],
            "careful": ["SUCCESS", "in time"],
            "hard": ["FAILURE", "TimeLimitExceeded"],
            "revoked": ["REVOKED", "TaskRevokedError"],
            "group": [2 * i for i in range(10)],
            "chord": 2,
            "grown": 55,
            "shrunk": 45,
        }
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "AttributeError" not in log.read_text()


def test_a_warm_shutdown_finishes_the_tasks_that_run(tmp_path, url, hub_backend):
    with worker(tmp_path, url, hub_backend, "-c", "5") as (process, log):
        ask(tmp_path, url, "found['id'] = add.delay(20, 3, 2.0).id")
        _wait(lambda: "received" in log.read_text(), process, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "succeeded" in log.read_text()
        assert ": 23" in log.read_text()


def test_no_more_run_than_there_is_room_for(tmp_path, url, hub_backend):
    with worker(tmp_path, url, hub_backend, "-c", "2") as (process, _):
        found = ask(
            tmp_path,
            url,
            """
start = time.monotonic()
[each.get(timeout=20) for each in [add.delay(1, 1, 0.5) for _ in range(6)]]
found["seconds"] = time.monotonic() - start
""",
        )
        assert found["seconds"] > 1.2
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_celerys_other_commands_pass_through(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hubcore", "celery", "--version"],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout[:2]) == (0, "5.")
