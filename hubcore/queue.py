"""Queues between greenlets of any threads, and threads without a hub: FIFO, LIFO, by priority, and a rendezvous.

Names and meanings are those of the standard library's `queue` and of gevent's `queue`.
"""

from __future__ import annotations

from queue import Empty, Full

from hubcore._base.package import publish_all
from hubcore._queues.joinable_queue import JoinableQueue, LifoQueue, PriorityQueue, Queue, UnboundQueue
from hubcore._queues.rendezvous import Channel
from hubcore._queues.simple_queue import ShutDown, SimpleQueue

#: What `hubcore.monkey` replaces in the standard library's module.
__implements__: list[str] = ["LifoQueue", "PriorityQueue", "Queue", "SimpleQueue"]
__all__ = [
    "Channel",
    "Empty",
    "Full",
    "JoinableQueue",
    "LifoQueue",
    "PriorityQueue",
    "Queue",
    "ShutDown",
    "SimpleQueue",
    "UnboundQueue",
]


publish_all(globals())
