"""Mistakes that mypy and pyright must find: both complain, too, of a line that ignores an error which is not there.

Nothing runs it.
"""

from __future__ import annotations

import hubcore
import hubcore.greenlet as greenlets
import hubcore.hub as hubs
from hubcore.channel import ReceiveChannel, SendChannel, open_channel
from hubcore.event import AsyncResult
from hubcore.greenlet import Greenlet
from hubcore.pool import Pool
from hubcore.queue import Queue
from hubcore.threadpool import ThreadPool, ThreadPoolExecutor
from tests.typing.sample import Fetch, name, price


def names() -> None:
    hubcore.sleeep(1)  # type: ignore[attr-defined]  # pyright: ignore
    hubcore.spawn(name, 1).joined()  # type: ignore[attr-defined]  # pyright: ignore
    print(hubs.nosuch, greenlets.nosuch)  # type: ignore[attr-defined]  # pyright: ignore


def calls() -> None:
    hubcore.spawn(price)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    hubcore.spawn(price, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hubcore.spawn(price, 1, colour=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    hubcore.spawn_later(0, name, b"2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hubcore.spawn_raw(name, None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hubcore.with_timeout(1, price, "1")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    hubcore.TaskGroup().spawn(name, article="2")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Pool(1).spawn(name, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    Pool(1).map(name, ["1"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ThreadPool(1).spawn(name, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ThreadPool(1).apply(3)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ThreadPoolExecutor(1).submit(price, "1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    hubcore.get_hub().spawn_threadsafe(name)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def items(queue: Queue[int], result: AsyncResult[int], sender: SendChannel[int], receiver: ReceiveChannel[int]) -> None:
    queue.put("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    text: str = queue.get()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    result.set("3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    sender.send("1")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    text = receiver.receive()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    text = hubcore.spawn(price, 1).get()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    text = Fetch("a").get()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    jobs: list[Greenlet[int]] = hubcore.joinall([Fetch("a")])  # type: ignore[list-item]  # pyright: ignore[reportAssignmentType]
    wrong: SendChannel[int] = open_channel(1)  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(text, jobs, wrong)
