"""A deadline that is set and never reached: `with Timeout(10): pass`."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.contenders import microseconds
from benchmarks.model import Case

# Everybody gets to its loop now and then, as a real program does: who keeps cancelled timers until then must clear
# them.
BETWEEN_PASSES = 100


def greenlets(lib: Any, rounds: int) -> None:
    for _ in range(rounds):
        for _ in range(BETWEEN_PASSES):
            with lib.Timeout(10):
                pass
        lib.sleep(0)


async def coroutines(rounds: int) -> None:
    for _ in range(rounds):
        for _ in range(BETWEEN_PASSES):
            async with asyncio.timeout(10):
                pass
        await asyncio.sleep(0)


CASES = [Case("timeout", "with Timeout(10): pass", "us", microseconds(greenlets, coroutines, per_round=BETWEEN_PASSES))]
