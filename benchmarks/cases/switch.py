"""A hundred tasks that keep giving way to each other."""

from __future__ import annotations

import asyncio
from typing import Any

from greenlet import greenlet

from benchmarks.contenders import microseconds
from benchmarks.model import Case

TASKS = 100


def greenlets(lib: Any, rounds: int) -> None:
    def give_way() -> None:
        for _ in range(rounds):
            lib.sleep(0)

    lib.joinall([lib.spawn(give_way) for _ in range(TASKS)])


async def coroutines(rounds: int) -> None:
    async def give_way() -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)

    await asyncio.wait([asyncio.create_task(give_way()) for _ in range(TASKS)])


def raw(rounds: int) -> None:
    """A ring in which each switches straight to the next, with nobody deciding who runs."""

    def give_way(index: int) -> None:
        following = ring[(index + 1) % TASKS]
        following.switch(index + 1)  # the first time round this starts the next one; later the argument is ignored
        for _ in range(rounds - 1):
            following.switch()

    ring = [greenlet(give_way) for _ in range(TASKS)]
    ring[0].switch(0)  # comes back when the first of them ends, all others being in their last round


CASES = [
    Case(
        "switch", "switch among 100 tasks by sleep(0)", "us", microseconds(greenlets, coroutines, raw, per_round=TASKS)
    )
]
