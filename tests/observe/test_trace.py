"""Recordings: what is in them is what happened, and the files are what their readers expect."""

import json
import os
import subprocess
import sys
import threading
from itertools import pairwise

import pytest

import hubcore
from hubcore import sleep, spawn, trace
from hubcore._observe import recorder
from hubcore._observe.timeline import read
from hubcore.cli import main
from hubcore.lock import Semaphore
from hubcore.queue import Queue
from hubcore.testing import run_python
from tests.support.running import running

WORK = """
import hubcore
from hubcore.queue import Queue
there, back = Queue(), Queue()
def pong():
    while True:
        back.put(there.get())
def ping():
    while True:
        there.put(1)
        back.get()
        hubcore.sleep(0.002)
hubcore.spawn(pong)
hubcore.spawn(ping)
hubcore.spawn(print, "ready", flush=True)
io = hubcore.get_hub().loop.io(0, 1)
hubcore.get_hub().wait(io)
"""


@pytest.fixture
def timeline_of(hub):
    """Run a function, recorded; return the timeline of this hub."""

    def record(function):
        recording = recorder.Recording()
        recording.start()
        try:
            function()
        finally:
            recording.stop()
        timeline = read(recording.dump())
        (own,) = [each for each in timeline.hubs if each.thread == hub.thread_ident]
        return own

    return record


def ping_pong(rounds=5):
    there, back = Queue(), Queue()

    def pong():
        for _ in range(rounds):
            back.put(there.get())

    def ping():
        for number in range(rounds):
            there.put(number)
            back.get()

    hubcore.joinall([spawn(pong), spawn(ping)])


def test_waits_wakers_and_names_are_the_true_ones(timeline_of):
    hub = timeline_of(ping_pong)
    by_name = {life.name.rpartition(".")[2]: life for life in hub.lives.values()}
    ping, pong = by_name["ping"], by_name["pong"]
    assert {span.wait for span in ping.spans if span.state == "blocked"} == {"get from Queue"}
    assert len([span for span in pong.spans if span.state == "blocked"]) >= 4
    wakes = {(waker, woken) for _, waker, woken in hub.wakes}
    assert {(ping.number, pong.number), (pong.number, ping.number)} <= wakes
    assert ping.site.startswith("ping_pong test_trace.py:")
    assert ping.end is not None
    main = by_name["main"]
    assert main.end is None
    assert ping.by == main.number


def test_times_add_up_and_one_runs_at_a_time(timeline_of):
    def work():
        lock = Semaphore(1)

        def locked():
            for _ in range(3):
                with lock:
                    sleep(0.001)
                sum(range(1000))

        hubcore.joinall([spawn(locked) for _ in range(5)])

    hub = timeline_of(work)
    for life in hub.lives.values():
        assert life.spans
        for before, after in pairwise(life.spans):
            assert before.end == after.begin
            assert before.state != after.state
        if life.end is not None:
            assert life.spans[-1].end == life.end
            assert life.spans[0].state == "ready"
    running = hub.running()
    for (before, _), (after, _) in pairwise(running):
        assert before.end <= after.begin
    assert hub.polls
    assert all(begin <= end for begin, end, _ in hub.polls)


def test_marks_and_regions(timeline_of):
    def work():
        def inner():
            with trace.region("outer"):
                trace.mark("here")
                with trace.region("inner"):
                    sleep(0.001)

        spawn(inner).join()

    hub = timeline_of(work)
    assert [text for _, _, text in hub.marks] == ["here"]
    spans = {text: (begin, end) for begin, end, _, text in hub.regions}
    assert spans["outer"][0] <= spans["inner"][0] < spans["inner"][1] <= spans["outer"][1]
    trace.mark("nothing records it")
    with pytest.raises(TypeError, match="must be a str, not 3"):
        trace.mark(3)


def test_greenlets_that_exist_already_are_in_it_with_what_they_wait_for(hub, timeline_of):
    one = spawn(sleep, 0.01)
    sleep(0)
    timeline = timeline_of(one.join)
    life = timeline.lives[one.serial]
    assert [(span.state, span.wait) for span in life.spans] == [("blocked", "sleep"), ("ready", ""), ("running", "")]
    assert life.end is not None


def test_hubs_of_threads_that_begin_later_are_in_it(hub):
    recording = recorder.Recording()
    recording.start()
    try:

        def run():
            spawn(sleep, 0).join()
            hubcore.get_hub().destroy()

        thread = threading.Thread(target=run, name="later")
        thread.start()
        thread.join()
    finally:
        recording.stop()
    names = [each["name"] for each in recording.dump()["hubs"]]
    assert "later" in names


def test_a_full_ring_drops_the_latest_and_counts_them_and_a_flight_recorder_the_oldest(hub):
    for wraps in (False, True):
        recording = recorder.Recording(1 << 16, wraps=wraps)
        recording.start()
        ping_pong(2000)
        trace.mark("the last")
        recording.stop()
        timeline = read(recording.dump())
        (own,) = [each for each in timeline.hubs if each.thread == hub.thread_ident]
        assert own.dropped > 0
        assert [text for _, _, text in own.marks] == (["the last"] if wraps else [])


def test_the_perfetto_file_by_perfettos_own_classes(hub, tmp_path):
    protos = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    path = tmp_path / "out.pftrace"
    with trace.recording(path):
        ping_pong()
        with trace.region("a\nregion"):
            sleep(0.001)
    assert os.stat(path).st_mode & 0o777 == 0o600
    read_back = protos.Trace()
    read_back.ParseFromString(path.read_bytes())
    tracks = {
        each.track_descriptor.uuid: each.track_descriptor
        for each in read_back.packet
        if each.HasField("track_descriptor")
    }
    names = [each.name for each in tracks.values()]
    assert "hub main" in names
    assert any("ping spawned at" in name for name in names)
    for each in tracks.values():
        assert each.parent_uuid in (0, *tracks)
    open_slices = dict.fromkeys(tracks, 0)
    flows = {}
    slices = []
    events = sorted(
        (each for each in read_back.packet if each.HasField("track_event")), key=lambda each: each.timestamp
    )
    for each in events:
        event = each.track_event
        assert event.track_uuid in tracks
        if event.type == event.TYPE_SLICE_BEGIN:
            slices.append(event.name)
            open_slices[event.track_uuid] += 1
        elif event.type == event.TYPE_SLICE_END:
            open_slices[event.track_uuid] -= 1
        for flow in event.flow_ids:
            flows.setdefault(flow, set()).add(event.track_uuid)
    assert set(open_slices.values()) == {0}
    assert {"running", "ready", "get from Queue", "a\\nregion"} <= set(slices)
    assert len([1 for ends in flows.values() if len(ends) == 2]) >= 5
    cut = protos.Trace()
    data = path.read_bytes()
    end = len(data)
    while end > len(data) // 2:  # up to any packet
        try:
            cut.ParseFromString(data[:end])
            break
        except Exception:
            end -= 1
    assert len(cut.packet) > len(read_back.packet) // 3


def test_the_chrome_file_and_the_folded_stacks(hub, tmp_path):
    for suffix in ("json", "folded"):
        with trace.recording(tmp_path / f"out.{suffix}"):
            ping_pong()
            sleep(0.002)
    events = json.loads((tmp_path / "out.json").read_text())["traceEvents"]
    assert {"M", "X", "s", "f"} <= {each["ph"] for each in events}
    assert all(each["dur"] >= 0 for each in events if each["ph"] == "X")
    lines = dict(line.rsplit(" ", 1) for line in (tmp_path / "out.folded").read_text().splitlines())
    assert any(stack.endswith("get from Queue") for stack in lines)
    slept = [int(spent) for stack, spent in lines.items() if stack.endswith(";sleep")]
    assert slept
    if hub.loop.name != "virtual":
        assert max(slept) >= 1000


class TestBadInput:
    def test_suffix_folder_and_size(self, tmp_path):
        with pytest.raises(ValueError, match=r"must be one of \.pftrace, \.json, \.folded"):
            trace.start(tmp_path / "out.txt")
        with pytest.raises(FileNotFoundError, match=r"the folder of .* does not exist"):
            trace.start(tmp_path / "no" / "out.json")
        with pytest.raises(ValueError, match="max_bytes must be a number of 65,536 bytes or more, not 10"):
            trace.start(tmp_path / "out.json", max_bytes=10)
        with pytest.raises(ValueError, match="max_bytes"):
            trace.FlightRecorder("many")
        assert recorder.current() is None

    def test_one_at_a_time(self, hub, tmp_path):
        with pytest.raises(RuntimeError, match="no recording runs"):
            trace.stop()
        with trace.recording(tmp_path / "out.json"):
            with pytest.raises(RuntimeError, match="runs already"):
                trace.start(tmp_path / "other.json")
            with pytest.raises(RuntimeError, match="runs already"):
                trace.FlightRecorder().start()
        assert (tmp_path / "out.json").exists()
        assert not (tmp_path / "other.json").exists()
        assert hub.ready.observer is None

    def test_the_command(self, tmp_path, capsys):
        assert main(["trace", "1", "-o", str(tmp_path / "out.txt")]) == 2
        assert "must be one of" in capsys.readouterr().err
        assert main(["trace", "1", "-o", str(tmp_path / "no" / "out.json")]) == 2
        assert "does not exist" in capsys.readouterr().err
        with pytest.raises(SystemExit):
            main(["trace", "1", "-o", "x.json", "--seconds", "0"])
        assert "above 0" in capsys.readouterr().err


def test_a_flight_recorder_writes_and_goes_on(hub, tmp_path):
    flight = trace.FlightRecorder(1 << 16)
    with pytest.raises(RuntimeError, match="does not run"):
        flight.write(tmp_path / "out.json")
    flight.start()
    for name in ("one.json", "two.json"):
        ping_pong()
        flight.write(tmp_path / name)
    flight.stop()
    flight.stop()
    assert (tmp_path / "two.json").stat().st_size > (tmp_path / "one.json").stat().st_size > 1000


def test_a_block_that_raises_is_written_too(hub, tmp_path):
    with pytest.raises(LookupError), trace.recording(tmp_path / "out.json"):
        raise LookupError
    assert (tmp_path / "out.json").exists()


def test_a_forked_child_does_not_record(hub_backend, tmp_path):
    code = f"""
    import os, hubcore
    from hubcore import trace
    from hubcore._observe import recorder
    with trace.recording({str(tmp_path / "out.json")!r}):
        hubcore.spawn(hubcore.sleep, 0).join()
        pid = os.fork()
        if pid == 0:
            hubcore.spawn(hubcore.sleep, 0).join()
            print("child", recorder.current(), hubcore.get_hub().ready.observer, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        hubcore.spawn(hubcore.sleep, 0).join()
    print("parent", os.path.getsize({str(tmp_path / "out.json")!r}) > 1000)
    """
    assert run_python(code, hub_backend).stdout == "child None None\nparent True\n"


def test_a_running_process_is_recorded_from_outside_and_goes_on(hub_backend, tmp_path, capsys):
    path = tmp_path / "out.json"
    with running(WORK, hub_backend) as child:
        assert main(["trace", str(child.pid), "-o", str(path), "--seconds", "0.2"]) == 0
        assert f"wrote {path}" in capsys.readouterr().out
        assert main(["trace", str(child.pid), "-o", str(path), "--seconds", "0.1"]) == 0
        child.stdin.write("x")
        child.stdin.flush()
        assert child.wait() == 0
    names = {each["name"] for each in json.loads(path.read_text())["traceEvents"]}
    assert {"running", "get from Queue", "sleep"} <= names


def test_the_command_run_records_a_whole_program(hub_backend, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys, hubcore\n"
        "os.chdir('/')\n"
        "hubcore.spawn(hubcore.sleep, 0.001).join()\n"
        "if os.fork() == 0:\n"
        "    sys.exit(0)\n"
        "os.wait()\n"
        "print(sys.argv)\n"
        "sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "hubcore", "run", "--trace", "out.json", "program.py", "--trace", "x"],
        cwd=tmp_path,
        env={**os.environ, "HUB_BACKEND": hub_backend, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "['program.py', '--trace', 'x']\n"), done.stderr
    names = {each["name"] for each in json.loads((tmp_path / "out.json").read_text())["traceEvents"]}
    assert {"running", "sleep"} <= names
    assert main(["run", "--trace", "out.txt", str(program)]) == 2
