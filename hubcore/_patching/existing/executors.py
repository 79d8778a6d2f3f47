"""Gives ThreadPoolExecutors that were made before the patch a cooperative queue of jobs.

Facts: a worker of the standard library sleeps in its executor's SimpleQueue, which is written in C and blocks the whole
thread; `submit` starts further workers whenever none is idle, after the patch as greenlets.
Consequence: the first such greenlet would stop the program, so every executor must get a new queue. Workers that run
already stay native threads; a last job in the old queue makes them go on with the new one.
"""

from __future__ import annotations

import gc
from _weakref import ref

from hubcore._base.originals import original
from hubcore._patching.existing import raw_access as _raw
from hubcore._queues.simple_queue import SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NativeQueue: Any = original("queue", "SimpleQueue")


def upgrade_executors(module: Any) -> list[Any]:
    """Give every executor of `module` (concurrent.futures.thread) a cooperative queue; return those that got one.

    Jobs that were submitted before still run, in the native workers if there are any.
    """
    upgraded = [
        each
        for each in gc.get_objects()
        if issubclass(type(each), module.ThreadPoolExecutor)
        and type((_raw.attributes_of(each) or {}).get("_work_queue")) is _NativeQueue
    ]
    for each in upgraded:
        with each._shutdown_lock:  # `submit` holds it, perhaps in a native thread
            _upgrade(module, each)
    return upgraded


def _upgrade(module: Any, executor: Any) -> None:
    old, new = executor._work_queue, SimpleQueue()
    executor._work_queue = new
    for thread in executor._threads:
        if thread in module._threads_queues:
            module._threads_queues[thread] = new
        old.put(_GoOn(module, executor, old, new))  # after the jobs that are in the queue already
    if executor._shutdown:
        new.put(None)


class _GoOn:
    """The job that moves a native worker from the old queue to the new one; behaves as the standard worker does."""

    __slots__ = ("executor", "module", "new", "old")

    def __init__(self, module: Any, executor: Any, old: Any, new: Any) -> None:
        self.module = module
        self.executor = ref(executor, lambda _: new.put(None))
        self.old = old
        self.new = new

    def run(self, *context: Any) -> None:
        """In the worker: run the jobs of the new queue until the worker must end.

        `context` is the worker's, from CPython 3.14 on an argument of every job.
        """
        while True:
            item = self.new.get()
            if item is not None:
                item.run(*context)
                del item
                executor = self.executor()
                if executor is not None and self.new.empty():
                    executor._idle_semaphore.release()
                del executor
                continue
            executor = self.executor()
            if self.module._shutdown or executor is None or executor._shutdown:
                if executor is not None:
                    executor._shutdown = True
                self.new.put(None)  # for the other workers
                self.old.put(None)  # for this one, which reads the old queue next
                return
            del executor
