"""Watching fds with callbacks: level-triggered, several watchers on one, READ, WRITE or both."""

from __future__ import annotations

import os
import socket

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hubcore.loop import Loop
    from hubcore.watchers import Io

    Pair = tuple[socket.socket, socket.socket]

READ, WRITE, BOTH = 1, 2, 3


def passes(loop: Loop, number: int = 1) -> None:
    """Run `number` passes that look and do not sleep, and the callbacks that each makes ready."""
    for _ in range(number):
        loop.ref()
        loop.run(nowait=True)
        loop.unref()


def test_a_watcher_is_made_stopped(loop: Loop, pair: Pair) -> None:
    io = loop.io(pair[0].fileno(), BOTH)
    assert not io.active
    assert not io.pending
    assert not loop.alive()


def test_a_readable_fd_is_reported_at_every_pass_until_it_is_read(loop: Loop, pair: Pair) -> None:
    ours, theirs = pair
    seen: list[str] = []
    with loop.io(ours.fileno(), READ) as io:
        io.start(seen.append, "readable")
        passes(loop, 3)
        assert seen == []
        theirs.send(b"xy")
        passes(loop, 3)
        assert seen == ["readable"] * 3
        ours.recv(1)
        passes(loop)
        assert len(seen) == 4
        ours.recv(1)
        passes(loop, 3)
        assert len(seen) == 4


def test_a_full_socket_is_writable_only_when_it_is_read(
    loop: Loop, pair: Pair, fill: Callable[[socket.socket], None], drain: Callable[[socket.socket], None]
) -> None:
    ours, theirs = pair
    fill(ours)
    seen: list[str] = []
    with loop.io(ours.fileno(), WRITE) as io:
        io.start(seen.append, "writable")
        passes(loop, 3)
        assert seen == []
        drain(theirs)
        passes(loop, 2)
        assert seen == ["writable"] * 2


def test_events_come_first_if_asked_for(
    loop: Loop, pair: Pair, fill: Callable[[socket.socket], None], drain: Callable[[socket.socket], None]
) -> None:
    ours, theirs = pair
    seen: list[tuple[int, str]] = []
    with loop.io(ours.fileno(), BOTH) as io:
        io.start(lambda events, word: seen.append((events, word)), "word", pass_events=True)
        passes(loop)
        theirs.send(b"x")
        passes(loop)
        fill(ours)
        passes(loop)
        ours.recv(1)
        passes(loop)
    assert seen == [(WRITE, "word"), (BOTH, "word"), (READ, "word")]


def test_the_end_of_a_stream_is_readable(loop: Loop, pair: Pair) -> None:
    ours, theirs = pair
    seen: list[int] = []
    with loop.io(ours.fileno(), READ) as io:
        io.start(seen.append, pass_events=True)
        theirs.close()
        passes(loop, 2)
    assert seen == [READ, READ]


def test_a_pipe_without_a_reader_is_writable(loop: Loop) -> None:
    """So that whoever waits to write gets its BrokenPipeError."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    seen: list[str] = []
    try:
        while True:
            os.write(write, b"x" * 65536)
    except BlockingIOError:
        pass
    with loop.io(write, WRITE) as io:
        io.start(seen.append, "writable")
        passes(loop)
        assert seen == []
        os.close(read)
        passes(loop)
        assert seen == ["writable"]
    os.close(write)


def test_all_watchers_of_an_fd_are_called_for_what_they_watch(loop: Loop, pair: Pair) -> None:
    ours, theirs = pair
    seen: list[tuple[str, int]] = []
    watchers: dict[str, Io] = {}
    for name, events in (("r1", READ), ("r2", READ), ("w", WRITE), ("rw", BOTH)):
        watchers[name] = loop.io(ours.fileno(), events)
        watchers[name].start(lambda events, name: seen.append((name, events)), name, pass_events=True)
    passes(loop)
    assert sorted(seen) == [("rw", WRITE), ("w", WRITE)]
    theirs.send(b"x")
    seen.clear()
    passes(loop)
    assert sorted(seen) == [("r1", READ), ("r2", READ), ("rw", BOTH), ("w", WRITE)]
    watchers["rw"].stop()
    watchers["w"].stop()
    watchers["r1"].close()
    seen.clear()
    passes(loop)
    assert seen == [("r2", READ)]
    watchers["r2"].stop()
    seen.clear()
    passes(loop)
    assert seen == []
    assert loop.fd_watches == {}


def test_a_watcher_that_a_callback_stops_in_the_same_pass_is_not_called(loop: Loop, pair: Pair) -> None:
    ours, theirs = pair
    ios = [loop.io(ours.fileno(), WRITE), loop.io(theirs.fileno(), WRITE), loop.io(theirs.fileno(), BOTH)]
    seen: list[int] = []

    def stop_the_others(me: int) -> None:
        seen.append(me)
        for other, io in enumerate(ios):
            if other != me:
                io.stop()

    for number, io in enumerate(ios):
        io.start(stop_the_others, number)
    passes(loop)
    assert len(seen) == 1
    ios[seen[0]].stop()


def test_a_watcher_can_be_stopped_and_started_again_with_another_callback(loop: Loop, pair: Pair) -> None:
    seen: list[str] = []
    io = loop.io(pair[0].fileno(), WRITE)
    io.start(seen.append, "first")
    io.start(seen.append, "second")
    passes(loop)
    io.stop()
    io.stop()
    passes(loop)
    io.start(seen.append, "third")
    passes(loop)
    io.close()
    io.close()
    assert seen == ["second", "third"]
    with pytest.raises(ValueError, match="closed"):
        io.start(seen.append, "fourth")


def test_hundreds_of_fds_are_all_reported_in_a_few_passes(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(200)]
    seen: set[int] = set()
    ios = [loop.io(ours.fileno(), READ) for ours, _ in pairs]
    for io in ios:
        io.start(seen.add, io.fd)
    for _, theirs in pairs:
        theirs.send(b"x")
    passes(loop, 10)
    assert seen == {io.fd for io in ios}
    for io in ios:
        io.close()
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def test_a_regular_file_is_always_ready(loop: Loop, tmp_path: Path) -> None:
    with open(tmp_path / "file", "w+b") as file:
        seen: list[int] = []
        with loop.io(file.fileno(), READ) as reading, loop.io(file.fileno(), BOTH) as both:
            reading.start(seen.append, pass_events=True)
            passes(loop, 2)
            assert seen == [READ, READ]
            both.start(seen.append, pass_events=True)
            loop.run(once=True)  # one that may sleep, and must not
            assert sorted(seen) == [READ, READ, READ, BOTH]
        passes(loop)
        assert len(seen) == 4


def test_watching_leaves_the_fd_blocking_or_not_as_it_was(loop: Loop, pair: Pair) -> None:
    for blocking in (True, False):
        pair[0].setblocking(blocking)
        with loop.io(pair[0].fileno(), READ) as io:
            io.start(print)
            passes(loop)
            assert os.get_blocking(pair[0].fileno()) is blocking


def test_a_watcher_without_ref_does_not_keep_the_loop_alive(loop: Loop, pair: Pair) -> None:
    seen: list[str] = []
    with loop.io(pair[0].fileno(), READ, ref=False) as io:
        io.start(seen.append, "readable")
        assert not loop.alive()
        loop.run()  # returns
        io.ref = True
        assert loop.alive()
        io.ref = False
        assert not loop.alive()
        io.ref = True
        io.stop()
        assert not loop.alive()
    assert seen == []


@pytest.mark.parametrize("events", [0, 4, -1, 7, "r", None])
def test_events_other_than_1_2_and_3_are_refused(loop: Loop, events: int) -> None:
    with pytest.raises(ValueError, match="events"):
        loop.io(0, events)


@pytest.mark.parametrize("fd", [-1, "0", None, 1.5])
def test_what_is_no_fd_is_refused(loop: Loop, fd: int) -> None:
    with pytest.raises(ValueError, match="fd"):
        loop.io(fd, READ)


def test_a_callback_that_cannot_be_called_is_refused(loop: Loop, pair: Pair) -> None:
    io = loop.io(pair[0].fileno(), READ)
    with pytest.raises(TypeError, match="callable"):
        io.start(5)  # type: ignore[arg-type]
    assert not io.active
