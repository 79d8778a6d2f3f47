"""A timeline as a Perfetto trace: hubs with what runs, then greenlets by place of spawn, with arrows between them."""

from __future__ import annotations

from itertools import count

from hubcore._observe.perfetto_packets import BEGIN, END, INSTANT, event, process_track, track
from hubcore._observe.timeline import lanes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubcore._observe.timeline import HubTimeline, Life, Timeline

_MOST_LANES = 500  # of one place of spawn: the viewer stays quick up to some thousands in all


def packets(timeline: Timeline) -> Iterator[bytes]:
    """The trace, piece by piece."""
    numbers = count(1)
    root = next(numbers)
    yield process_track(root, timeline.pid, timeline.program)
    for hub in timeline.hubs:
        yield from _of_hub(timeline, hub, root, numbers)


def _of_hub(timeline: Timeline, hub: HubTimeline, root: int, numbers: Iterator[int]) -> Iterator[bytes]:
    top = next(numbers)
    name = f"hub {hub.name}" + (f" ({hub.dropped:,} records dropped)" if hub.dropped else "")
    yield track(top, root, name)
    running, polling, regions = next(numbers), next(numbers), next(numbers)
    yield track(running, top, "running")
    for span, life in hub.running():
        yield event(span.begin, BEGIN, running, life.title)
        yield event(span.end, END, running)
    yield track(polling, top, "poll")
    for begin, end, waits in hub.polls:
        yield event(begin, BEGIN, polling, "wait for events" if waits else "look for events")
        yield event(end, END, polling)
    if hub.regions or hub.marks:
        yield track(regions, top, "regions and marks")
        for begin, end, who, text in sorted(hub.regions):
            yield event(begin, BEGIN, regions, text, 0, {"greenlet": timeline.title_of(who)})
            yield event(end, END, regions)
        for when, who, text in hub.marks:
            yield event(when, INSTANT, regions, text, 0, {"greenlet": timeline.title_of(who)})
    arrows = _arrows(hub, numbers)
    for site, lives in sorted(by_site(hub).items()):
        group = next(numbers)
        shared, left_out = lanes(lives, hub.end, _MOST_LANES)
        more = f", {left_out:,} not shown" if left_out else ""
        yield track(group, top, f"{site} ({len(lives):,}{more})")
        for lane in shared:
            number = next(numbers)
            yield track(
                number, group, lane[0].title if len(lane) == 1 else f"{lane[0].name} and {len(lane) - 1:,} more"
            )
            for life in lane:
                yield from _of_life(timeline, life, number, arrows)


def _of_life(
    timeline: Timeline, life: Life, lane: int, arrows: dict[tuple[int, int, str], list[int]]
) -> Iterator[bytes]:
    for span in life.spans:
        notes = {"greenlet": life.title, "spawned at": life.site}
        if life.by:
            notes["spawned by"] = timeline.title_of(life.by)
        if span.owner:
            notes["owner"] = timeline.title_of(span.owner)
        name = span.wait if span.state == "blocked" else span.state
        flow = arrows.get((span.begin, life.number, "woken"), [0])[0] if span.state == "ready" else 0
        yield event(span.begin, BEGIN, lane, name, flow, notes)
        if span.state == "running":
            for when, number, flow in _wakes_in(arrows, life.number, span.begin, span.end):
                yield event(when, INSTANT, lane, f"wakes {timeline.title_of(number)}", flow)
        yield event(span.end, END, lane)


def _wakes_in(
    arrows: dict[tuple[int, int, str], list[int]], waker: int, begin: int, end: int
) -> Iterator[tuple[int, int, int]]:
    wakes = arrows.get((0, waker, "wakes"), [])
    while wakes and wakes[0] <= end:
        when, woken, flow = wakes[0], wakes[1], wakes[2]
        del wakes[:3]
        if when >= begin:
            yield when, woken, flow


def _arrows(hub: HubTimeline, numbers: Iterator[int]) -> dict[tuple[int, int, str], list[int]]:
    """The numbers of the arrows: by time and woken, and in order for each waker (time, woken, number, ...)."""
    found: dict[tuple[int, int, str], list[int]] = {}
    for when, waker, woken in hub.wakes:
        flow = next(numbers)
        found.setdefault((when, woken, "woken"), []).append(flow)
        found.setdefault((0, waker, "wakes"), []).extend((when, woken, flow))
    return found


def by_site(hub: HubTimeline) -> dict[str, list[Life]]:
    """The greenlets of `hub` by their function and the place of their spawn."""
    found: dict[str, list[Life]] = {}
    for life in hub.lives.values():
        site = life.name if life.site == "-" else f"{life.name} spawned at {life.site}"
        found.setdefault(site, []).append(life)
    return found
