"""All greenlets of all hubs, and the state of each."""

from __future__ import annotations

import gc

from greenlet import getcurrent, greenlet

from hubcore._base.originals import get_ident
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.registry import hubs
from hubcore._core.scheduler import Scheduler
from hubcore._core.waiter import Waiter

_is_active = greenlet.__bool__  # Greenlet's own __bool__ is true also before it begins


class Found:
    """A greenlet that has not ended, with its state at one moment; `waiter` is its wait if it is parked."""

    __slots__ = ("greenlet", "hub", "polls", "state", "waiter")

    def __init__(self, found: greenlet, hub: Scheduler, state: str, waiter: Waiter | None) -> None:
        self.greenlet = found
        self.hub = hub
        #: running, ready, waiting, not started, hub, or suspended (by a switch that bypassed the hub)
        self.state = state
        self.waiter = waiter
        #: whether it waits while its hub polls on its stack
        self.polls = False

    @property
    def thread_ident(self) -> int | None:
        """The thread whose current frames are this greenlet's; None if it has frames of its own, or none."""
        here = self.state == "running" or self.polls
        return self.hub.thread_ident if here else None


def inventory(only: Scheduler | None = None) -> list[Found]:
    """Return the greenlets of all hubs (or only of the hub `only`) that have not ended, hubs included.

    Any thread. Takes milliseconds, in which other threads run: each entry is correct by itself, at some moment during
    the call.
    """
    of_main = {hub.main: hub for hub in tuple(hubs)}
    wanted = {only} if only is not None else set(of_main.values())
    waiters: dict[greenlet, Waiter] = {}
    ready: set[object] = set()
    for hub in wanted:
        for entry in hub.ready.snapshot():
            ready.add(entry.greenlet if isinstance(entry, Waiter) else entry)
        for waiter in hub.parked.snapshot():
            if waiter.greenlet is not None:
                waiters[waiter.greenlet] = waiter
    pollers = {polling_in(hub) for hub in wanted}
    all_greenlets = [each for each in gc.get_objects() if issubclass(type(each), greenlet)]
    found = []
    for each in all_greenlets:
        hub_of_it = _hub_of(each, of_main)
        if hub_of_it is not None and hub_of_it in wanted and not each.dead:
            waiter_of_it = waiters.get(each)
            found.append(Found(each, hub_of_it, _state(each, waiter_of_it, ready), waiter_of_it))
            found[-1].polls = each in pollers
    return found


def polling_in(hub: Scheduler) -> greenlet | None:
    """Return the waiting greenlet of `hub` on whose stack the hub polls; None if there is none, or it is unclear.

    Such a greenlet has no frame of its own, because its thread is running it. A greenlet that waits without a Python
    function has none either. If several waiting greenlets have no frame, only the main greenlet is certain: it runs a
    Python function.
    """
    if hub.thread_ident == get_ident():
        return None
    without = [
        waiter.greenlet
        for waiter in hub.parked.snapshot()
        if waiter.greenlet is not None and waiter.greenlet.gr_frame is None
    ]
    if hub.main in without:
        return hub.main
    return without[0] if len(without) == 1 else None


def _hub_of(each: greenlet, of_main: dict[greenlet, Scheduler]) -> Scheduler | None:
    if isinstance(each, RawGreenlet):
        return each.hub  # type: ignore[return-value]
    if isinstance(each, Scheduler):
        return each
    root = each
    while root.parent is not None:
        if isinstance(root.parent, Scheduler):
            return root.parent
        root = root.parent
    return of_main.get(root)


def _state(each: greenlet, waiter: Waiter | None, ready: set[object]) -> str:
    if each is getcurrent():
        return "running"
    if waiter is not None:
        return "ready" if waiter.ended else "waiting"
    if not _is_active(each):
        return "not started"
    if each in ready:
        return "ready"
    if isinstance(each, Scheduler):
        return "hub"
    # A running greenlet has no frame of its own. Neither has one that waits without a Python function, but waiting
    # greenlets are already dealt with above.
    return "running" if each.gr_frame is None else "suspended"


def running_in(hub: Scheduler) -> greenlet | None:
    """Return the greenlet that runs (neither waits nor polls) in the thread of `hub`; the hub if no other does.

    Call it from another thread only. By the time it returns, another greenlet may run.
    """
    for each in inventory(hub):
        if each.state == "running":
            return each.greenlet
    return hub
