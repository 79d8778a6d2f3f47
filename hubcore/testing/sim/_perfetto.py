"""The log as a trace for Perfetto (ui.perfetto.dev): hosts are processes with their events, packets are arrows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from hubcore._observe.perfetto_packets import BEGIN, END, INSTANT, event, process_track

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    class Event(Protocol):
        """An event of the log."""

        @property
        def time(self) -> float: ...
        @property
        def host(self) -> str: ...
        @property
        def kind(self) -> str: ...
        @property
        def size(self) -> int: ...
        @property
        def text(self) -> str: ...


# What a host is in from such an event until it starts or resumes.
_STATES = {"kill": "down", "crash": "without power", "pause": "paused"}
_BACK = ("start", "resume")


def _event(time: float, kind: int, track: int, name: str = "", text: str = "", flow: int = 0) -> bytes:
    return event(round(time * 1e9), kind, track, name, flow, {"what": text} if text else None)


def packets(events: Iterable[Event]) -> Iterator[bytes]:
    """The trace, piece by piece."""
    tracks: dict[str, int] = {}
    down: dict[str, int] = {}
    flows: dict[tuple[str, str], list[int]] = {}
    number = 0
    last = 0.0
    for each in events:
        last = each.time
        host = each.host or "the world"
        track = tracks.get(host)
        if track is None:
            track = tracks[host] = len(tracks) + 1
            yield process_track(track, track, host)
        flow = 0
        if each.kind == "send":
            number += 1
            flow = number
            flows.setdefault(_ends(each.text), []).append(flow)
        elif each.kind == "receive":
            sent = flows.get(_ends(each.text, turned=" (UDP)" not in each.text))
            flow = sent.pop(0) if sent else 0
        if each.kind in _BACK and host in down:
            yield _event(each.time, END, down.pop(host))
        size = f" {each.size} bytes" if each.size else ""
        yield _event(each.time, INSTANT, track, each.kind, f"{each.text}{size}", flow)
        if each.kind in _STATES and host not in down:
            down[host] = track
            yield _event(each.time, BEGIN, track, _STATES[each.kind])
    for track in down.values():
        yield _event(last, END, track)


def _ends(text: str, turned: bool = False) -> tuple[str, str]:
    """The two ends of a connection, as `a > b` names them, from the sender's side."""
    first, _, second = text.removesuffix(" (UDP)").partition(" > ")
    return (second, first) if turned else (first, second)


def write(events: Iterable[Event], path: str | os.PathLike[str]) -> None:
    """Write them to the file `path`."""
    with open(path, "wb") as file:
        file.writelines(packets(events))
