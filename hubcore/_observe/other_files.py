"""A timeline as Chrome's trace events (.json), and as off-CPU stacks (.folded) for flame graph viewers."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubcore._observe.timeline import Timeline


def chrome(timeline: Timeline) -> Iterator[bytes]:
    """The trace in Chrome's JSON format: one thread for each hub and one for each greenlet."""
    pid = timeline.pid
    yield b'{"displayTimeUnit": "ns", "traceEvents": [\n'
    yield json.dumps({"ph": "M", "name": "process_name", "pid": pid, "args": {"name": timeline.program}}).encode()
    flow = 0
    for i, hub in enumerate(timeline.hubs):
        lane = -1 - i  # greenlets have their own numbers, from 1 up
        yield _line({"ph": "M", "name": "thread_name", "pid": pid, "tid": lane, "args": {"name": f"hub {hub.name}"}})
        for span, life in hub.running():
            yield _span(pid, lane, life.title, span.begin, span.end, {})
        for life in hub.lives.values():
            name = {"name": f"{life.title} ({life.site})"}
            yield _line({"ph": "M", "name": "thread_name", "pid": pid, "tid": life.number, "args": name})
            for span in life.spans:
                notes = {"owner": timeline.title_of(span.owner)} if span.owner else {}
                what = span.wait if span.state == "blocked" else span.state
                yield _span(pid, life.number, what, span.begin, span.end, notes)
        for begin, end, who, text in hub.regions:
            yield _span(pid, lane, text, begin, end, {"greenlet": timeline.title_of(who)})
        for when, who, text in hub.marks:
            yield _line({"ph": "i", "s": "t", "name": text, "pid": pid, "tid": who, "ts": when / 1000})
        for when, waker, woken in hub.wakes:
            flow += 1
            head = {"name": "wakes", "cat": "wake", "id": flow, "pid": pid, "ts": when / 1000}
            yield _line({**head, "ph": "s", "tid": waker})
            yield _line({**head, "ph": "f", "bp": "e", "tid": woken})
    yield b"\n]}\n"


def folded(timeline: Timeline) -> Iterator[bytes]:
    """Off-CPU time in microseconds, a line for each place of spawn and kind of wait: `site;name;wait 1830000`."""
    found: dict[tuple[str, str, str], int] = {}
    for hub in timeline.hubs:
        for life in hub.lives.values():
            for span in life.spans:
                if span.state == "blocked":
                    key = (life.site, life.name, span.wait.partition(" fd ")[0])
                    found[key] = found.get(key, 0) + span.end - span.begin
    for (site, name, wait), spent in sorted(found.items()):
        parts = [part.replace(";", ",") for part in (site, name, wait)]
        yield f"{';'.join(parts)} {spent // 1000}\n".encode()


def _span(pid: int, lane: int, name: str, begin: int, end: int, notes: dict[str, str]) -> bytes:
    return _line(
        {
            "ph": "X",
            "name": name,
            "pid": pid,
            "tid": lane,
            "ts": begin / 1000,
            "dur": (end - begin) / 1000,
            "args": notes,
        }
    )


def _line(event: dict[str, object]) -> bytes:
    return b",\n" + json.dumps(event).encode()
