"""Runs a server in a process of its own, on a processor of its own, and a load against it on another."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import native
from benchmarks.contenders import GREENLETS, LIMIT
from benchmarks.model import ROOT, Settings

Arguments = Callable[[int, Settings], tuple[object, ...]]  # (port, settings) to the load's arguments

SERVERS = (*GREENLETS, "asyncio-streams", "asyncio-protocol", "uvloop-streams", "uvloop-protocol", LIMIT)
# Where the style is a protocol or nothing: streams have no datagrams, and accept by a protocol of theirs.
WITHOUT_STREAMS = tuple(variant for variant in SERVERS if not variant.endswith("-streams"))


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
def running(variant: str, cpu: int | None, kind: str = "echo", certificate: str = "") -> Iterator[Server]:
    """The variant's server of this kind (see benchmarks.servers), by TLS with a certificate; killed at the end."""
    python = [sys.executable, "-m", "benchmarks.servers", variant, kind, certificate]
    program = [native.program("echo_server"), kind] if variant == LIMIT else python
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


def load(
    variant: str, settings: Settings, program: str, arguments: Arguments, *, kind: str = "echo", certificate: str = ""
) -> dict[str, Any]:
    """What the C program, given `arguments(port, settings)`, says of the variant's server, and how busy that was."""
    server_cpu, load_cpu = processors()
    seconds = settings.warmup_seconds + settings.load_seconds
    with running(variant, server_cpu, kind, certificate) as server:
        command = [native.program(program), *map(str, arguments(server.port, settings))]
        busy = server.processor_seconds()
        result: dict[str, Any] = json.loads(_output(command, load_cpu, seconds + 15))
        busy = server.processor_seconds() - busy
    # Near 1 the server was the bottleneck, as it should be. Well below, it waited for the load generator, or other
    # programs held its processor; requests per second of its own processor time says what it can do even then.
    result["server_busy"] = round(busy / seconds, 3)
    result["requests_per_cpu_second"] = round(result["answered"] / busy, 1) if busy else None
    return result


def _output(command: list[str], cpu: int | None, bound: float) -> str:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        pin(process.pid, cpu)
        try:
            output, errors = process.communicate(timeout=bound)
        finally:
            process.kill()
    if process.returncode:
        raise RuntimeError(errors.strip() or f"the load generator ended with {process.returncode}")
    return output


def _last_line(text: str) -> str:
    return (text.strip() or "no message").splitlines()[-1]
