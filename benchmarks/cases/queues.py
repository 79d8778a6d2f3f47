"""Queues: a message there and back, a producer that is held up by its consumer, and one that never waits."""

from __future__ import annotations

import asyncio
import queue
from typing import Any

from greenlet import getcurrent, greenlet

from benchmarks.contenders import microseconds
from benchmarks.model import Case

MAXSIZE = 10


def pingpong_in_greenlets(lib: Any, rounds: int) -> None:
    def pong() -> None:
        for _ in range(rounds):
            back.put(there.get())

    there, back = lib.queue.Queue(), lib.queue.Queue()
    partner = lib.spawn(pong)
    for number in range(rounds):
        there.put(number)
        back.get()
    partner.join()


async def pingpong_in_coroutines(rounds: int) -> None:
    async def pong() -> None:
        for _ in range(rounds):
            await back.put(await there.get())

    there: asyncio.Queue[int] = asyncio.Queue()
    back: asyncio.Queue[int] = asyncio.Queue()
    partner = asyncio.create_task(pong())
    for number in range(rounds):
        await there.put(number)
        await back.get()
    await partner


def pingpong_raw(rounds: int) -> None:
    """The message goes as the argument of the switch."""

    def pong(message: int) -> None:
        for _ in range(rounds):
            message = home.switch(message)

    home = getcurrent()
    partner = greenlet(pong)
    for number in range(rounds):
        partner.switch(number)
    partner.switch(rounds)  # its loop ends


def bounded_in_greenlets(lib: Any, rounds: int) -> None:
    def produce() -> None:
        for number in range(rounds):
            items.put(number)

    items = lib.queue.Queue(MAXSIZE)
    producer = lib.spawn(produce)
    for _ in range(rounds):
        items.get()
    producer.join()


async def bounded_in_coroutines(rounds: int) -> None:
    async def produce() -> None:
        for number in range(rounds):
            await items.put(number)

    items: asyncio.Queue[int] = asyncio.Queue(MAXSIZE)
    producer = asyncio.create_task(produce())
    for _ in range(rounds):
        await items.get()
    await producer


def put_and_get(items: Any, rounds: int) -> None:
    for number in range(rounds):
        items.put(number)
        items.get()


def simple_in_greenlets(lib: Any, rounds: int) -> None:
    put_and_get(lib.queue.SimpleQueue(), rounds)


async def simple_in_coroutines(rounds: int) -> None:
    items: asyncio.Queue[int] = asyncio.Queue()
    for number in range(rounds):
        items.put_nowait(number)
        items.get_nowait()


def simple_in_threads(rounds: int) -> None:
    put_and_get(queue.SimpleQueue(), rounds)


CASES = [
    Case(
        "queue-pingpong",
        "two Queues, a message there and back",
        "us",
        microseconds(pingpong_in_greenlets, pingpong_in_coroutines, pingpong_raw, submodules=["queue"]),
        note="limit: raw greenlets that switch with the message",
    ),
    Case(
        "queue-bounded",
        f"producer and consumer over Queue({MAXSIZE}), per item",
        "us",
        microseconds(bounded_in_greenlets, bounded_in_coroutines, submodules=["queue"]),
    ),
    Case(
        "queue-simple",
        "SimpleQueue, put + get that need not wait",
        "us",
        microseconds(simple_in_greenlets, simple_in_coroutines, threads=simple_in_threads, submodules=["queue"]),
        note="asyncio, uvloop: Queue with put_nowait and get_nowait; threads: queue.SimpleQueue",
    ),
]
