"""The records of a recording as spans of time: each greenlet runs, is ready, or is blocked, from when to when.

This module and the writers import nothing of hubcore, so that they read recordings of other processes and versions.
"""

from __future__ import annotations

from struct import iter_unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SPAWN, READY, RESUME, SUSPEND, GIVE_WAY, END, POLL, POLLED, MARK, REGION, REGION_END, EXISTS = range(1, 13)
_RECORD = "<QIIHHI"
_BY_GREENLET = 1
_EVENTS = {1: "read", 2: "write", 3: "read or write"}
_LONGEST = 300


class Span:
    """What a greenlet did from `begin` to `end` (nanoseconds): state running, ready or blocked, and on what."""

    __slots__ = ("begin", "end", "owner", "state", "wait")

    def __init__(self, state: str, begin: int, wait: str = "", owner: int = 0) -> None:
        self.state = state
        self.begin = begin
        self.end = begin
        self.wait = wait
        self.owner = owner


class Life:
    """One greenlet: its number, name, place of spawn, the number of its spawner, and its spans in order."""

    __slots__ = ("begin", "by", "end", "name", "number", "site", "spans")

    def __init__(self, number: int, name: str, site: str, by: int, begin: int) -> None:
        self.number = number
        self.name = name
        self.site = site
        self.by = by
        self.begin = begin
        self.end: int | None = None  # None: it still lived at the end
        self.spans: list[Span] = []

    @property
    def title(self) -> str:
        """Its name with its number."""
        return f"{self.name} #{self.number}"


class HubTimeline:
    """What happened in one hub."""

    def __init__(self, name: str, thread: int) -> None:
        self.name = name
        self.thread = thread
        self.lives: dict[int, Life] = {}
        self.polls: list[tuple[int, int, bool]] = []  # begin, end, whether it might wait
        self.wakes: list[tuple[int, int, int]] = []  # when, waker, woken
        self.marks: list[tuple[int, int, str]] = []  # when, greenlet, text
        self.regions: list[tuple[int, int, int, str]] = []  # begin, end, greenlet, text
        self.dropped = 0
        self.begin = 0
        self.end = 0

    def running(self) -> list[tuple[Span, Life]]:
        """The spans in which a greenlet ran, in order."""
        found = [(span, life) for life in self.lives.values() for span in life.spans if span.state == "running"]
        return sorted(found, key=lambda pair: pair[0].begin)


class Timeline:
    """A whole recording."""

    def __init__(self, pid: int, program: str, hubs: list[HubTimeline]) -> None:
        self.pid = pid
        self.program = program
        self.hubs = hubs
        self.begin = min((hub.begin for hub in hubs), default=0)
        self.end = max((hub.end for hub in hubs), default=0)

    def title_of(self, number: int) -> str:
        """The name of the greenlet with this number."""
        for hub in self.hubs:
            if number in hub.lives:
                return hub.lives[number].title
        return f"#{number}"


def read(recording: dict[str, Any]) -> Timeline:
    """Return the timeline of a recording, as `Recording.dump` returns it."""
    first_tick, first_ns, last_tick, last_ns = recording["clocks"]
    scale = (last_ns - first_ns) / (last_tick - first_tick) if last_tick > first_tick else 1.0
    hubs = []
    for each in recording["hubs"]:
        hub = HubTimeline(each["name"], each["thread"])
        hub.dropped = each["dropped"]
        _Reader(hub, recording["texts"], lambda tick: int((tick - first_tick) * scale)).read(each["records"], last_tick)
        hubs.append(hub)
    return Timeline(recording["pid"], _cut(recording["program"]), hubs)


class _Reader:
    """Reads the records of one hub."""

    def __init__(self, hub: HubTimeline, texts: list[Any], time_of: Any) -> None:
        self.hub = hub
        self.texts = texts
        self.time_of = time_of
        self.regions: dict[int, list[tuple[int, str]]] = {}
        self.poll: tuple[int, bool] | None = None

    def read(self, records: bytes, last_tick: int) -> None:
        """Fill the hub's timeline."""
        hub = self.hub
        time = hub.begin = 0
        for i, (tick, who, argument, kind, text, more) in enumerate(iter_unpack(_RECORD, records)):
            time = max(time, self.time_of(tick))
            if i == 0:
                hub.begin = time
            if kind == POLL:
                self.poll = (time, bool(text))
            elif kind == POLLED:
                if self.poll is not None:
                    hub.polls.append((self.poll[0], time, self.poll[1]))
                self.poll = None
            else:
                self._of_greenlet(time, who, argument, kind, text, more)
        hub.end = max(time, self.time_of(last_tick))
        for life in hub.lives.values():
            if life.spans and life.end is None:
                life.spans[-1].end = hub.end
        for who, stack in self.regions.items():
            hub.regions += [(begin, hub.end, who, text) for begin, text in stack]
        if self.poll is not None:
            hub.polls.append((self.poll[0], hub.end, self.poll[1]))

    def _of_greenlet(self, time: int, who: int, argument: int, kind: int, text: int, more: int) -> None:
        hub = self.hub
        if kind in (SPAWN, EXISTS):
            hub.lives[who] = Life(who, self._text(more), self._text(text) if text else "-", argument, time)
            return
        life = hub.lives.get(who)
        if life is None:
            life = hub.lives[who] = Life(who, "greenlet", "?", 0, time)
        if kind == MARK:
            hub.marks.append((time, who, self._text(text)))
        elif kind == REGION:
            self.regions.setdefault(who, []).append((time, self._text(text)))
        elif kind == REGION_END:
            if self.regions.get(who):
                begin, name = self.regions[who].pop()
                hub.regions.append((begin, time, who, name))
        elif kind == READY:
            if text == _BY_GREENLET and argument:
                hub.wakes.append((time, argument, who))
            self._turn(life, Span("ready", time))
        elif kind == RESUME:
            self._turn(life, Span("running", time))
        elif kind == GIVE_WAY:
            self._turn(life, Span("ready", time))
        elif kind == SUSPEND:
            self._turn(life, self._blocked(time, text, argument, more))
        elif kind == END:
            self._turn(life, None, time)
            life.end = time

    def _blocked(self, time: int, text: int, argument: int, more: int) -> Span:
        if more:
            what = _EVENTS.get(argument, self._text(text))
            return Span("blocked", time, f"{what} fd {more - 1}")
        return Span("blocked", time, self._text(text), argument)

    def _turn(self, life: Life, span: Span | None, time: int = 0) -> None:
        if life.spans:
            life.spans[-1].end = span.begin if span is not None else time
        if span is not None:
            life.spans.append(span)

    def _text(self, number: int) -> str:
        return _cut(str(self.texts[number])) if number < len(self.texts) else "?"


def _cut(text: str) -> str:
    """`text` with control characters escaped, and not longer than 300."""
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def lanes(lives: list[Life], end: int, most: int) -> tuple[list[list[Life]], int]:
    """Share lanes among greenlets that did not live at the same time; return the lanes, and how many had no place."""
    free: list[tuple[int, int]] = []  # when it becomes free, lane
    found: list[list[Life]] = []
    left_out = 0
    from heapq import heappop, heappush

    for life in sorted(lives, key=lambda each: each.begin):
        if free and free[0][0] <= life.begin:
            _, lane = heappop(free)
            found[lane].append(life)
        elif len(found) < most:
            lane = len(found)
            found.append([life])
        else:
            left_out += 1
            continue
        heappush(free, (end + 1 if life.end is None else life.end, lane))
    return found, left_out
