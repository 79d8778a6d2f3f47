"""`hubcore top`: the load of a running process, by the difference of its counters between two looks."""

from __future__ import annotations

import sys
import time

from hubcore.cli._output import output
from hubcore.cli._snapshot_text import group_rows
from hubcore.cli.ps import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MOST_GROUPS = 20
_CLEAR = "\x1b[H\x1b[2J"


def main(pid: int, *, once: bool, interval: float) -> int:
    """Show process `pid` every `interval` seconds until interrupted; with `once`, one interval. Return the status."""
    before, status = ask(pid, {"ask": "statistics"})
    if before is None:
        return status
    live = sys.stdout.isatty() and not once
    while True:
        time.sleep(interval)
        now, status = ask(pid, {"ask": "snapshot", "stacks": False})
        if now is None:
            return status
        if live:
            sys.stdout.write(_CLEAR)
        _show(before, now)
        if once:
            return 0
        before = now


def _show(before: dict[str, Any], now: dict[str, Any]) -> None:
    out = output()
    earlier = {hub["thread"]: hub["statistics"] for hub in before["hubs"]}
    for hub in now["hubs"]:
        out.line(rates(earlier.get(hub["thread"]), hub))
        rows = group_rows(hub)[:_MOST_GROUPS]
        if rows:
            out.table(("count", "state", "waits on", "longest", "spawned at"), rows, right=9)
        out.line("")


def rates(before: dict[str, Any] | None, hub: dict[str, Any]) -> str:
    """One line about `hub`: what it did since its statistics `before`."""
    now = hub["statistics"]
    head = f"hub {hub['name']!r} on {hub['backend']}: {now['parked']:,} parked, {now['ready']:,} ready"
    if before is None or now["time"] <= before["time"]:
        return f"{head} (new, or its time stands still)"
    seconds = now["time"] - before["time"]
    busy = 1 - min(1.0, max(0.0, (now["slept"] - before["slept"]) / seconds))
    long = [b - a for a, b in zip(before["stretches"], now["stretches"], strict=True)]
    return (
        f"{head}; utilisation {busy:.0%}, {(now['switches'] - before['switches']) / seconds:,.0f} switches/s, "
        f"{(now['started'] - before['started']) / seconds:,.0f} spawned/s, "
        f"{(now['polls'] - before['polls']) / seconds:,.0f} polls/s; without a poll: {sum(long[2:])} times over 10 ms, "
        f"{sum(long[3:])} over 100 ms, {long[4]} over 1 s"
    )
