"""What the monitor reports: a greenlet that holds up its hub, and deadlocks."""

from __future__ import annotations

import sys
from time import monotonic
from weakref import WeakSet

from hubcore import config, events
from hubcore._describe import describe_spawn_site
from hubcore._inventory import running_in
from hubcore._stacks import format_frame, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet

    from hubcore._park import Waiter
    from hubcore._scheduler import Scheduler


class Blocking:
    """Looks now and then, from another thread, whether a hub goes on."""

    def __init__(self) -> None:
        self.ignored: WeakSet[greenlet] = WeakSet()
        self._progress: tuple[int, int, bool] | None = None
        self._since = 0.0
        self._reported = False

    def look(self, hub: Scheduler) -> bool:
        """Report what runs in `hub` if that has not gone on for too long; whether it was reported now."""
        progress = hub.progress()
        now = monotonic()
        if progress != self._progress:
            self._progress, self._since, self._reported = progress, now, False
            return False
        polling = progress[2]
        seconds = now - self._since
        if polling or self._reported or seconds < config.max_blocking_time or not _holds_anybody_up(hub):
            return False
        found = running_in(hub)
        frame = sys._current_frames().get(hub.thread_ident)
        if hub.progress() != progress:
            return False  # it went on while that was being found out
        self._reported = True
        if found is None or found in self.ignored:
            return False
        _report(hub, found, seconds, format_frame(frame))
        return True


def _holds_anybody_up(hub: Scheduler) -> bool:
    """Whether there is anybody who could run in its place, now or when something comes."""
    return hub.parked.count > 0 or hub.loop.alive()


def _report(hub: Scheduler, found: greenlet, seconds: float, stack: list[str]) -> None:
    from hubcore._rawgreenlet import RawGreenlet

    who = "the hub, in a callback" if found is hub else "the main greenlet" if found is hub.main else shown(found)
    if isinstance(found, RawGreenlet):
        who += f", {describe_spawn_site(found)},"
    info = [f"{who} has run for {seconds:.3g} s without letting others run", f"    {shown(hub)}", *stack]
    if config.print_blocking_reports:
        import logging

        logging.getLogger("hubcore").warning("%s", "\n".join(info))
    events.notify(events.EventLoopBlocked(found, seconds, info, hub=hub))  # type: ignore[arg-type]


# What was logged and lasts, with its waiters, so that the key is nobody else's meanwhile. One for all monitors.
_logged: dict[frozenset[int], tuple[Waiter, ...]] = {}


def log_deadlocks() -> int:
    """Log the deadlocks there are now that were not logged before; how many those were. Any thread."""
    from hubcore._deadlocks import find_deadlocks

    found = {deadlock.key: deadlock for deadlock in find_deadlocks()}
    for key, waiters in tuple(_logged.items()):
        if any(waiter.ended for waiter in waiters):
            _logged.pop(key, None)
    new = 0
    for key, deadlock in found.items():
        waiters = tuple(wait.waiter for wait in deadlock.waits)
        if _logged.setdefault(key, waiters) is waiters:  # and not what another monitor put there just now
            import logging

            logging.getLogger("hubcore").error("%s", deadlock)
            new += 1
    return new
