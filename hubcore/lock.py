"""Semaphores, locks, Condition and Barrier, for greenlets of any threads and threads without a hub.

Names and meanings are those of gevent and, for RLock, Condition and Barrier, of the standard library's `threading`.
"""

from __future__ import annotations

from hubcore._barrier import Barrier, BrokenBarrierError
from hubcore._condition import Condition
from hubcore._locks import BoundedSemaphore, DummySemaphore, RLock, Semaphore

__all__ = ["Barrier", "BoundedSemaphore", "BrokenBarrierError", "Condition", "DummySemaphore", "RLock", "Semaphore"]
