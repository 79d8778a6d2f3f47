"""Timing a loop, and reading memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

median = statistics.median
Clock = Callable[[], float]


class Timing(NamedTuple):
    """Seconds per round: what passed, and what this process had of a processor. Other programs disturb the first."""

    wall: float
    processor: float


def timed(
    run: Callable[[int], object],
    seconds: float,
    clock: Clock = time.perf_counter,
    processor: Clock = time.process_time,
) -> Timing:
    """How long a round of `run(rounds)` takes, from one sample of about `seconds`.

    The shorter runs that find the right number of rounds are the warm-up.
    """
    rounds = 1
    while (elapsed := _elapsed(run, rounds, clock)) < seconds / 5:
        grow = seconds / 4 / max(elapsed, 1e-9)
        rounds = max(rounds + 1, int(rounds * min(grow, 10)))
    rounds = max(1, round(rounds * seconds / elapsed))
    used = processor()
    wall = _elapsed(run, rounds, clock)
    return Timing(wall / rounds, (processor() - used) / rounds)


def _elapsed(run: Callable[[int], object], rounds: int, clock: Clock) -> float:
    start = clock()
    run(rounds)
    return clock() - start


def resident_bytes(pid: int | str = "self") -> int:
    """The resident set of a process. smaps_rollup counts pages; status and statm may lag behind by some."""
    for name, key in (("smaps_rollup", "Rss:"), ("status", "VmRSS:")):
        try:
            text = Path(f"/proc/{pid}/{name}").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    raise OSError("memory is read from /proc, which this system does not have")
