"""The result of `Hub.statistics()`: counters that the hub keeps anyway, so that statistics cost nothing at run time."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.scheduler import Scheduler


class Statistics(NamedTuple):
    """The load of a hub at one moment."""

    backend: str  #: the name of its loop's backend
    parked: int  #: greenlets that wait
    ready: int  #: greenlets and callbacks that run next, including those from other threads
    deadlines: int  #: scheduled sleeps, timeouts and timers
    watchers: int  #: watchers that were started with a callback
    fds: int  #: file descriptors that greenlets have waited for and that are still open
    references: int  #: what keeps its loop alive, deadlines included; 0 with an empty ready queue is a LoopExit
    external: int  #: operations that another thread or process completes
    polls: int  #: passes of its loop so far
    switches: int  #: entries that have run so far: turns of greenlets, and callbacks
    started: int  #: greenlets that have begun to run so far
    slept: float  #: seconds that its polls have waited so far; the rest of the time it was busy
    stretches: tuple[int, ...]  #: stretches between two polls so far: up to 1 ms, 10 ms, 100 ms, 1 s, and longer
    longest: float  #: the longest of them, in seconds
    time: float  #: the loop's time in seconds, by which the share of `slept` between two readings is computed


def of_hub(hub: Scheduler) -> Statistics:
    """Return the statistics of `hub`. Any thread."""
    loop = hub.loop
    return Statistics(
        backend=loop.name,
        parked=hub.parked.count,
        ready=len(hub.ready),
        deadlines=len(loop.deadlines),
        watchers=len(loop.watchers),
        fds=len(loop.fd_watches),
        references=loop.refs + loop.jobs + loop.deadlines.refs,
        external=loop.external + loop.jobs,
        polls=loop.passes,
        switches=hub.ran + hub.whole_batch - hub.progress()[1],
        started=hub.started,
        slept=loop.slept,
        stretches=tuple(loop.stretches),
        longest=loop.longest,
        time=loop.clock(),
    )
