"""Native threads for calls that cannot be made without blocking, such as the system's name look-up.

They are plain threads of the interpreter: they have no hub, are made when there is work, end after a while without,
and do not keep the process from ending.
"""

from __future__ import annotations

import os
import sys
from _queue import Empty, SimpleQueue
from _thread import allocate_lock, get_ident, start_new_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Job = tuple[Callable[[], object], Callable[[object, BaseException | None], object]]

_IDLE_SECONDS = 10.0

_idle: set[int] = set()
_all: list[Workers] = []


def idle_thread_idents() -> set[int]:
    """The idents of worker threads that have nothing to do, and of others that serve hubcore and will wake nobody."""
    return set(_idle)


def will_wake_nobody(ident: int, so: bool = True) -> None:
    """Say that the thread `ident`, which serves hubcore, will wake nobody; `so` False takes that back."""
    if so:
        _idle.add(ident)
    else:
        _idle.discard(ident)


class Workers:
    """At most `limit` threads that run jobs, first come, first served. Any thread may submit."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"there cannot be {limit!r} worker threads; it takes 1 or more")
        self.limit = limit
        self._forget()
        _all.append(self)

    def _forget(self) -> None:
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._lock = allocate_lock()
        self._threads = 0
        self._unserved = 0  # jobs submitted and not finished

    def submit(self, call: Callable[[], object], done: Callable[[object, BaseException | None], object]) -> None:
        """Run `call()` in a worker, then `done(result, None)` or `done(None, exception)` in the same. Never waits.

        RuntimeError if there is no worker and none can be started.
        """
        with self._lock:
            self._unserved += 1
            new = self._unserved > self._threads and self._threads < self.limit
            if new:
                self._threads += 1
        if new:
            try:
                start_new_thread(self._work, ())
            except RuntimeError:
                with self._lock:
                    self._threads -= 1
                    if self._threads == 0:
                        self._unserved -= 1
                        raise
        self._jobs.put((call, done))

    def _work(self) -> None:
        ident = get_ident()
        while True:
            _idle.add(ident)
            try:
                call, done = self._jobs.get(True, _IDLE_SECONDS)
            except Empty:
                with self._lock:
                    # A job may have come just now, counted but not yet in the queue; then it is this thread's.
                    if self._unserved < self._threads:
                        self._threads -= 1
                        break
                continue
            finally:
                _idle.discard(ident)
            result: object = None
            error: BaseException | None = None
            try:
                result = call()
            except BaseException as raised:
                error = raised
            with self._lock:
                self._unserved -= 1
            try:
                done(result, error)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            del call, done, result, error  # so that nothing of the job lives on while the thread waits


def _after_fork_in_child() -> None:
    # The threads are not in the child, whatever the locks and counts of the parent say.
    _idle.clear()
    for workers in _all:
        workers._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
