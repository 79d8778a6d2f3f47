"""The reports of the monitor: a greenlet that blocks its hub, and deadlocks."""

from __future__ import annotations

import sys
from time import monotonic
from weakref import WeakSet

from hubcore import config, events
from hubcore._base.stack_format import format_frame, shown
from hubcore._diagnostics.describe import describe_spawn_site
from hubcore._diagnostics.inventory import running_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

    from hubcore._core.scheduler import Scheduler
    from hubcore._core.waiter import Waiter


class Blocking:
    """Checks periodically, from another thread, whether a hub makes progress."""

    def __init__(self) -> None:
        self.ignored: WeakSet[greenlet] = WeakSet()
        self._progress: tuple[int, int, bool] | None = None
        self._since = 0.0
        self._reported = False
        #: The event that was sent for the block that lasts.
        self.present: events.EventLoopBlocked | None = None

    def look(self, hub: Scheduler) -> bool:
        """Report the greenlet that runs in `hub` if it has blocked the hub for too long; return whether it did so."""
        progress = hub.progress()
        now = monotonic()
        if progress != self._progress:
            before, self.present = self.present, None
            seconds = now - self._since
            self._progress, self._since, self._reported = progress, now, False
            if before is not None:
                events.notify(events.EventLoopUnblocked(before, seconds))
            return False
        polling = progress[2]
        seconds = now - self._since
        if polling or self._reported or seconds < config.max_blocking_time or not _holds_anybody_up(hub):
            return False
        found = running_in(hub)
        frame = sys._current_frames().get(hub.thread_ident)
        if hub.progress() != progress:
            return False  # the hub went on during the search
        self._reported = True
        if found is None or found in self.ignored:
            return False
        self.present = _report(hub, found, seconds, format_frame(frame))
        return True


def _holds_anybody_up(hub: Scheduler) -> bool:
    """Return whether the hub has another greenlet or a callback to run, now or after an event."""
    return hub.parked.count > 0 or hub.loop.alive()


def _report(hub: Scheduler, found: greenlet, seconds: float, stack: list[str]) -> events.EventLoopBlocked:
    from hubcore._core.raw_greenlet import RawGreenlet

    who = "the hub, in a callback" if found is hub else "the main greenlet" if found is hub.main else shown(found)
    if isinstance(found, RawGreenlet):
        who += f", {describe_spawn_site(found)},"
    info = [f"{who} has run for {seconds:.3g} s without letting others run", f"    {shown(hub)}", *stack]
    if config.print_blocking_reports:
        import logging

        logging.getLogger("hubcore").warning("%s", "\n".join(info))
    event = events.EventLoopBlocked(found, seconds, info, hub=hub)  # type: ignore[arg-type]
    events.notify(event)
    return event


# Deadlocks that were logged and still last: key -> waiters. The reference keeps the ids in the key from being reused.
# Shared by all monitors.
_logged: dict[frozenset[int], tuple[Waiter, ...]] = {}


def log_deadlocks() -> int:
    """Log the present deadlocks that were not logged before; return their number. Any thread."""
    from hubcore._diagnostics.deadlocks import find_deadlocks

    found = {deadlock.key: deadlock for deadlock in find_deadlocks()}
    for key, waiters in tuple(_logged.items()):
        if any(waiter.ended for waiter in waiters):
            _logged.pop(key, None)
    new = 0
    for key, deadlock in found.items():
        waiters = tuple(wait.waiter for wait in deadlock.waits)
        if _logged.setdefault(key, waiters) is waiters:  # otherwise another monitor has just logged it
            import logging

            logging.getLogger("hubcore").error("%s", deadlock)
            new += 1
    return new
