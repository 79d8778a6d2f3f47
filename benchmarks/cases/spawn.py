"""Start a task that does nothing and wait for it: one at a time, and a thousand together."""

from __future__ import annotations

import asyncio
from typing import Any

from greenlet import greenlet

from benchmarks.contenders import microseconds
from benchmarks.model import Case

TOGETHER = 1000


def nothing() -> None:
    pass


async def nothing_async() -> None:
    pass


def one_in_greenlets(lib: Any, rounds: int) -> None:
    for _ in range(rounds):
        lib.spawn(nothing).join()


async def one_in_coroutines(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.create_task(nothing_async())


def one_raw(rounds: int) -> None:
    for _ in range(rounds):
        greenlet(nothing).switch()


def many_in_greenlets(lib: Any, rounds: int) -> None:
    for _ in range(rounds):
        lib.joinall([lib.spawn(nothing) for _ in range(TOGETHER)])


async def many_in_coroutines(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.wait([asyncio.create_task(nothing_async()) for _ in range(TOGETHER)])


def many_raw(rounds: int) -> None:
    for _ in range(rounds):
        for task in [greenlet(nothing) for _ in range(TOGETHER)]:
            task.switch()


CASES = [
    Case("spawn", "spawn + join", "us", microseconds(one_in_greenlets, one_in_coroutines, one_raw)),
    Case(
        "spawn-many",
        "spawn 1,000 + joinall, per task",
        "us",
        microseconds(many_in_greenlets, many_in_coroutines, many_raw, per_round=TOGETHER),
    ),
]
