"""Locks: taken and given back by a task that is alone, and handed round among tasks that all want the same one."""

from __future__ import annotations

import asyncio
import threading
from itertools import repeat
from typing import Any

from benchmarks.contenders import microseconds
from benchmarks.model import Case

TASKS = 10


def acquire_and_release(lock: Any, rounds: int) -> None:
    for _ in repeat(None, rounds):  # as timeit does: making the numbers of a range would be a good part of the figure
        lock.acquire()
        lock.release()


def semaphore_in_greenlets(lib: Any, rounds: int) -> None:
    acquire_and_release(lib.lock.Semaphore(1), rounds)


async def semaphore_in_coroutines(rounds: int) -> None:
    semaphore = asyncio.Semaphore(1)
    for _ in repeat(None, rounds):
        await semaphore.acquire()
        semaphore.release()


def semaphore_in_threads(rounds: int) -> None:
    acquire_and_release(threading.Lock(), rounds)


def rlock_in_greenlets(lib: Any, rounds: int) -> None:
    acquire_and_release(lib.lock.RLock(), rounds)


def rlock_in_threads(rounds: int) -> None:
    acquire_and_release(threading.RLock(), rounds)


def contended_in_greenlets(lib: Any, rounds: int) -> None:
    def take_turns() -> None:
        for _ in range(rounds):
            with lock:
                lib.sleep(0)
            lib.sleep(0)  # else who just had it takes it again wherever a lock is not handed over

    lock = lib.lock.Semaphore(1)
    lib.joinall([lib.spawn(take_turns) for _ in range(TASKS)])


async def contended_in_coroutines(rounds: int) -> None:
    async def take_turns() -> None:
        for _ in range(rounds):
            async with lock:
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    lock = asyncio.Lock()
    await asyncio.wait([asyncio.create_task(take_turns()) for _ in range(TASKS)])


CASES = [
    Case(
        "semaphore",
        "Semaphore(1), acquire + release",
        "us",
        microseconds(
            semaphore_in_greenlets, semaphore_in_coroutines, threads=semaphore_in_threads, submodules=["lock"]
        ),
        note="threads: threading.Lock",
    ),
    Case(
        "rlock",
        "RLock, acquire + release",
        "us",
        microseconds(rlock_in_greenlets, threads=rlock_in_threads, submodules=["lock"]),
        note="threads: threading.RLock; asyncio has no such lock",
    ),
    Case(
        "lock-contended",
        f"{TASKS} tasks take turns with a lock, held across sleep(0), per turn",
        "us",
        microseconds(contended_in_greenlets, contended_in_coroutines, per_round=TASKS, submodules=["lock"]),
    ),
]
