"""Runs the jobs: each package, each way, each backend."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.interplay import services
from tests.interplay.dropin import commands
from tests.interplay.dropin.ways import JOBS, Start
from tests.support.paths import ROOT

LONGEST = 120.0


@dataclass(frozen=True)
class Job:
    """A package, or several that belong together, and what is done with it."""

    name: str
    packages: tuple[str, ...]
    does: str
    command: Callable[[Start, Path], None] | None = None
    needs: tuple[str, ...] = ()  # services, by the variables that name them
    ways: tuple[str, ...] = ("run", "HUB_DROPIN", "wheel")


@dataclass(frozen=True)
class Outcome:
    """What came of a job."""

    job: str
    way: str
    backend: str
    passed: bool
    text: str
    seconds: float


def _command(name: str, *packages: str, ways: tuple[str, ...] = ("run", "HUB_DROPIN", "wheel")) -> Job:
    function = getattr(commands, name)
    return Job(name, packages, _first_line(function.__doc__ or ""), function, ways=ways)


def _program(name: str, *packages: str, needs: tuple[str, ...] = ()) -> Job:
    return Job(name, packages, _first_line((JOBS / f"{name}.py").read_text()), needs=needs)


def _first_line(text: str) -> str:
    return text.strip().strip('"').partition("\n")[0].strip('"')


def jobs() -> list[Job]:
    """Every job, as the page lists them."""
    return [
        _command("gunicorn_gevent", "gunicorn"),
        _command("gunicorn_gevent_wsgi", "gunicorn"),
        _command("gunicorn_gevent_pywsgi", "gunicorn"),
        _command("celery", "celery"),
        _program("kombu_queue", "kombu", needs=("REDIS",)),
        _command("locust_headless", "locust"),
        _command("locust_page", "locust"),
        _program("socketio_server", "python-socketio", "python-engineio"),
        _program("flask_socketio_server", "Flask-SocketIO"),
        _program("websocket_handler", "gevent-websocket"),
        _program("simple_websocket_server", "simple-websocket"),
        _program("bottle_server", "bottle"),
        _program("pywsgi_server"),
        _program("zmq_green", "pyzmq"),
        _program("geventhttpclient_calls", "geventhttpclient"),
        _program("grequests_calls", "grequests"),
        _program("requests_futures_calls", "requests-futures"),
        _program("psycogreen_queries", "psycogreen", "psycopg2-binary", needs=("POSTGRES",)),
        _program("psycopg3_queries", "psycopg", needs=("POSTGRES",)),
        _program("zerorpc_calls", "zerorpc"),
        _program("apscheduler_jobs", "APScheduler"),
        _command("dramatiq", "dramatiq"),
        _command("huey", "huey"),
        _program("sentry_scopes", "sentry-sdk"),
        _program("elastic_apm_transactions", "elastic-apm"),
        _program("newrelic_tasks", "newrelic"),
        _program("ddtrace_parents", "ddtrace"),
        _program("gipc_child", "gipc"),
        _command("uwsgi", "uWSGI", ways=("HUB_DROPIN", "wheel")),
        _program("coverage_greenlets", "coverage"),
        _program("execnet_gateway", "execnet"),
        _program("pymongo_selection", "pymongo"),
        _program("kazoo_handler", "kazoo"),
        _program("asyncio_gevent_run", "asyncio-gevent"),
        _program("monkey_module"),
        _program("pssh_import", "parallel-ssh"),
        _program("pika_connection", "pika"),
        _program("imports_only", "gnsq", "Flask-Sockets"),
    ]


KEPT = ROOT / "build" / "interplay-gevent.json"


def keep(outcome: Outcome) -> None:
    """Keep `outcome` in a file, in the place of an earlier one of the same run; other processes may do so as well."""
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {(each.job, each.way, each.backend): each for each in [*kept(), outcome]}
        KEPT.write_text(json.dumps([asdict(each) for each in known.values()], indent=1))


def kept() -> list[Outcome]:
    """What earlier runs have kept."""
    return [Outcome(**each) for each in json.loads(KEPT.read_text())] if KEPT.exists() else []


class Services:
    """Servers for all jobs, each started once when a job needs it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._found: dict[str, str] = {}

    def variable(self, name: str) -> str:
        """The value of REDIS or POSTGRES."""
        if name not in self._found:
            server = self._stack.enter_context(services.running(name.lower()))
            self._found[name] = (
                f"redis://127.0.0.1:{server.port}/1"
                if name == "REDIS"
                else f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres"
            )
        return self._found[name]


def run(job: Job, start: Start, found: Services) -> Outcome:
    """Run one job. It has passed if it did all that it says, ended by itself or its signal, and said no traceback."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="job-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        try:
            if job.command is not None:
                job.command(start, Path(folder))
            else:
                _run_program(job, start, Path(folder), {name: found.variable(name) for name in job.needs})
            text = ""
        except AssertionError as error:
            text = str(error) or repr(error)
        except Exception as error:
            text = repr(error)
    return Outcome(job.name, start.way, start.backend, not text, text, time.monotonic() - begin)


def _run_program(job: Job, start: Start, folder: Path, env: dict[str, str]) -> None:
    try:
        done = subprocess.run(
            start.command(str(JOBS / f"{job.name}.py")),
            cwd=folder,
            env=start.environment(**env, NEW_RELIC_DEVELOPER_MODE="true", NEW_RELIC_LICENSE_KEY="0" * 40),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        raise AssertionError(f"it takes longer than {LONGEST:g} s:\n{os.fsdecode(said)}") from None
    assert done.returncode == 0, f"it ended with {done.returncode}:\n{done.stdout}"
    assert "OK" in done.stdout.splitlines(), done.stdout
    assert "Traceback" not in done.stdout, done.stdout
