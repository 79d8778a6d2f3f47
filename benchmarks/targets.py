"""What hubcore is to reach, as ratios within one run (CPython 3.11), and whether it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.model import GEVENT, LIBEV, LIBUV, Case

BOTH = (LIBEV, LIBUV)
KILOBYTE = 1024


@dataclass(frozen=True)
class Target:
    """`variant` at least `factor` times as good as `base`, or, without a base, its value at most `factor`."""

    case: str
    variant: str
    factor: float
    base: str = ""

    def describe(self, case: Case) -> str:
        if self.base:
            return f"{case.title}: {self.variant} at least {self.factor:g}x {self.base}"
        return f"{case.title}: {self.variant} at most {self.factor:,.0f} {case.unit}"


# What tasks use to wait for each other: on both backends alike, and hardly slower on libuv than on libev.
WAITING = {
    "semaphore": 4.0,
    "rlock": 4.0,
    "queue-pingpong": 4.0,
    "queue-bounded": 2.0,
    "event-fanout": 4.0,
    "pool-map": 3.0,
    "threadpool-apply": 2.0,
    "local": 1.5,
}

# A request of 12 bytes, beside other servers.
HELLO = {GEVENT: 9, "bjoern": 0.7, "uvicorn": 3, "granian": 2.3}

TARGETS = (
    *(Target("spawn", variant, 4, GEVENT) for variant in BOTH),
    *(Target("switch", variant, 2.5, GEVENT) for variant in BOTH),
    *(Target("timeout", variant, 3, GEVENT) for variant in BOTH),
    *(Target(case, LIBEV, 4, GEVENT) for case in ("pingpong-1", "pingpong-100")),
    *(Target(case, LIBUV, 3.5, GEVENT) for case in ("pingpong-1", "pingpong-100")),
    Target("echo", LIBEV, 3.5, GEVENT),
    Target("echo", LIBEV, 0.9, "uvloop-protocol"),
    Target("echo", LIBUV, 0.85, LIBEV),
    *(Target("latency", variant, 0.9, "uvloop-protocol") for variant in BOTH),  # that is, no worse, but for chance
    *(Target(case, variant, 1.5, GEVENT) for case in ("echo-64k", "echo-64k-server") for variant in BOTH),
    *(Target(case, variant, 3, GEVENT) for case in ("udp", "accept") for variant in BOTH),
    *(Target("tls-echo", variant, 2, GEVENT) for variant in BOTH),
    *(Target("tls-echo", variant, 1, "uvloop-streams") for variant in BOTH),
    *(Target("http-hello", LIBEV, factor, base) for base, factor in HELLO.items()),
    *(Target("http-10k", LIBEV, factor, base) for base, factor in {GEVENT: 7.5, "bjoern": 0.9}.items()),
    *(Target("http-post-10k", LIBEV, factor, base) for base, factor in {GEVENT: 6, "bjoern": 0.95}.items()),
    Target("http-hello", LIBUV, 0.9, LIBEV),
    Target("http-hello", "gunicorn-hubcore", 8, "gunicorn-gevent"),
    *(Target("memory", variant, 6.5 * KILOBYTE) for variant in BOTH),
    *(Target("connections", variant, 7 * KILOBYTE) for variant in BOTH),
    *(Target("import", variant, 2, GEVENT) for variant in BOTH),
    *(Target(case, variant, factor, GEVENT) for case, factor in WAITING.items() for variant in BOTH),
    *(Target(case, LIBUV, 0.95, LIBEV) for case in WAITING),
)


@dataclass(frozen=True)
class Verdict:
    """`measured` is the ratio or the value; None where the run has no figures for it."""

    target: Target
    text: str
    measured: float | None

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.target.factor if self.target.base else self.measured <= self.target.factor


def judge(cases: Mapping[str, Case], medians: Mapping[str, Mapping[str, float]]) -> list[Verdict]:
    """One verdict per target of the cases that were run."""
    verdicts = []
    for target in TARGETS:
        if target.case not in cases:
            continue
        case, values = cases[target.case], medians.get(target.case, {})
        value, base = values.get(target.variant), values.get(target.base)
        measured = value
        if target.base and value is not None:
            measured = None if base is None else case.ratio(value, base)
        verdicts.append(Verdict(target, target.describe(case), measured))
    return verdicts
