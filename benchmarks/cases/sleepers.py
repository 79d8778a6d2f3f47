"""Ten thousand tasks that each sleep a few times, 1 to 50 ms.

Reported is processor time per sleep (the spawning of the sleepers is in it): what the waiting itself lasts is the same
for everybody and says nothing.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from benchmarks.contenders import COROUTINES, GREENLETS, library, loop_name, run_coroutine
from benchmarks.model import Case, Sample, Settings, Variant

SLEEPERS = 10_000
SLEEPS = 5
_random = random.Random(0)  # the same assortment for everybody, in every run
DELAYS = [_random.uniform(0.001, 0.05) for _ in range(1009)]  # a prime, so that sleepers do not fall into step


def greenlets(lib: Any, sleepers: int) -> None:
    def sleeper(first: int) -> None:
        for index in range(first, first + SLEEPS):
            lib.sleep(DELAYS[index % len(DELAYS)])

    lib.joinall([lib.spawn(sleeper, first) for first in range(sleepers)])


async def coroutines(sleepers: int) -> None:
    async def sleeper(first: int) -> None:
        for index in range(first, first + SLEEPS):
            await asyncio.sleep(DELAYS[index % len(DELAYS)])

    await asyncio.wait([asyncio.create_task(sleeper(first)) for first in range(sleepers)])


def measured(run: Callable[[int], object]) -> Sample:
    run(100)
    processor, wall = time.process_time(), time.perf_counter()
    run(SLEEPERS)
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    return Sample(processor / (SLEEPERS * SLEEPS) * 1e6, {"wall_seconds": wall})


def in_greenlet(variant: str, settings: Settings) -> Sample:
    lib = library(variant)
    sample = measured(lambda sleepers: lib.spawn(greenlets, lib, sleepers).get())
    return Sample(sample.value, {**sample.extra, "loop": loop_name(lib)})


def in_coroutine(variant: str, settings: Settings) -> Sample:
    return measured(lambda sleepers: run_coroutine(variant, lambda: coroutines(sleepers)))


_variants: dict[str, Variant] = {**dict.fromkeys(GREENLETS, in_greenlet), **dict.fromkeys(COROUTINES, in_coroutine)}
CASES = [Case("sleepers", "10,000 sleepers, CPU per sleep", "us", _variants)]
