"""The lock and the conditions of a Queue, under the names that the standard library's queue has.

That one does everything under a lock, `mutex`. Programs take it to do more in one step, such as to clear `queue`, and
wait for its conditions, such as with a limit of time for what `join` waits for. A queue of hubcore needs no lock: it
has this one from when somebody first asks for it, and then every `put`, `get`, `task_done` and `shutdown` takes it.
"""

from __future__ import annotations

from _weakref import ref

from hubcore._condition import Condition
from hubcore._threadlock import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Mutex(RLock):
    """A queue's lock. Who had it may have stored, taken or dropped items: those who can go on then do."""

    __slots__ = ("_settle",)

    def __init__(self, settle: Callable[[], object]) -> None:
        RLock.__init__(self)
        self._settle = settle

    def release(self) -> None:
        """As RLock's."""
        try:
            if self._recursion_count() == 1:
                self._settle()  # still with the lock: a next owner finds it done
        finally:
            RLock.release(self)

    def _release_save(self) -> tuple[int, object]:
        if self._is_owned():
            self._settle()
        return RLock._release_save(self)


class Conditions:
    """A queue's: `settle` does what its items and its room allow."""

    __slots__ = ("all_tasks_done", "mutex", "not_empty", "not_full")

    def __init__(self, settle: Callable[[], object]) -> None:
        self.mutex = Mutex(settle)
        self.not_empty = Condition(self.mutex)
        self.not_full = Condition(self.mutex)
        self.all_tasks_done = Condition(self.mutex)


class Part:
    """One of them as an attribute of a Queue. A subclass may set its own instead, as it can the standard library's."""

    def __init__(self, name: str, doc: str) -> None:
        self.__name__ = name
        self.__doc__ = doc

    def __get__(self, queue: Any, kind: type | None = None) -> Any:
        return self if queue is None else getattr(queue._conditions_here(), self.__name__)


def settle_weakly(queue: Any) -> Callable[[], object]:
    """What calls `queue._settle()` as long as `queue` is there, without keeping it."""
    there = ref(queue)

    def settle() -> None:
        queue = there()
        if queue is not None:
            queue._settle()

    return settle
