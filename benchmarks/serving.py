"""Runs an echo server in a process of its own, on a processor of its own."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import native
from benchmarks.contenders import GREENLETS, LIMIT
from benchmarks.model import ROOT

SERVERS = (*GREENLETS, "asyncio-streams", "asyncio-protocol", "uvloop-streams", "uvloop-protocol", LIMIT)


@dataclass(frozen=True)
class Server:
    pid: int
    port: int

    def processor_seconds(self) -> float:
        """User and system time it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processors() -> tuple[int | None, int | None]:
    """One for the server and one for its load; (None, None), that is wherever they fall, where there is only one."""
    available = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (available[0], available[1]) if len(available) > 1 else (None, None)


def pin(pid: int, cpu: int | None) -> None:
    """Keep a process that has just been started on one processor: its threads to come inherit that."""
    if cpu is not None:
        os.sched_setaffinity(pid, {cpu})


def raise_file_limit(wanted: int) -> int:
    """Raise the soft limit on open files towards `wanted`; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


@contextmanager
def running(variant: str, cpu: int | None, certificate: str = "") -> Iterator[Server]:
    """The variant's server, by TLS where there is a certificate; killed at the end."""
    python = [sys.executable, "-m", "benchmarks.servers", variant, certificate]
    program = [native.program("echo_server")] if variant == LIMIT else python
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            pin(process.pid, cpu)
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the server did not start: {_last_line(process.stderr.read())}")
            yield Server(process.pid, int(line))
        finally:
            process.kill()


def _last_line(text: str) -> str:
    return (text.strip() or "no message").splitlines()[-1]
