"""What would run in native threads runs in greenlets: the calls of thread pools and executors.

A worker begins after a drawn time, as a thread does that the system has to schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hubcore._base import worker_threads as _workers
from hubcore.hub import get_hub, sleep, spawn_raw

_MOST = 0.002  # seconds until a worker begins


def _begin(call: Callable[[], object]) -> None:
    process: Any = get_hub().loop.process  # type: ignore[attr-defined]
    delay = process.world.chance.stream("worker", process.host.name).random() * _MOST
    spawn_raw(_work, call, delay)


def _work(call: Callable[[], object], delay: float) -> None:
    sleep(delay)
    call()


def install() -> None:
    """From now on."""
    _workers.instead_of_threads = _begin


def uninstall() -> None:
    """Undo `install`."""
    _workers.instead_of_threads = None
