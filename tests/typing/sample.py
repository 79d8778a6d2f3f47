"""A program whose types mypy and pyright know. `make lint` checks it with both; a test runs it on every backend."""

from __future__ import annotations

from typing import Any, assert_type

import hubcore
from hubcore import aio, from_thread
from hubcore.channel import ReceiveChannel, SendChannel, open_channel, select
from hubcore.event import AsyncResult, Event
from hubcore.greenlet import Greenlet
from hubcore.local import local
from hubcore.lock import Semaphore
from hubcore.pool import Group, Pool
from hubcore.queue import Channel, JoinableQueue, LifoQueue, PriorityQueue, Queue, SimpleQueue
from hubcore.threadpool import ThreadPool, ThreadPoolExecutor


def price(article: int, *, currency: str = "EUR") -> float:
    hubcore.sleep(0)
    return article * (2.0 if currency == "EUR" else 3.0)


def name(article: int) -> str:
    return f"article {article}"


async def later() -> int:
    return 1


class Fetch(Greenlet[bytes]):
    """A greenlet whose work is a method."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def _run(self) -> bytes:
        return self.url.encode()


def greenlets() -> None:
    job = hubcore.spawn(price, 1, currency="EUR")
    assert_type(job, Greenlet[float])
    assert_type(job.get(), float)
    assert_type(job.value, float)
    assert_type(hubcore.spawn_later(0.001, name, 2).get(), str)
    made = Greenlet(price, 1)
    assert_type(made, Greenlet[float])
    made.start()
    assert_type(Fetch.spawn("a"), Fetch)
    assert_type(Fetch.spawn("a").get(timeout=1), bytes)
    hubcore.spawn_raw(name, 1)
    hubcore.sleep(0)
    assert_type(hubcore.get_hub().spawn_threadsafe(name, 1).get(), str)


def waiting() -> None:
    jobs = [hubcore.spawn(name, article) for article in range(3)]
    assert_type(hubcore.wait(jobs), list[Greenlet[str]])
    assert_type(hubcore.joinall(jobs), list[Greenlet[str]])
    for job in hubcore.iwait(jobs):
        assert_type(job.get(), str)
    assert_type(hubcore.wait(timeout=0), bool)
    assert_type(hubcore.with_timeout(1, price, 1), float)
    assert_type(hubcore.with_timeout(1, price, 1, timeout_value=None), float | None)
    with hubcore.move_on_after(1) as scope:
        hubcore.sleep(0)
    assert_type(scope.cancelled_caught, bool)


def results() -> None:
    result: AsyncResult[int] = AsyncResult()
    hubcore.spawn(result.set, 3)
    assert_type(result.get(), int)
    assert_type(result.wait(), int | None)
    assert_type(Event().wait(0), bool)


def queues() -> None:
    for queue in (Queue[int](), LifoQueue[int](), PriorityQueue[int](), JoinableQueue[int](), SimpleQueue[int](2)):
        queue.put(1)
        assert_type(queue.peek(), int)
        assert_type(queue.get(), int)
    numbers = Queue(items=[1, 2])
    assert_type(numbers, Queue[int])
    numbers.put(StopIteration)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ends the iteration
    assert_type(list(numbers), list[int])
    rendezvous: Channel[str] = Channel()
    hubcore.spawn(rendezvous.put, "x")
    assert_type(rendezvous.get(), str)


def channels() -> None:
    ends: tuple[SendChannel[int], ReceiveChannel[int]] = open_channel(1)
    with ends[0] as sender, ends[1] as receiver:
        sender.send(1)
        assert_type(receiver.receive(), int)
        sender.send_nowait(2)
        sender.close()
        assert_type(list(receiver), list[int])
    assert_type(select(Event(), hubcore.spawn(name, 1), timeout=1), tuple[Any, Any])


def tasks() -> None:
    with hubcore.TaskGroup() as group:
        first = group.spawn(price, 1)
        assert_type(group.spawn(name, article=2), Greenlet[str])
        assert_type(first.get(), float)


def pools() -> None:
    pool = Pool(2)
    assert_type(pool.spawn(price, 1), Greenlet[float])
    assert_type(pool.map(name, [1, 2]), list[str])
    assert_type(pool.apply(price, (1,)), float)
    assert_type(list(pool.imap(price, [1, 2])), list[float])
    assert_type(list(pool.imap_unordered(price, [1, 2])), list[float])
    assert_type(pool.map_async(name, [1]).get(), list[str])
    assert_type(Group().spawn(name, 1).get(), str)
    pool.join()


def threads() -> None:
    pool = ThreadPool(1)
    assert_type(pool.spawn(name, 1).get(), str)
    assert_type(pool.apply(price, (1,)), float)
    assert_type(pool.map(name, [1]), list[str])
    with ThreadPoolExecutor(1) as executor:
        assert_type(executor.submit(price, 1).result(), float)
        assert_type(executor.submit(from_thread.run, name, 1).result(), str)
    pool.join()


def others() -> None:
    assert_type(aio.run(later()), int)
    here = local()
    here.anything = 1
    with Semaphore(1):
        assert_type(Semaphore(1).acquire(timeout=1), bool)


for part in (greenlets, waiting, results, queues, channels, tasks, pools, threads, others):
    part()
print("done")
