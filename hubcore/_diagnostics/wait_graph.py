"""The waits of all threads: the edges of the graph in which `_diagnostics.deadlocks` looks for cycles.

The object that a greenlet waits on names the greenlets that could end the wait:

    a greenlet           itself: a join waits for its end
    `owner`              the greenlet that owns it; for a thread without a hub, the thread's main greenlet
    `_waits_for`          greenlets, all of which have to end or to let go
    `still_missing()`    objects of these kinds, and how many of them have to come (`wait`, `joinall`)

Objects without these attributes have no known owner: any greenlet may set an event or put an item into a queue.
"""

from __future__ import annotations

from time import monotonic

from greenlet import greenlet

from hubcore._core import thread_wait as _thread_wait
from hubcore._core.registry import hubs
from hubcore._core.scheduler import Scheduler
from hubcore._core.waiter import WaitEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter


class Wait:
    """A wait of `greenlet`, begun `seconds` ago, in the thread `thread_ident`. `hub` is None if the thread has none."""

    __slots__ = ("blockers", "enough", "greenlet", "hub", "now", "on", "owner_ended", "thread_ident", "timed", "waiter")

    def __init__(
        self, waiter: Waiter, waits: greenlet, hub: Scheduler | None, thread_ident: int, now: float, timed: bool
    ) -> None:
        self.waiter = waiter
        self.greenlet = waits
        self.hub = hub
        self.thread_ident = thread_ident
        self.now = now
        #: Whether the wait has a time limit of any kind, and so ends by itself.
        self.timed = timed
        #: The object that the greenlet waits on, as reports show it.
        self.on = waiter.waiting_on
        #: The greenlets that could end the wait; once `enough` of them cannot, it cannot end.
        self.blockers: list[greenlet] = []
        self.enough = 0
        #: Whether the only greenlet that could end the wait has itself ended.
        self.owner_ended = False

    @property
    def seconds(self) -> float:
        """The duration of the wait so far."""
        return max(0.0, self.now - self.waiter.since)

    def find_blockers(self) -> None:
        """Determine the greenlets that could end the wait now; none if the object fails to name them."""
        self.enough, self.owner_ended = 1, False
        try:
            self._find_blockers()
        except Exception:
            self.blockers = []

    def _find_blockers(self) -> None:
        what = self.on
        if isinstance(what, WaitEntry):
            what = what.on
        if isinstance(what, Scheduler):
            self.blockers = []  # a wait in Hub.join, until the hub has nothing left to do
            return
        if isinstance(what, greenlet):
            self.blockers = [] if what.dead else [what]
            return
        group = getattr(what, "_waits_for", None)
        if group is not None:
            self.blockers = [each for each in group if isinstance(each, greenlet) and not each.dead]
            return
        missing = getattr(what, "still_missing", None)
        if missing is not None:
            objects, wanted = missing()
            self.blockers = [each for each in map(_blocker, objects) if each is not None and not each.dead]
            self.enough = len(objects) - wanted + 1
            return
        owner = _blocker(what)
        self.blockers = [] if owner is None else [owner]
        self.owner_ended = owner is not None and bool(owner.dead)


def _blocker(what: object) -> greenlet | None:
    """Return the one greenlet that has to act before a wait for `what` can end; None if that is unknown."""
    if isinstance(what, greenlet):
        return None if isinstance(what, Scheduler) else what
    owner = getattr(what, "owner", None)
    return owner if isinstance(owner, greenlet) else None


def all_waits() -> list[Wait]:
    """Return the present waits of all hubs and of threads that wait without a hub. Any thread."""
    found = []
    for hub in tuple(hubs):
        limited = _time_limited(hub)
        now = hub.loop.clock()
        for waiter in hub.parked.snapshot():
            waits = waiter.greenlet
            if waits is not None and not waiter.ended:
                found.append(Wait(waiter, waits, hub, hub.thread_ident, now, waiter.scheduled or waits in limited))
    return found + native_waits()


def _time_limited(hub: Scheduler) -> set[object]:
    """Return the greenlets that a Timeout or another deadline of `hub` will interrupt in any wait.

    A deadline names such a greenlet by its attribute `target`, several by `targets`.
    """
    found: set[object] = set()
    for deadline in hub.loop.deadlines.snapshot():
        found.add(getattr(deadline, "target", None))
        found.update(getattr(deadline, "targets", ()))
    return found


def native_waits() -> list[Wait]:
    """Return the present waits of threads that have no hub. Any thread."""
    now = monotonic()
    found = []
    for ident, waiter in _thread_wait.waiting.copy().items():
        waits = waiter.greenlet
        if waits is not None and not waiter.ended:
            found.append(Wait(waiter, waits, None, ident, now, waiter in _thread_wait.limited))
    return found
