"""What `Hub.statistics()` says: numbers that are there anyway, so that having them costs nothing."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._scheduler import Scheduler


class Statistics(NamedTuple):
    """How much a hub has to do, at one moment."""

    backend: str  #: the name of its loop's backend
    parked: int  #: greenlets that wait for something
    ready: int  #: greenlets and callbacks that are to run next, those from other threads included
    deadlines: int  #: sleeps, timeouts and timers that are scheduled
    watchers: int  #: watchers that were started with a callback
    fds: int  #: file descriptors that were waited for and are not closed
    references: int  #: what keeps its loop alive, deadlines included; 0 and nobody ready is a LoopExit
    external: int  #: operations that another thread or process will finish
    polls: int  #: passes of its loop so far


def of_hub(hub: Scheduler) -> Statistics:
    """The statistics of `hub`. Any thread."""
    loop = hub.loop
    return Statistics(
        backend=loop.name,
        parked=hub.parked.count,
        ready=len(hub.ready),
        deadlines=len(loop.deadlines),
        watchers=len(loop.watchers),
        fds=len(loop.fd_watches),
        references=loop.activecnt,
        external=loop.external + loop.jobs,
        polls=loop.passes,
    )
