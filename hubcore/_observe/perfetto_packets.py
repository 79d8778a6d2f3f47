"""Packets of a Perfetto trace (ui.perfetto.dev), written field by field.

Fact: a trace file is one protobuf message, perfetto.protos.Trace, a list of TracePackets; a reader takes unknown fields
as absent, and a file that was cut short opens up to the cut. The numbers are those of
protos/perfetto/trace/trace_packet.proto and track_event/*.proto.
"""

from __future__ import annotations

_SEQUENCE = 1
#: TrackEvent.Type
BEGIN, END, INSTANT = 1, 2, 3


def varint(number: int) -> bytes:
    """Return `number`, 0 or more, as a varint."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def field(number: int, value: int | str | bytes) -> bytes:
    """Return a field: a varint for an int, else the length and the bytes; text that is no UTF-8 is escaped."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode(errors="backslashreplace") if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fixed64(number: int, value: int) -> bytes:
    """Return a field of 64 bits."""
    return varint(number << 3 | 1) + value.to_bytes(8, "little")


def packet(*fields: bytes) -> bytes:
    """Return one packet of the trace."""
    return field(1, b"".join([*fields, field(10, _SEQUENCE)]))  # Trace.packet, trusted_packet_sequence_id


def process_track(uuid: int, pid: int, name: str) -> bytes:
    """Return the packet that describes the track of a process."""
    process = field(1, pid) + field(6, name)  # ProcessDescriptor.pid, process_name
    return packet(field(60, field(1, uuid) + field(2, name) + field(3, process)))  # TrackDescriptor


def track(uuid: int, parent: int, name: str) -> bytes:
    """Return the packet that describes a track below the track `parent`."""
    return packet(field(60, field(1, uuid) + field(2, name) + field(5, parent)))  # parent_uuid


def event(
    nanoseconds: int, kind: int, track_uuid: int, name: str = "", flow: int = 0, notes: dict[str, str] | None = None
) -> bytes:
    """Return the packet of an event on a track; events with the same `flow`, if not 0, are joined by an arrow."""
    body = field(9, kind) + field(11, track_uuid)  # type, track_uuid
    if name:
        body += field(23, name)
    for key, text in (notes or {}).items():
        body += field(4, field(10, key) + field(6, text))  # DebugAnnotation: name, string_value
    if flow:
        body += fixed64(47, flow)  # flow_ids
    return packet(field(8, nanoseconds), field(11, body))  # timestamp, track_event
