"""Watching fds with callbacks: level-triggered, several watchers on one, READ, WRITE or both."""

from __future__ import annotations

import os
import socket

import pytest

from hubcore.testing.conformance.conftest import join, when_polling

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
    """A backend must watch nothing before the first `set_mask`."""
    io = loop.io(pair[0].fileno(), BOTH)
    assert not io.active
    assert not io.pending
    assert not loop.alive()


def test_a_readable_fd_is_reported_at_every_pass_until_it_is_read(loop: Loop, pair: Pair) -> None:
    """A backend must be level-triggered: it reports a readable fd at each poll until the data is read."""
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


def test_an_event_ends_a_sleep(loop: Loop, pair: Pair) -> None:
    """A backend must return from a sleep when a watched fd becomes ready."""
    ours, theirs = pair
    seen: list[str] = []
    with loop.io(ours.fileno(), READ) as io, loop.timer(3600.0, ref=False) as timer:
        io.start(seen.append, "readable")
        timer.start(pytest.fail, "the event came too late")
        loop.begin_external()  # real time passes, on a clock that jumps, too
        sender = when_polling(loop, lambda: theirs.send(b"x"))
        loop.run(once=True)
        loop.end_external()
    join(sender)
    assert seen == ["readable"]


def test_a_stopped_watcher_lets_the_loop_sleep(loop: Loop, pair: Pair) -> None:
    """A backend must unregister an fd in `release`: a ready one that is not watched any more wakes nothing."""
    ours, theirs = pair
    theirs.send(b"x")
    with loop.io(ours.fileno(), READ) as io:
        io.start(lambda: None)
        passes(loop)
        io.stop()
        number = 0
        seen: list[str] = []
        with loop.timer(0.02) as timer:
            timer.start(seen.append, "due")
            while not seen:
                number += 1
                loop.run(once=True)
    assert number < 100


def test_a_full_socket_is_writable_only_when_it_is_read(
    loop: Loop, pair: Pair, fill: Callable[[socket.socket], None], drain: Callable[[socket.socket], None]
) -> None:
    """A backend must report WRITE only while the kernel would take data."""
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
    """A backend must report exactly the events that are there: READ, WRITE, or both in one call of `on_event`."""
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
    """A backend must report the end of a stream as READ, at each poll."""
    ours, theirs = pair
    seen: list[int] = []
    with loop.io(ours.fileno(), READ) as io:
        io.start(seen.append, pass_events=True)
        theirs.close()
        passes(loop, 2)
    assert seen == [READ, READ]


def test_a_pipe_without_a_reader_is_writable(loop: Loop) -> None:
    """A backend must report an fd in an error state as ready, so that the waiter's own call raises (here
    BrokenPipeError)."""
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
    """A backend must follow each change of the mask while several watchers share an fd."""
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
    """A backend must only call `on_event`, and call no callback itself: one that is stopped in the same pass must
    not run."""
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
    """A backend must allow stop and start of a watcher at any time between two polls."""
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
    """A backend must report all ready fds within a few polls, however many there are."""
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
    """A backend must report a regular file as ready at each poll, also where the kernel refuses to watch it, and
    must not sleep meanwhile."""
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
    """A backend must leave the fd's O_NONBLOCK flag as it was."""
    for blocking in (True, False):
        pair[0].setblocking(blocking)
        with loop.io(pair[0].fileno(), READ) as io:
            io.start(print)
            passes(loop)
            assert os.get_blocking(pair[0].fileno()) is blocking


def test_a_watcher_without_ref_does_not_keep_the_loop_alive(loop: Loop, pair: Pair) -> None:
    """A backend must leave the count of references to the watchers."""
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
    """A backend must leave the check of events to the loop: ValueError for anything but 1, 2 and 3."""
    with pytest.raises(ValueError, match="events"):
        loop.io(0, events)


@pytest.mark.parametrize("fd", [-1, "0", None, 1.5])
def test_what_is_no_fd_is_refused(loop: Loop, fd: int) -> None:
    """A backend must leave the check of the fd's number to the loop: ValueError for what is none."""
    with pytest.raises(ValueError, match="fd"):
        loop.io(fd, READ)


def test_a_callback_that_cannot_be_called_is_refused(loop: Loop, pair: Pair) -> None:
    """A backend must leave the check of callbacks to the watcher: TypeError, and the watcher stays stopped."""
    io = loop.io(pair[0].fileno(), READ)
    with pytest.raises(TypeError, match="callable"):
        io.start(5)  # type: ignore[arg-type]
    assert not io.active
