"""The log as a trace for Perfetto (ui.perfetto.dev): hosts are processes with their events, packets are arrows.

Fact: a trace file is one protobuf message, perfetto.protos.Trace, a list of TracePackets; a reader takes unknown fields
as absent. The five kinds of message that are needed are written here field by field, by their numbers in
protos/perfetto/trace/trace_packet.proto and track_event/*.proto.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

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


_SEQUENCE = 1
_BEGIN, _END, _INSTANT = 1, 2, 3  # TrackEvent.Type
# What a host is in from such an event until it starts or resumes.
_STATES = {"kill": "down", "crash": "without power", "pause": "paused"}
_BACK = ("start", "resume")


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _field(number: int, value: Any) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode(errors="backslashreplace") if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + bytes(data)


def _fixed64(number: int, value: int) -> bytes:
    return _varint(number << 3 | 1) + value.to_bytes(8, "little")


def _packet(*fields: bytes) -> bytes:
    return _field(1, b"".join([*fields, _field(10, _SEQUENCE)]))  # Trace.packet, trusted_packet_sequence_id


def _track(uuid: int, pid: int, name: str) -> bytes:
    process = _field(1, pid) + _field(6, name)  # ProcessDescriptor.pid, process_name
    return _packet(_field(60, _field(1, uuid) + _field(2, name) + _field(3, process)))  # TrackDescriptor


def _event(time: float, kind: int, track: int, name: str = "", text: str = "", flow: int = 0) -> bytes:
    body = _field(9, kind) + _field(11, track)  # type, track_uuid
    if name:
        body += _field(23, name)
    if text:
        body += _field(4, _field(10, "what") + _field(6, text))  # DebugAnnotation: name, string_value
    if flow:
        body += _fixed64(47, flow)  # flow_ids
    return _packet(_field(8, round(time * 1e9)), _field(11, body))  # timestamp, track_event


def packets(events: Iterable[Event]) -> Iterator[bytes]:
    """The trace, piece by piece."""
    tracks: dict[str, int] = {}
    down: dict[str, int] = {}
    flows: dict[tuple[str, str], list[int]] = {}
    number = 0
    last = 0.0
    for event in events:
        last = event.time
        host = event.host or "the world"
        track = tracks.get(host)
        if track is None:
            track = tracks[host] = len(tracks) + 1
            yield _track(track, track, host)
        flow = 0
        if event.kind == "send":
            number += 1
            flow = number
            flows.setdefault(_ends(event.text), []).append(flow)
        elif event.kind == "receive":
            sent = flows.get(_ends(event.text, turned=" (UDP)" not in event.text))
            flow = sent.pop(0) if sent else 0
        if event.kind in _BACK and host in down:
            yield _event(event.time, _END, down.pop(host))
        size = f" {event.size} bytes" if event.size else ""
        yield _event(event.time, _INSTANT, track, event.kind, f"{event.text}{size}", flow)
        if event.kind in _STATES and host not in down:
            down[host] = track
            yield _event(event.time, _BEGIN, track, _STATES[event.kind])
    for track in down.values():
        yield _event(last, _END, track)


def _ends(text: str, turned: bool = False) -> tuple[str, str]:
    """The two ends of a connection, as `a > b` names them, from the sender's side."""
    first, _, second = text.removesuffix(" (UDP)").partition(" > ")
    return (second, first) if turned else (first, second)


def write(events: Iterable[Event], path: str | os.PathLike[str]) -> None:
    """Write them to the file `path`."""
    with open(path, "wb") as file:
        file.writelines(packets(events))
