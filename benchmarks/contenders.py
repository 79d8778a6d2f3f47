"""Who takes part, and how each one's code is run.

A variant's name is a contender's name, or that and a style: "uvloop-streams", "uvloop-protocol".
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from benchmarks.measure import timed
from benchmarks.model import GEVENT, LIBEV, LIBUV, Sample, Settings, Unavailable, Variant

GREENLETS = (LIBEV, LIBUV, GEVENT)
COROUTINES = ("asyncio", "uvloop")
THREADS = "threads"  # the standard library's own counterpart, which blocks the thread where ours let others run
LIMIT = "limit"  # raw greenlet, or C: what no library above it can beat
CONTENDERS = (*GREENLETS, *COROUTINES, THREADS, LIMIT)

HTTP = ("bjoern", "uvicorn", "granian", "gunicorn-hubcore", "gunicorn-gevent")  # servers, in the cases of HTTP alone

GreenletStyle = Callable[[Any, int], object]  # (library, rounds)
CoroutineStyle = Callable[[int], Coroutine[Any, Any, object]]
PlainStyle = Callable[[int], object]


def library(variant: str, *submodules: str) -> Any:
    """hubcore (on the variant's backend) or gevent, with `submodules` as attributes: their names are the same."""
    if variant == GEVENT:
        name = "gevent"
    else:
        name, _, backend = variant.partition("-")
        os.environ["HUB_BACKEND"] = backend
    lib = importlib.import_module(name)
    for submodule in submodules:
        importlib.import_module(f"{name}.{submodule}")
    if variant != GEVENT and backend not in loop_name(lib):
        raise Unavailable(f"asked for the {backend} backend, got {loop_name(lib)}")
    return lib


def loop_name(lib: Any) -> str:
    """The class under the hub, for the record: "hubcore.backends.libev.LibevLoop"."""
    kind = type(lib.get_hub().loop)
    return f"{kind.__module__}.{kind.__qualname__}"


def runner(variant: str) -> asyncio.Runner:
    """The stdlib's runner, on asyncio's own loop or on uvloop's."""
    if variant.startswith("uvloop"):
        return asyncio.Runner(loop_factory=importlib.import_module("uvloop").new_event_loop)
    return asyncio.Runner()


def run_coroutine(variant: str, main: Callable[[], Awaitable[Any]]) -> Any:
    """`main()` to its end, on the variant's loop."""

    async def call() -> Any:
        return await main()

    with runner(variant) as loop:
        return loop.run(call())


def microseconds(
    greenlets: GreenletStyle,
    coroutines: CoroutineStyle | None = None,
    raw: PlainStyle | None = None,
    *,
    threads: PlainStyle | None = None,
    style: str = "",
    per_round: int = 1,
    submodules: Iterable[str] = (),
) -> dict[str, Variant]:
    """The variants of a case that is a loop: hubcore and gevent share one source, asyncio and uvloop another.

    Each function takes the number of rounds; a round holds `per_round` of the operations that are reported. All of them
    run the loop in a task of the library, as a program's code would; `threads` and `raw` have none and run it plainly.
    Who has no function does not take part.
    """

    def sample(run: PlainStyle, settings: Settings, **extra: object) -> Sample:
        per = timed(run, settings.seconds)
        return Sample(per.wall / per_round * 1e6, {"processor_us": per.processor / per_round * 1e6, **extra})

    def in_greenlet(variant: str, settings: Settings) -> Sample:
        lib = library(variant, *submodules)
        return sample(lambda rounds: lib.spawn(greenlets, lib, rounds).get(), settings, loop=loop_name(lib))

    def in_coroutine(variant: str, settings: Settings) -> Sample:
        assert coroutines is not None
        with runner(variant) as loop:
            return sample(lambda rounds: loop.run(coroutines(rounds)), settings)

    def plainly(run: PlainStyle) -> Variant:
        return lambda variant, settings: sample(run, settings)

    variants: dict[str, Variant] = dict.fromkeys(GREENLETS, in_greenlet)
    if coroutines is not None:
        variants |= dict.fromkeys((f"{name}-{style}" if style else name for name in COROUTINES), in_coroutine)
    if threads is not None:
        variants[THREADS] = plainly(threads)
    if raw is not None:
        variants[LIMIT] = plainly(raw)
    return variants
