"""A timeline as one HTML page that needs no network and no viewer; `page.html` has its code."""

from __future__ import annotations

import json
from pathlib import Path

from hubcore._observe.perfetto_file import by_site
from hubcore._observe.timeline import lanes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hubcore._observe.timeline import HubTimeline, Timeline

_STATES = ("running", "ready", "blocked")
_MOST_LANES = 500
_MOST_WAITS = 40


def page(timeline: Timeline) -> Iterator[bytes]:
    """The page, with the timeline in it."""
    before, _, after = Path(__file__).with_name("page.html").read_text(encoding="utf-8").partition("/*DATA*/")
    yield before.encode()
    # In a script element only `</` and `<!--` mean something; JSON may write `<` as an escape.
    yield json.dumps(_data(timeline)).replace("<", "\\u003c").encode()
    yield after.encode()


def _data(timeline: Timeline) -> dict[str, Any]:
    return {
        "pid": timeline.pid,
        "program": timeline.program,
        "begin": timeline.begin,
        "end": timeline.end,
        "hubs": [_hub(hub) for hub in timeline.hubs],
        "greenlets": {
            life.number: {
                "name": life.name,
                "site": life.site,
                "by": life.by,
                "spans": [
                    (span.begin, span.end, _STATES.index(span.state), span.wait, span.owner) for span in life.spans
                ],
            }
            for hub in timeline.hubs
            for life in hub.lives.values()
        },
        "wakes": [wake for hub in timeline.hubs for wake in hub.wakes],
        "waits": _waits(timeline),
    }


def _hub(hub: HubTimeline) -> dict[str, Any]:
    groups = []
    for site, lives in sorted(by_site(hub).items()):
        shared, left_out = lanes(lives, hub.end, _MOST_LANES)
        more = f", {left_out:,} not shown" if left_out else ""
        label = f"{site} ({len(lives):,}{more})"
        groups.append({"label": label, "lanes": [[life.number for life in lane] for lane in shared]})
    return {
        "name": hub.name,
        "dropped": hub.dropped,
        "running": [(span.begin, span.end, life.number) for span, life in hub.running()],
        "polls": hub.polls,
        "regions": sorted(hub.regions),
        "groups": groups,
    }


def _waits(timeline: Timeline) -> list[tuple[int, str, str]]:
    """The time spent in waits, by kind and place of spawn, the longest first."""
    found: dict[tuple[str, str], int] = {}
    for hub in timeline.hubs:
        for life in hub.lives.values():
            for span in life.spans:
                if span.state == "blocked":
                    key = (span.wait.partition(" fd ")[0], f"{life.name}, {life.site}")
                    found[key] = found.get(key, 0) + span.end - span.begin
    return sorted(((spent, *key) for key, spent in found.items()), reverse=True)[:_MOST_WAITS]
