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


class Sleeping:
    """Tasks in sleep(1000). `count` says how many came as far as that: the reading is taken when all of them have."""

    submodules: tuple[str, ...] = ()

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

    def end_async(self) -> None:
        """Before the tasks are cancelled."""


class Waiting(Sleeping):
    """Tasks that all wait for one Event."""

    submodules = ("event",)

    def __init__(self) -> None:
        super().__init__()
        self.event = asyncio.Event()

    def parking(self, lib: Any) -> Callable[[], None]:
        def park() -> None:
            self.count += 1
            event.wait()

        event = lib.event.Event()
        return park

    async def parking_async(self) -> None:
        self.count += 1
        await self.event.wait()

    def end_async(self) -> None:
        self.event.set()  # a cancelled waiter looks for itself among all others: two seconds for nothing


def growth(before: int) -> Sample:
    gc.collect()
    after = resident_bytes()
    return Sample((after - before) / TASKS, {"resident_before": before, "resident_after": after, "tasks": TASKS})


def baseline() -> int:
    gc.collect()
    return resident_bytes()


def in_greenlets(manner: type[Sleeping]) -> Variant:
    def measure(variant: str, settings: Settings) -> Sample:
        lib, arrivals = library(variant, *manner.submodules), manner()
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

    return measure


def in_coroutines(manner: type[Sleeping]) -> Variant:
    def measure(variant: str, settings: Settings) -> Sample:
        arrivals = manner()
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
            sample = growth(before)
            arrivals.end_async()
            await asyncio.sleep(SETTLE)
            return sample

        sample: Sample = run_coroutine(variant, main)
        return sample

    return measure


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


def variants(manner: type[Sleeping]) -> dict[str, Variant]:
    return {
        **dict.fromkeys(GREENLETS, in_greenlets(manner)),
        **dict.fromkeys(COROUTINES, in_coroutines(manner)),
    }


CASES = [
    Case("memory", "memory per task in sleep(1000)", "bytes", {**variants(Sleeping), LIMIT: raw}),
    Case("memory-wait", "memory per task that waits for one Event", "bytes", variants(Waiting)),
]
