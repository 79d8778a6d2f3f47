"""Reports as text: a wait, where a greenlet was spawned, a failure."""

from __future__ import annotations

import sys

from hubcore._base.stack_format import shown
from hubcore._core.raw_greenlet import RawGreenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from hubcore._core.scheduler import Scheduler
    from hubcore._core.waiter import Waiter

_MOST_LISTED = 50  # a report of 100,000 parked greenlets helps no reader


def describe_spawn_site(greenlet: RawGreenlet) -> str:
    """Where `greenlet` was spawned: `spawned in FUNCTION (FILE:LINE)`."""
    file, line, function = greenlet.spawn_site
    return f"spawned in {function} ({file}:{line})"


def describe_wait(waiter: Waiter, now: float, with_greenlet: bool = True) -> str:
    """One line: which greenlet, on what, for how long, who owns that, and where the greenlet was spawned.

    `with_greenlet` False: only what is about the wait.
    """
    greenlet = waiter.greenlet
    who = "main greenlet" if greenlet is not None and greenlet.parent is None else shown(greenlet)
    line = f"{who} waits on {shown(waiter.waiting_on)} for {max(0.0, now - waiter.since):.3g} s"
    owner = getattr(waiter.waiting_on, "owner", None)
    if owner is not None:
        line += f", which {shown(owner)} owns"
    if not with_greenlet:
        return line.removeprefix(f"{who} ")
    if isinstance(greenlet, RawGreenlet):
        line += f"; {describe_spawn_site(greenlet)}"
    return line


def describe_parked(hub: Scheduler) -> str:
    """The parked greenlets of `hub`, a line each, longest wait first."""
    now = hub.loop.update_now()
    waiters = list(hub.parked)
    lines = [f"    {describe_wait(waiter, now)}" for waiter in waiters[:_MOST_LISTED]]
    if len(waiters) > _MOST_LISTED:
        lines.append(f"    and {len(waiters) - _MOST_LISTED} more")
    return "\n".join(lines)


def report_failure(context: object, kind: type[BaseException], value: BaseException, tb: TracebackType | None) -> None:
    """Log a failure on logger "hubcore", with its traceback and, for a greenlet, where it was spawned. Never raises."""
    try:
        import logging

        what = "the hub" if context is None else repr(context)
        if isinstance(context, RawGreenlet):
            what += f", {describe_spawn_site(context)}"
        if getattr(context, "exception", None) is None:  # a Greenlet's own description says what it failed with
            what += f" failed with {kind.__name__}"
        logging.getLogger("hubcore").error("%s", what, exc_info=(kind, value, tb))
    except Exception:
        # Importing logging fails where no file can be opened any more, and a context may fail to describe itself; the
        # failure itself has to be seen all the same.
        sys.excepthook(kind, value, tb)


def preload_reporting() -> None:
    """Import what `report_failure` needs. For code that may have to report when no file can be opened any more."""
    import logging  # noqa: F401
