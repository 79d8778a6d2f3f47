"""What a waiting task costs in memory: resident set growth over 20,000 of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from benchmarks.contenders import COROUTINES, GREENLETS, LIMIT, library, loop_name, run_coroutine
from benchmarks.measure import resident_bytes
from benchmarks.model import Case, Sample, Settings, Variant

TASKS = 20_000
WARM = 100  # parked before the first reading, so that what is built once is not counted
SETTLE = 0.01


class Arrivals:
    """Counts the tasks that came as far as their wait, so that the reading is taken when all of them have."""

    def __init__(self) -> None:
        self.count = 0

    def parking(self, lib: Any) -> Callable[[], None]:
        def park() -> None:
            self.count += 1
            lib.sleep(1000)

        return park

    async def parking_async(self) -> None:
        self.count += 1
        await asyncio.sleep(1000)


def growth(before: int) -> Sample:
    gc.collect()
    after = resident_bytes()
    return Sample((after - before) / TASKS, {"resident_before": before, "resident_after": after, "tasks": TASKS})


def baseline() -> int:
    gc.collect()
    return resident_bytes()


def greenlets(variant: str, settings: Settings) -> Sample:
    lib = library(variant)
    arrivals = Arrivals()
    park = arrivals.parking(lib)

    def until(count: int) -> None:
        while arrivals.count < count:
            lib.sleep(SETTLE)
        lib.sleep(SETTLE)  # the last one parks

    parked = [lib.spawn(park) for _ in range(WARM)]
    until(WARM)
    before = baseline()
    parked += [lib.spawn(park) for _ in range(TASKS)]
    until(WARM + TASKS)
    sample = growth(before)
    return Sample(sample.value, {**sample.extra, "loop": loop_name(lib)})


def coroutines(variant: str, settings: Settings) -> Sample:
    arrivals = Arrivals()
    park = arrivals.parking_async

    async def until(count: int) -> None:
        while arrivals.count < count:
            await asyncio.sleep(SETTLE)
        await asyncio.sleep(SETTLE)

    async def main() -> Sample:
        parked = [asyncio.create_task(park()) for _ in range(WARM)]
        await until(WARM)
        before = baseline()
        parked += [asyncio.create_task(park()) for _ in range(TASKS)]
        await until(WARM + TASKS)
        return growth(before)

    sample: Sample = run_coroutine(variant, main)
    return sample


def raw(variant: str, settings: Settings) -> Sample:
    def park() -> None:
        home.switch()

    home = getcurrent()
    parked = [greenlet(park) for _ in range(WARM)]
    for task in parked:
        task.switch()
    before = baseline()
    more = [greenlet(park) for _ in range(TASKS)]
    for task in more:
        task.switch()
    return growth(before)


_variants: dict[str, Variant] = {
    **dict.fromkeys(GREENLETS, greenlets),
    **dict.fromkeys(COROUTINES, coroutines),
    LIMIT: raw,
}
CASES = [Case("memory", "memory per task in sleep(1000)", "bytes", _variants)]
