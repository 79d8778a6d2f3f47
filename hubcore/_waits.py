"""Who waits for whom, in all threads: the edges of the graph that `_deadlocks` looks for cycles in.

What a greenlet waits on says who could end that wait:

    a greenlet           itself: whoever joins it waits for its end
    `owner`              the greenlet that owns it; of a thread without a hub, the thread's main greenlet
    `waits_for`          greenlets, all of which have to end or to let go
    `still_missing()`    objects of these kinds, and how many of them have to come (`wait`, `joinall`)

Nothing is claimed about what says none of these: anybody may set an event or put something into a queue.
"""

from __future__ import annotations

from time import monotonic

from greenlet import greenlet

from hubcore import _native
from hubcore._park import WaitEntry
from hubcore._registry import hubs
from hubcore._scheduler import Scheduler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._park import Waiter


class Wait:
    """A wait of `greenlet`, which began `seconds` ago, in the thread `thread_ident`; `hub` is None if that has none."""

    __slots__ = ("blockers", "enough", "greenlet", "hub", "now", "on", "owner_ended", "thread_ident", "timed", "waiter")

    def __init__(
        self, waiter: Waiter, waits: greenlet, hub: Scheduler | None, thread_ident: int, now: float, timed: bool
    ) -> None:
        self.waiter = waiter
        self.greenlet = waits
        self.hub = hub
        self.thread_ident = thread_ident
        self.now = now
        #: Whether it has a time limit of any kind, and so ends by itself.
        self.timed = timed
        #: What is waited on, as reports show it.
        self.on = waiter.waiting_on
        #: The greenlets that could end it; once `enough` of them cannot, it cannot end.
        self.blockers: list[greenlet] = []
        self.enough = 0
        #: Whether the only one that could end it is no more.
        self.owner_ended = False

    @property
    def seconds(self) -> float:
        """For how long it has lasted."""
        return max(0.0, self.now - self.waiter.since)

    def find_blockers(self) -> None:
        """Look who could end it, now. What fails to say so claims nothing."""
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
            self.blockers = []  # it waits until nothing is left to do
            return
        if isinstance(what, greenlet):
            self.blockers = [] if what.dead else [what]
            return
        group = getattr(what, "waits_for", None)
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
    """The one greenlet without which `what` does not come; None if it does not say."""
    if isinstance(what, greenlet):
        return None if isinstance(what, Scheduler) else what
    owner = getattr(what, "owner", None)
    return owner if isinstance(owner, greenlet) else None


def all_waits() -> list[Wait]:
    """Every wait of every hub, and of threads that wait without a hub, as they are now. Any thread."""
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
    """The greenlets that a Timeout or the like of `hub` will interrupt, whatever they wait on.

    A deadline says so by its `target`, or its `targets` if it will interrupt several.
    """
    found: set[object] = set()
    for deadline in hub.loop.deadlines.snapshot():
        found.add(getattr(deadline, "target", None))
        found.update(getattr(deadline, "targets", ()))
    return found


def native_waits() -> list[Wait]:
    """The waits of threads that have no hub, as they are now. Any thread."""
    now = monotonic()
    found = []
    for ident, waiter in _native.waiting.copy().items():
        waits = waiter.greenlet
        if waits is not None and not waiter.ended:
            found.append(Wait(waiter, waits, None, ident, now, waiter in _native.limited))
    return found
