"""Fds that are not open, that are closed while they are watched, and whose number is given to another file."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from hubcore._core.waiter import Waiter
from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.testing.conformance.test_io import BOTH, READ, WRITE, passes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.loop import Loop
    from hubcore.testing.conformance.conftest import Child

    Pair = tuple[socket.socket, socket.socket]


def waiter_of(loop: Loop) -> Waiter:
    """A waiter of this greenlet, which never parks with it."""
    import greenlet

    return Waiter(loop.ready, greenlet.getcurrent(), "a test", 0.0)


@pytest.mark.parametrize("events", [READ, WRITE, BOTH])
def test_an_fd_that_is_not_open_is_refused_at_start(loop: Loop, pair: Pair, events: int) -> None:
    """A backend must raise OSError (EBADF) in `set_mask` for an fd that is not open, and be as good as before."""
    ours, theirs = socket.socketpair()
    fd = ours.fileno()
    ours.close()
    theirs.close()
    io = loop.io(fd, events)
    with pytest.raises(OSError) as caught:
        io.start(print)
    assert caught.value.errno == errno.EBADF
    assert not io.active
    assert not loop.alive()
    with pytest.raises(OSError) as caught:
        io.attach(waiter_of(loop))
    assert caught.value.errno == errno.EBADF
    assert loop.fd_watches == {}
    # The loop is as good as before.
    seen: list[str] = []
    with loop.io(pair[0].fileno(), WRITE) as good:
        good.start(seen.append, "writable")
        passes(loop)
    assert seen == ["writable"]


@pytest.mark.parametrize("told", [True, False], ids=["after a pass", "at once"])
def test_an_fd_closed_behind_the_loops_back_disturbs_nobody_else(loop: Loop, pair: Pair, told: bool) -> None:
    """A backend must survive a watched fd that is closed without a word, and must report all other fds as before."""
    lost, theirs = socket.socketpair()
    seen: list[str] = []
    with loop.io(pair[0].fileno(), WRITE) as good, loop.io(lost.fileno(), READ) as bad:
        good.start(seen.append, "writable")
        bad.start(lambda: None)
        if told:
            passes(loop)
        seen.clear()
        lost.close()
        passes(loop, 3)
        assert seen == ["writable"] * 3
        bad.stop()
        passes(loop)
        assert len(seen) == 4
        with pytest.raises((OSError, ValueError)):
            bad.start(print)
    theirs.close()


def test_a_closed_fd_is_not_reported_once_only(loop: Loop) -> None:
    """A backend must not end one wait for an fd that was closed before the poll, and leave the next one asleep.

    Where the kernel had been told of the fd, it forgets it without a word, and no wait ends. Where it had not, the
    backend finds the fd closed: it reports events at each poll, or calls `closing_fd` (EBADF). One event alone would
    leave the next waiter asleep for ever, because the watcher is still on and the backend is not asked again.
    """
    lost, theirs = socket.socketpair()
    io = loop.io(lost.fileno(), READ)
    waiter = first = waiter_of(loop)
    io.attach(waiter)
    lost.close()
    theirs.close()
    for _ in range(3):
        loop.run_pass(False)
        if not waiter.ended:
            assert waiter is first, "the first wait ended, and the next one did not"
            break
        waiter = waiter_of(loop)
        try:
            io.attach(waiter)
        except (OSError, ValueError):
            break
    io.close()
    while loop.ready.pop() is not None:
        pass


@pytest.mark.parametrize("told", [True, False], ids=["after a pass", "at once"])
@pytest.mark.parametrize("stopped", [True, False], ids=["stopped before", "still on"])
def test_a_number_that_another_socket_got_is_watched_anew(loop: Loop, pair: Pair, told: bool, stopped: bool) -> None:
    """A backend must ask the kernel anew at each `set_mask`: the number may stand for another file by now."""
    ours, theirs = pair
    lost, other = socket.socketpair()
    fd = lost.fileno()
    seen: list[str] = []
    with loop.io(fd, READ) as old:
        old.start(lambda: None)
        if told:
            passes(loop)
        if stopped:
            old.stop()
        os.dup2(ours.fileno(), fd)  # closes what was there
        with loop.io(fd, READ) as new:
            new.start(seen.append, "readable")
            passes(loop)
            assert seen == []
            theirs.send(b"x")
            passes(loop, 2)
            assert seen
    lost.close()
    other.close()


@pytest.mark.parametrize("closed", ["while it is watched", "and then stopped", "and never seen ready"])
def test_a_file_that_outlives_its_number_lets_the_loop_sleep(loop: Loop, pair: Pair, closed: str) -> None:
    """A backend must sleep on where a file was closed that a duplicate keeps open: a kernel object that is not asked to
    forget the number before may report it at each poll, and cannot be asked any more."""
    ours, theirs = pair
    number = os.dup(ours.fileno())
    due: list[str] = []
    polls = 0
    with loop.io(number, READ) as io:
        io.start(lambda: None)
        passes(loop)
        os.close(number)
        if closed == "and then stopped":
            io.stop()
        theirs.send(b"x")
        if closed == "while it is watched":
            passes(loop, 3)
        io.stop()
        with loop.timer(0.05) as timer:
            timer.start(due.append, "due")
            while not due:
                polls += 1
                loop.run(once=True)
    assert polls < 25


def test_a_number_that_a_regular_file_got_is_no_disaster(child: Child) -> None:
    """A backend must survive that a watched number becomes a regular file's. In a process of its own: a C library
    may abort it."""
    printed = child(
        """
        import os, socket, tempfile
        from hubcore.backends import loop_class

        loop = loop_class()()
        for told in (True, False):
            ours, theirs = socket.socketpair()
            io = loop.io(ours.fileno(), 1)
            io.start(print, "an event of the old watcher")
            if told:
                loop.run(nowait=True)
            with tempfile.TemporaryFile() as file:
                os.dup2(file.fileno(), ours.fileno())
                loop.run(nowait=True)
                with loop.io(ours.fileno(), 1) as new:
                    new.start(print, "new", told)
                    io.close()
                    loop.run(nowait=True)
            ours.close()
            theirs.close()
        loop.close()
        """,
    )
    assert {"new True", "new False"} <= set(printed.splitlines())


def test_closing_fd_closes_its_watchers_and_says_whether_there_were_any(loop: Loop, pair: Pair) -> None:
    """A backend must release an fd at `closing_fd`: nothing is watched or reported afterwards."""
    fd = pair[0].fileno()
    assert loop.closing_fd(fd) is False
    ios = [loop.io(fd, READ), loop.io(fd, WRITE), loop.io(fd, BOTH)]
    for io in ios:
        io.start(pytest.fail, "called after closing_fd")
    assert loop.closing_fd(fd) is True
    assert [io.active for io in ios] == [False] * 3
    assert loop.fd_watches == {}
    assert not loop.alive()
    passes(loop)
    with pytest.raises(ValueError, match="closed"):
        ios[0].start(print)


def test_closing_fd_wakes_who_waits_with_ebadf(hub: Hub, pair: Pair) -> None:
    """A backend must let `closing_fd` wake the greenlet that waits for the fd: it gets OSError (EBADF)."""
    import hubcore

    io = hub.loop.io(pair[0].fileno(), READ)

    def wait() -> None:
        waiter = hub.new_waiter(io)
        io.attach(waiter)
        hub.park(waiter)

    waiting = hubcore.spawn(wait)
    waiting.catch_errors = True  # type: ignore[attr-defined]
    hubcore.sleep(0)
    hub.exception_stream = None
    hub.loop.closing_fd(pair[0].fileno())
    waiting.join()
    assert isinstance(waiting.exception, OSError)
    assert waiting.exception.errno == errno.EBADF


def test_a_waiter_is_woken_once_and_the_watcher_stays_on_until_an_event_finds_nobody(loop: Loop, pair: Pair) -> None:
    """A backend must report an fd that is on at each poll: the loop leaves it on after a wait, and turns it off at
    an event without a waiter."""
    ours, theirs = pair
    io = loop.io(ours.fileno(), READ)
    first, second = waiter_of(loop), waiter_of(loop)
    io.attach(first)
    assert loop.alive()
    theirs.send(b"x")
    loop.run_pass(False)
    assert first.ended
    assert first.value == READ
    assert io.on
    assert not loop.alive()
    io.attach(second)
    loop.run_pass(False)
    assert second.ended
    loop.run_pass(False)
    assert not io.on
    assert loop.fd_watches == {}


def test_a_watcher_that_turned_off_turns_on_for_the_next_waiter(loop: Loop, pair: Pair) -> None:
    """A backend must watch an fd again that was released, as often as it is asked to."""
    ours, theirs = pair
    io = loop.io(ours.fileno(), READ)
    theirs.send(b"x")
    for _ in range(3):
        waiter = waiter_of(loop)
        io.attach(waiter)
        loop.run_pass(False)
        assert waiter.ended
        loop.run_pass(False)
        assert not io.on
    io.close()


def test_a_second_waiter_for_the_same_direction_is_refused(loop: Loop, pair: Pair) -> None:
    """A backend must leave waiters to the watcher: a second one for the same direction is refused."""
    io = loop.io(pair[0].fileno(), READ)
    first = waiter_of(loop)
    io.attach(first)
    with pytest.raises(ConcurrentObjectUseError, match="already waited for"):
        io.attach(waiter_of(loop))
    io.detach(waiter_of(loop))  # of somebody else: nothing happens
    assert loop.alive()
    io.detach(first)
    io.detach(first)
    assert not loop.alive()
    io.close()
    assert not first.ended


def test_closing_a_watcher_fails_its_waiter(loop: Loop, pair: Pair) -> None:
    """A backend must allow a watcher to be closed while a greenlet waits on it."""
    io = loop.io(pair[0].fileno(), WRITE)
    waiter = waiter_of(loop)
    io.attach(waiter)
    io.close()
    assert waiter.ended
    assert isinstance(waiter.value, OSError)
    assert not loop.alive()
    assert loop.fd_watches == {}
    with pytest.raises(ValueError, match="closed"):
        io.attach(waiter_of(loop))
