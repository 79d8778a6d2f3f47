"""Servers under the load of a C program: TCP echo, plain and by TLS, its latency, large messages, datagrams, and
connections that are accepted and closed.

The server has one processor, the load another, and only the server differs. The servers are in benchmarks/servers.py
and benchmarks/c/echo_server.c. Where the load asks as soon as it is answered, the figure is answers per second.
"""

from __future__ import annotations

from benchmarks import native
from benchmarks.contenders import LIMIT
from benchmarks.model import Case, Sample, Settings
from benchmarks.serving import SERVERS, WITHOUT_STREAMS, Arguments, load

CONNECTIONS = 100
SIZE = 1024
LARGE = 65536
FEW = 10  # connections with a large message under way, and clients that connect or send datagrams
RATE = 20_000  # requests per second: what each of the contenders can answer
TLS_SERVERS = tuple(variant for variant in SERVERS if variant != LIMIT)


def messages(connections: int, size: int, *rate: int) -> Arguments:
    return lambda port, settings: (
        *(port, connections, size),
        *(settings.warmup_seconds, settings.load_seconds),
        *rate,
    )


def measure(variant: str, settings: Settings) -> Sample:
    return _rate(load(variant, settings, "echo_load", messages(CONNECTIONS, SIZE)))


def measure_tls(variant: str, settings: Settings) -> Sample:
    arguments = messages(CONNECTIONS, SIZE)
    return _rate(load(variant, settings, "tls_echo_load", arguments, certificate=native.certificate()))


def measure_large(variant: str, settings: Settings) -> Sample:
    return _rate(load(variant, settings, "echo_load", messages(FEW, LARGE), kind="large"))


def measure_latency(variant: str, settings: Settings) -> Sample:
    result = load(variant, settings, "echo_load", messages(CONNECTIONS, SIZE, RATE))
    del result["server_busy"]  # it is not meant to be busy
    return Sample(result["p99_us"], result)


def sockets(kind: str) -> Arguments:
    return lambda port, settings: (kind, port, FEW, settings.warmup_seconds, settings.load_seconds)


def measure_udp(variant: str, settings: Settings) -> Sample:
    return _rate(load(variant, settings, "socket_load", sockets("udp"), kind="udp"))


def measure_accept(variant: str, settings: Settings) -> Sample:
    return _rate(load(variant, settings, "socket_load", sockets("accept"), kind="accept"))


def _rate(result: dict[str, object]) -> Sample:
    return Sample(float(str(result["requests_per_second"])), result)


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
        "latency",
        f"99th percentile of the latency of that, asked {RATE:,} times a second",
        "us",
        dict.fromkeys(SERVERS, measure_latency),
        note="limit: C on libev",
    ),
    Case(
        "tls-echo",
        "TLS echo, 100 connections, 1 KiB",
        "requests/s",
        dict.fromkeys(TLS_SERVERS, measure_tls),
        higher_is_better=True,
    ),
    Case(
        "echo-64k-server",
        f"TCP echo, {FEW} connections, 64 KiB",
        "requests/s",
        dict.fromkeys(SERVERS, measure_large),
        higher_is_better=True,
        note="limit: C on libev",
    ),
    Case(
        "udp-server",
        f"UDP echo, {FEW} clients, 100 bytes",
        "requests/s",
        dict.fromkeys(WITHOUT_STREAMS, measure_udp),
        higher_is_better=True,
        note="limit: C on libev",
    ),
    Case(
        "accept-server",
        f"accept and close, {FEW} clients",
        "connections/s",
        dict.fromkeys(WITHOUT_STREAMS, measure_accept),
        higher_is_better=True,
        note="limit: C on libev",
    ),
]
