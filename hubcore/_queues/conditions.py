"""The lock and the conditions of a Queue, under the names of the standard library's queue.

The standard library's queue does everything under a lock, `mutex`. Programs take that lock to do more in one step, such
as to clear `queue`, and wait for its conditions, such as for all tasks with a timeout. A queue of hubcore needs no
lock. It makes this one when the program first reads it; from then on every `put`, `get`, `task_done` and `shutdown`
takes it.
"""

from __future__ import annotations

from _weakref import ref

from hubcore._sync.condition import Condition
from hubcore._sync.thread_lock import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Mutex(RLock):
    """A queue's lock. Its owner may have stored, taken or dropped items, so a release serves the waiters."""

    __slots__ = ("_settle",)

    def __init__(self, settle: Callable[[], object]) -> None:
        RLock.__init__(self)
        self._settle = settle

    def release(self) -> None:
        """As RLock.release."""
        try:
            if self._recursion_count() == 1:
                self._settle()  # while the lock is held, so that the next owner finds it done
        finally:
            RLock.release(self)

    def _release_save(self) -> tuple[int, object]:
        if self._is_owned():
            self._settle()
        return RLock._release_save(self)


class Conditions:
    """The lock and the conditions of one queue. `settle` serves the queue's waiters as its items and room allow."""

    __slots__ = ("all_tasks_done", "mutex", "not_empty", "not_full")

    def __init__(self, settle: Callable[[], object]) -> None:
        self.mutex = Mutex(settle)
        self.not_empty = Condition(self.mutex)
        self.not_full = Condition(self.mutex)
        self.all_tasks_done = Condition(self.mutex)


class Part:
    """One of the Conditions as an attribute of a Queue. A subclass may set its own, as with the standard library's."""

    def __init__(self, name: str, doc: str) -> None:
        self.__name__ = name
        self.__doc__ = doc

    def __get__(self, queue: Any, kind: type | None = None) -> Any:
        return self if queue is None else getattr(queue._conditions_here(), self.__name__)


def settle_weakly(queue: Any) -> Callable[[], object]:
    """Return a function that calls `queue._settle()` while `queue` lives; it does not keep `queue` alive."""
    there = ref(queue)

    def settle() -> None:
        queue = there()
        if queue is not None:
            queue._settle()

    return settle
