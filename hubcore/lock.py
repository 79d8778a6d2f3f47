"""Semaphores, locks, Condition and Barrier, for greenlets of any threads and for threads without a hub.

Names and meanings are gevent's. Those of RLock, Condition and Barrier are the standard library's in `threading`.
"""

from __future__ import annotations

from hubcore._base.package import publish_all
from hubcore._sync.barrier import Barrier, BrokenBarrierError
from hubcore._sync.condition import Condition
from hubcore._sync.locks import BoundedSemaphore, DummySemaphore, RLock, Semaphore

__all__ = ["Barrier", "BoundedSemaphore", "BrokenBarrierError", "Condition", "DummySemaphore", "RLock", "Semaphore"]


publish_all(globals())
