"""Pools: many small calls in greenlets, at most ten at a time, and calls handed to native threads.

The calls to threads are measured on one processor. With two, most of the time goes by until the kernel has woken the
other one; for the same code that is 20 us in one run and 100 in the next, so nothing can be judged by it. What it comes
to is shown as "threadpool-apply-free".
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from greenlet import greenlet

from benchmarks.contenders import microseconds
from benchmarks.model import Case, Sample, Settings, Variant
from benchmarks.serving import pin, processors

ITEMS = 1000
SIZE = 10
THREADS = 4


def double(number: int) -> int:
    return number + number


def map_in_greenlets(lib: Any, rounds: int) -> None:
    pool = lib.pool.Pool(SIZE)
    for _ in range(rounds):
        pool.map(double, range(ITEMS))


async def map_in_coroutines(rounds: int) -> None:
    async def double_in_turn(number: int) -> int:
        async with room:
            return double(number)

    room = asyncio.Semaphore(SIZE)
    for _ in range(rounds):
        await asyncio.gather(*map(double_in_turn, range(ITEMS)))


def map_raw(rounds: int) -> None:
    for _ in range(rounds):
        for number in range(ITEMS):
            greenlet(double).switch(number)


def thread_apply_in_greenlets(lib: Any, rounds: int) -> None:
    pool = lib.threadpool.ThreadPool(THREADS)
    for _ in range(rounds):
        pool.apply(int)
    pool.kill()


async def thread_apply_in_coroutines(rounds: int) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS) as executor:
        for _ in range(rounds):
            await loop.run_in_executor(executor, int)


def thread_apply_in_threads(rounds: int) -> None:
    with ThreadPoolExecutor(THREADS) as executor:
        for _ in range(rounds):
            executor.submit(int).result()


def thread_apply_raw(rounds: int) -> None:
    """Two threads that wake each other by locks, and do nothing else."""

    def work() -> None:
        for _ in range(rounds):
            wanted.acquire()
            done.release()

    wanted, done = threading.Lock(), threading.Lock()
    wanted.acquire()
    done.acquire()
    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(rounds):
        wanted.release()
        done.acquire()
    worker.join()


def thread_map_in_greenlets(lib: Any, rounds: int) -> None:
    pool = lib.threadpool.ThreadPool(THREADS)
    for _ in range(rounds):
        pool.map(double, range(ITEMS))
    pool.kill()


async def thread_map_in_coroutines(rounds: int) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(THREADS) as executor:
        for _ in range(rounds):
            await asyncio.gather(*[loop.run_in_executor(executor, double, number) for number in range(ITEMS)])


def thread_map_in_threads(rounds: int) -> None:
    with ThreadPoolExecutor(THREADS) as executor:
        for _ in range(rounds):
            list(executor.map(double, range(ITEMS)))


def on_one_processor(measure: Variant) -> Variant:
    def measure_there(variant: str, settings: Settings) -> Sample:
        pin(0, processors()[0])
        return measure(variant, settings)

    return measure_there


_apply = microseconds(
    thread_apply_in_greenlets,
    thread_apply_in_coroutines,
    thread_apply_raw,
    threads=thread_apply_in_threads,
    submodules=["threadpool"],
)
_map = microseconds(
    thread_map_in_greenlets,
    thread_map_in_coroutines,
    threads=thread_map_in_threads,
    per_round=ITEMS,
    submodules=["threadpool"],
)
_APPLIED_BY = "asyncio, uvloop: run_in_executor; threads: ThreadPoolExecutor; limit: two threads and two locks"
_MAPPED_BY = "asyncio, uvloop: gather of run_in_executor; threads: ThreadPoolExecutor.map"

CASES = [
    Case(
        "pool-map",
        f"Pool({SIZE}).map over {ITEMS:,} items, per item",
        "us",
        microseconds(map_in_greenlets, map_in_coroutines, map_raw, per_round=ITEMS, submodules=["pool"]),
        note=f"asyncio, uvloop: gather under a Semaphore({SIZE}); limit: raw greenlets, without a pool",
    ),
    Case(
        "threadpool-apply",
        f"ThreadPool({THREADS}).apply(int), on one processor",
        "us",
        {name: on_one_processor(measure) for name, measure in _apply.items()},
        note=_APPLIED_BY,
    ),
    Case(
        "threadpool-apply-free",
        f"ThreadPool({THREADS}).apply(int), on all processors",
        "us",
        _apply,
        note=f"{_APPLIED_BY}; waking another processor is most of it",
    ),
    Case(
        "threadpool-map",
        f"ThreadPool({THREADS}).map over {ITEMS:,} items, on one processor, per item",
        "us",
        {name: on_one_processor(measure) for name, measure in _map.items()},
        note=_MAPPED_BY,
    ),
]
