"""TCP echo, plain and by TLS: 100 connections with one 1 KiB message under way on each.

The server has one processor, the load (a C program) another. The servers are in benchmarks/servers.py and
benchmarks/c/echo_server.c.
"""

from __future__ import annotations

import json
import subprocess

from benchmarks import native
from benchmarks.contenders import LIMIT
from benchmarks.model import Case, Sample, Settings
from benchmarks.serving import SERVERS, pin, processors, running

CONNECTIONS = 100
SIZE = 1024
TLS_SERVERS = tuple(variant for variant in SERVERS if variant != LIMIT)


def measure(variant: str, settings: Settings) -> Sample:
    return _measure(variant, settings, native.program("echo_load"), "")


def measure_tls(variant: str, settings: Settings) -> Sample:
    return _measure(variant, settings, native.program("tls_echo_load"), native.certificate())


def _measure(variant: str, settings: Settings, load: str, certificate: str) -> Sample:
    server_cpu, load_cpu = processors()
    seconds = settings.warmup_seconds + settings.load_seconds
    with running(variant, server_cpu, certificate) as server:
        arguments = [server.port, CONNECTIONS, SIZE, settings.warmup_seconds, settings.load_seconds]
        busy = server.processor_seconds()
        result = json.loads(_output([load, *map(str, arguments)], load_cpu, seconds + 15))
        busy = server.processor_seconds() - busy
    # Near 1 the server was the bottleneck, as it should be. Well below, it waited for the load generator, or other
    # programs held its processor; requests per second of its own processor time says what it can do even then.
    result["server_busy"] = round(busy / seconds, 3)
    result["requests_per_cpu_second"] = round(result["answered"] / busy, 1) if busy else None
    return Sample(result["requests_per_second"], result)


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


CASES = [
    Case(
        "echo",
        "TCP echo, 100 connections, 1 KiB",
        "requests/s",
        dict.fromkeys(SERVERS, measure),
        higher_is_better=True,
        note="limit: C on libev",
    ),
    Case(
        "tls-echo",
        "TLS echo, 100 connections, 1 KiB",
        "requests/s",
        dict.fromkeys(TLS_SERVERS, measure_tls),
        higher_is_better=True,
    ),
]
