"""ThreadEvent: an Event of threads, which may look at its flag in a loop instead of waiting for it."""

from __future__ import annotations

from hubcore._base import uncompiled as cython
from hubcore.event import Event

if not cython.compiled:
    from hubcore._sync.steps import count_step


class ThreadEvent(Event):
    """An Event whose `is_set` counts as a step of a thread."""

    __slots__ = ()

    def is_set(self) -> bool:
        """Return whether the flag is set. May switch in a loop that never waits, see `_sync.steps`."""
        if not self._flag:
            count_step()
        return self._flag
