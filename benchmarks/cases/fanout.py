"""One Event that 20,000 tasks wait for: from set() until the last of them has gone on, per task.

How the tasks were spawned and first came to wait is not counted. Who has gone on waits for a second Event at once, as a
task in a loop would; that is counted, for everybody. Then the second one is set, and so on in turn.
"""

from __future__ import annotations

import asyncio
import gc
import time
from itertools import cycle
from typing import Any

from greenlet import getcurrent, greenlet

from benchmarks.contenders import COROUTINES, GREENLETS, LIMIT, library, loop_name, run_coroutine
from benchmarks.measure import median
from benchmarks.model import Case, Sample, Settings, Variant

WAITERS = 20_000
LEAST = 3  # times that all of them are woken


class Crowd:
    """How many have come to the next wait, and how long it took each time until all had."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.there = 0
        self.enough = False
        self.walls: list[float] = []
        self.processors: list[float] = []

    def start(self) -> None:
        gc.collect()  # everybody begins with the same distance to the next collection
        self.there = 0
        self.processor, self.wall = time.process_time(), time.perf_counter()

    def stop(self) -> None:
        self.walls.append(time.perf_counter() - self.wall)
        self.processors.append(time.process_time() - self.processor)
        self.enough = len(self.walls) >= LEAST and sum(self.walls) >= self.seconds

    def sample(self, **extra: object) -> Sample:
        wall, processor = (median(times) / WAITERS * 1e6 for times in (self.walls, self.processors))
        return Sample(wall, {"processor_us": processor, "times": len(self.walls), **extra})


def greenlets(lib: Any, crowd: Crowd) -> None:
    def wait() -> None:
        for event in cycle(events):
            crowd.there += 1
            event.wait()

    def until_all_are_there() -> None:
        while crowd.there < WAITERS:
            lib.sleep(0)

    events = [lib.event.Event(), lib.event.Event()]
    waiters = [lib.spawn(wait) for _ in range(WAITERS)]
    until_all_are_there()
    for event in cycle(events):
        crowd.start()
        event.set()
        until_all_are_there()
        crowd.stop()
        event.clear()
        if crowd.enough:
            break
    del waiters  # they end with the process


async def coroutines(crowd: Crowd) -> None:
    async def wait() -> None:
        for event in cycle(events):
            crowd.there += 1
            await event.wait()
            if crowd.enough:
                return

    async def until_all_are_there() -> None:
        while crowd.there < WAITERS:
            await asyncio.sleep(0)

    events = [asyncio.Event(), asyncio.Event()]
    waiters = [asyncio.create_task(wait()) for _ in range(WAITERS)]
    await until_all_are_there()
    for event in cycle(events):
        crowd.start()
        event.set()
        if crowd.enough:  # the runner would cancel them, and a cancelled waiter looks for itself among all others
            break
        await until_all_are_there()
        crowd.stop()
        event.clear()
    await asyncio.wait(waiters)


def raw(crowd: Crowd) -> None:
    def wait() -> None:
        while True:
            crowd.there += 1
            home.switch()

    home = getcurrent()
    waiters = [greenlet(wait) for _ in range(WAITERS)]
    for waiter in waiters:
        waiter.switch()
    while not crowd.enough:
        crowd.start()
        for waiter in waiters:
            waiter.switch()
        crowd.stop()


def in_greenlet(variant: str, settings: Settings) -> Sample:
    lib, crowd = library(variant, "event"), Crowd(settings.seconds)
    lib.spawn(greenlets, lib, crowd).get()
    return crowd.sample(loop=loop_name(lib))


def in_coroutine(variant: str, settings: Settings) -> Sample:
    crowd = Crowd(settings.seconds)
    run_coroutine(variant, lambda: coroutines(crowd))
    return crowd.sample()


def in_raw(variant: str, settings: Settings) -> Sample:
    crowd = Crowd(settings.seconds)
    raw(crowd)
    return crowd.sample()


_variants: dict[str, Variant] = {
    **dict.fromkeys(GREENLETS, in_greenlet),
    **dict.fromkeys(COROUTINES, in_coroutine),
    LIMIT: in_raw,
}
CASES = [
    Case("event-fanout", "Event.set() with 20,000 waiting, per task", "us", _variants, note="limit: raw greenlets")
]
