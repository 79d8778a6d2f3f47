"""The log of a run as a trace for Perfetto, read by this file's own reader and by Perfetto's."""

import pytest

from hubcore import sleep, socket
from tests.simulation.worlds import echo, here


def fields(data):
    """The fields of a protobuf message: number and value."""
    found, at = [], 0

    def varint():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        tag = varint()
        if tag & 7 == 0:
            value = varint()
        elif tag & 7 == 1:
            value = data[at : at + 8]
            at += 8
        else:
            size = varint()
            value = data[at : at + size]
            at += size
        found.append((tag >> 3, value))
    return found


def exported(path):
    """Write the trace of a run with a connection and a pause; what the log of the run was."""

    def main(simulation):
        host = simulation.host("db", echo)
        with socket.create_connection(("db", 7)) as connection:
            connection.sendall(b"x")
            connection.recv(1)
        host.pause()
        sleep(1)
        host.resume()
        simulation.note("the end")
        simulation.log.export(path)
        return list(simulation.log)

    return here(main)


def test_the_log_as_a_trace_for_perfetto(tmp_path):
    exported(tmp_path / "run.pftrace")
    packets = [dict(fields(value)) for number, value in fields((tmp_path / "run.pftrace").read_bytes()) if number == 1]
    tracks = {dict(fields(packet[60]))[2].decode() for packet in packets if 60 in packet}
    assert {"test", "db"} <= tracks
    events = [(packet[8], dict(fields(packet[11]))) for packet in packets if 11 in packet]
    assert [time for time, _ in events] == sorted(time for time, _ in events)
    names = [event[23].decode() for _, event in events if 23 in event]
    assert {"connect", "send", "receive", "pause", "paused"} <= set(names)
    flows = [event[47] for _, event in events if 47 in event]
    assert len(flows) >= 4
    assert all(flows.count(flow) == 2 for flow in flows)  # an arrow has a beginning and an end
    assert sum(event[9] == 1 for _, event in events) == sum(event[9] == 2 for _, event in events) == 1


def test_perfettos_own_reader_reads_it(tmp_path):
    """The classes that Perfetto's package makes of its protocol; parsing is strict about wire types."""
    protos = pytest.importorskip(
        "perfetto.protos.perfetto.trace.perfetto_trace_pb2", reason="perfetto is not installed"
    )
    log = exported(tmp_path / "run.pftrace")
    trace = protos.Trace.FromString((tmp_path / "run.pftrace").read_bytes())
    assert not trace.FindInitializationErrors()
    tracks = {
        packet.track_descriptor.uuid: packet.track_descriptor
        for packet in trace.packet
        if packet.HasField("track_descriptor")
    }
    assert {track.process.process_name for track in tracks.values()} == {event.host or "the world" for event in log}
    events = [packet for packet in trace.packet if packet.HasField("track_event")]
    Type = protos.TrackEvent.Type
    instants = [packet for packet in events if packet.track_event.type == Type.TYPE_INSTANT]
    assert [
        (packet.timestamp, tracks[packet.track_event.track_uuid].name, packet.track_event.name) for packet in instants
    ] == [(round(event.time * 1e9), event.host or "the world", event.kind) for event in log]
    slices = [packet.track_event.type for packet in events if packet.track_event.type != Type.TYPE_INSTANT]
    assert slices == [Type.TYPE_SLICE_BEGIN, Type.TYPE_SLICE_END]
    flows = [flow for packet in events for flow in packet.track_event.flow_ids]
    assert flows
    assert all(flows.count(flow) == 2 for flow in flows)
    notes = [
        packet.track_event.debug_annotations[0].string_value for packet in instants if packet.track_event.name == "note"
    ]
    assert notes == ["the end"]
