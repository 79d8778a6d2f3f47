"""An attribute of a greenlet's own: read it and write it."""

from __future__ import annotations

import contextvars
import threading
from typing import Any

from benchmarks.contenders import microseconds
from benchmarks.model import Case

# In one round, so that the loop around it weighs little.
PER_ROUND = 10


def use(data: Any, rounds: int) -> None:
    data.x = 0
    for _ in range(rounds):
        data.x = data.x
        data.x = data.x
        data.x = data.x
        data.x = data.x
        data.x = data.x
        data.x = data.x
        data.x = data.x
        data.x = data.x
        data.x = data.x
        data.x = data.x


def greenlets(lib: Any, rounds: int) -> None:
    use(lib.local.local(), rounds)


async def coroutines(rounds: int) -> None:
    """What a task has instead: a context variable."""
    variable = contextvars.ContextVar[int]("variable", default=0)
    for _ in range(rounds):
        for _ in range(PER_ROUND):
            variable.set(variable.get())


def raw(rounds: int) -> None:
    use(threading.local(), rounds)


CASES = [
    Case(
        "local",
        "data.x = data.x, data being a local()",
        "us",
        microseconds(greenlets, coroutines, raw, per_round=PER_ROUND, submodules=("local",)),
    )
]
