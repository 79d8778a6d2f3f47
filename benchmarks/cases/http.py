"""HTTP servers under wrk's load, 64 connections that stay: the processor time that the server takes for a request.

Processor time is steadier than rate. That of all processes of a server counts.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.contenders import GREENLETS, HTTP
from benchmarks.model import ROOT, Case, Sample, Settings, Unavailable, Variant
from benchmarks.serving import pin, processors

CONNECTIONS = 64
PATIENCE = 15.0  # seconds for a server to begin
VARIANTS = (*GREENLETS, *HTTP)
_ECHO = 'wrk.method = "POST"; wrk.body = string.rep("x", 10240)'


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found += family(int(child))
        except OSError:
            pass  # it has ended meanwhile
    return found


def busy_seconds(pid: int) -> float:
    """The processor time of a process and of all that it has started."""
    total = 0
    for each in family(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(variant: str, cpu: int | None) -> Iterator[tuple[int, int]]:
    """The variant's server: its process and its port."""
    needed = variant.partition("-")[0]
    if needed in ("bjoern", "uvicorn", "granian", "gunicorn") and find_spec(needed) is None:
        raise Unavailable(f"{needed} is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.http_servers", variant, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            pin(process.pid, cpu)
            end = time.monotonic() + PATIENCE
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the server {variant} did not begin")
                time.sleep(0.05)
            yield process.pid, port
        finally:
            for pid in reversed(family(process.pid)):
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def measure(path: str) -> Variant:
    """The figure of one kind of request."""

    def sample(variant: str, settings: Settings) -> Sample:
        wrk = shutil.which("wrk")
        if wrk is None:
            raise Unavailable("wrk is not installed (Debian: apt-get install wrk)")
        server_cpu, load_cpu = processors()
        with TemporaryDirectory() as folder, serving(variant, server_cpu) as (pid, port):
            script = Path(folder, "echo.lua")
            script.write_text(_ECHO if path == "/echo" else "")
            options = ["-t1", f"-c{CONNECTIONS}", "-s", str(script), "--latency"]
            url = f"http://127.0.0.1:{port}{path}"
            _run([wrk, *options, "-d1s", url], load_cpu)
            before = busy_seconds(pid)
            said = _run([wrk, *options, f"-d{max(1, round(settings.load_seconds))}s", url], load_cpu)
            busy = busy_seconds(pid) - before
        if "Socket errors" in said or "Non-2xx" in said:
            raise RuntimeError(f"{variant}: {said}")
        answered = _number(r"(\d+) requests in", said)
        extra = {"requests_per_second": _number(r"Requests/sec:\s+([\d.]+)", said), "p99": _text(r"99%\s+(\S+)", said)}
        return Sample(busy / answered * 1e6, extra)

    return sample


def _run(command: list[str], cpu: int | None) -> str:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pin(process.pid, cpu)
        output, _ = process.communicate(timeout=60)
    return output


def _number(pattern: str, text: str) -> float:
    return float(_text(pattern, text))


def _text(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"wrk did not say {pattern}: {text}")
    return match[1]


CASES = [
    Case(name, f"HTTP, {title}: processor time of a request", "us", dict.fromkeys(VARIANTS, measure(path)))
    for name, title, path in (
        ("http-hello", "12 bytes", "/"),
        ("http-10k", "10 KiB", "/ten"),
        ("http-post-10k", "10 KiB posted and echoed", "/echo"),
    )
]
