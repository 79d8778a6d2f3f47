"""sleep(0) by a task that is alone: nothing else is ready."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.contenders import microseconds
from benchmarks.model import Case


def greenlets(lib: Any, rounds: int) -> None:
    for _ in range(rounds):
        lib.sleep(0)


async def coroutines(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


CASES = [Case("yield", "sleep(0) with nothing else ready", "us", microseconds(greenlets, coroutines))]
