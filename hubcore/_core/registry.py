"""The hubs of all threads."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.scheduler import Scheduler

#: The hubs of all threads, except destroyed ones. A hub adds itself; any thread may read a copy.
hubs: set[Scheduler] = set()
