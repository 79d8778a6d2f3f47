"""Callbacks: queued by the loop's thread and by others, in order, none lost; waking; what raises is reported."""

from __future__ import annotations

import sys
import threading

import pytest

from hubcore.exceptions import InvalidThreadUseError
from hubcore.testing.conformance.conftest import join, start_thread, when_polling

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import TracebackType

    from hubcore.loop import Loop


class Reports:
    """An error handler that keeps what it is told."""

    def __init__(self) -> None:
        self.values: list[BaseException | None] = []
        self.contexts: list[object] = []

    def handle_error(
        self, context: object, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """As Hub.handle_error."""
        assert kind is type(value)
        assert tb is not None
        self.contexts.append(context)
        self.values.append(value)


def in_thread(function: Callable[[], object]) -> BaseException | None:
    """Call `function` in another thread and wait for its end; what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    join(start_thread(run))
    return raised[0] if raised else None


def test_callbacks_run_in_the_order_in_which_they_were_queued(loop: Loop) -> None:
    """A backend must leave the order of callbacks to the loop: a pass runs them first come, first served."""
    seen: list[int] = []
    for number in range(1000):
        loop.run_callback(seen.append, number)
    assert seen == []
    assert loop.pendingcnt == 1000
    loop.run()
    assert seen == list(range(1000))
    assert loop.pendingcnt == 0


def test_a_callback_queued_by_a_callback_runs_in_the_next_pass(loop: Loop) -> None:
    """A backend must poll between two passes: a callback queued by a callback belongs to the next one."""
    seen: list[int] = []

    def again() -> None:
        seen.append(len(seen))
        loop.run_callback(again)

    entry = loop.run_callback(again)
    assert entry.pending
    for number in range(1, 4):
        loop.run(nowait=True)
        assert len(seen) == number
    assert not entry.pending
    again_queued = loop.ready.pop()
    assert again_queued.pending


def test_a_stopped_callback_does_not_run(loop: Loop) -> None:
    """A backend must not keep callbacks of its own: a stopped one is forgotten."""
    entry = loop.run_callback(pytest.fail, "a stopped callback ran")
    assert entry
    entry.stop()
    entry.stop()
    assert not entry
    loop.run()


def test_only_what_can_be_called_is_queued(loop: Loop) -> None:
    """A backend must leave the check of callbacks to the loop: TypeError for what cannot be called."""
    for queue in (loop.run_callback, loop.run_callback_threadsafe):
        with pytest.raises(TypeError, match="callable"):
            queue(5)  # type: ignore[arg-type]
    assert loop.pendingcnt == 0


def test_callbacks_from_many_threads_all_run_each_threads_in_order(loop: Loop) -> None:
    """A backend must end its sleep at `wake` from any thread, and lose no wake-up."""
    threads, each = 8, 500
    seen: list[tuple[int, int]] = []

    def send(sender: int) -> None:
        for number in range(each):
            loop.run_callback_threadsafe(seen.append, (sender, number))
        loop.run_callback_threadsafe(loop.end_external)

    senders = []
    for sender in range(threads):
        loop.begin_external()
        senders.append(start_thread(send, sender))
    loop.run()  # sleeps for the threads, and ends after the last end_external
    join(*senders)
    assert len(seen) == threads * each
    for each_sender in range(threads):
        assert [number for who, number in seen if who == each_sender] == list(range(each))


def test_waking_from_another_thread_ends_a_sleep_every_time(loop: Loop) -> None:
    """A backend must end the sleep that a `wake` meets, or else not sleep in the next poll."""
    rounds = 300
    asleep = threading.Semaphore(0)

    def wake() -> None:
        for _ in range(rounds):
            asleep.acquire()
            loop.wake()

    waker = start_thread(wake)
    for _ in range(rounds):
        # The wake-up comes before the poll, or while it sleeps: no matter.
        asleep.release()
        loop.run_pass(True)
    join(waker)


def test_a_wake_up_is_not_lost_when_something_new_is_watched_before_the_poll(
    loop: Loop, pair: tuple[socket.socket, socket.socket]
) -> None:
    """A backend must keep a wake-up that comes before the poll, also where the poll first registers a new fd."""
    for _ in range(20):
        loop.wake()
        with loop.io(pair[0].fileno(), 1) as io:
            io.start(pytest.fail, "nothing was sent")
            loop.run_pass(True)  # returns


def test_what_another_thread_sends_while_the_loop_sleeps_runs_at_once(loop: Loop) -> None:
    """A backend must return from a sleep when another thread calls `wake`."""
    sent = threading.Event()

    def send() -> None:
        loop.run_callback_threadsafe(seen.append, "sent")
        loop.run_callback_threadsafe(loop.end_external)
        sent.set()

    seen: list[str] = []
    loop.begin_external()
    sender = when_polling(loop, send)
    loop.run()
    join(sender)
    assert seen == ["sent"]
    assert sent.is_set()


def test_a_hundred_thousand_wake_ups_are_not_as_many_passes(loop: Loop) -> None:
    """A backend must coalesce wake-ups, must never block in `wake`, and must sleep once they are dealt with."""
    for _ in range(100_000):  # more bytes than a pipe takes
        loop.wake()
    loop.run_pass(True)
    seen: list[str] = []
    passes = 0
    with loop.timer(0.01) as timer:
        timer.start(seen.append, "due")
        while not seen:
            passes += 1
            loop.run(once=True)
    assert passes < 100


def test_break_ends_run_after_the_callbacks_that_are_ready(loop: Loop) -> None:
    """A backend must return from `poll` where callbacks are ready, so that `break_` takes effect."""
    seen: list[str] = []
    with loop.timer(3600.0) as timer:
        timer.start(pytest.fail, "the loop went on")
        loop.run_callback(loop.break_)
        loop.run_callback(seen.append, "ready too")
        loop.run()
    assert seen == ["ready too"]


def test_a_loop_with_nothing_to_do_returns_at_once(loop: Loop) -> None:
    """A backend must not count what it watches for itself: a loop with nothing to do is not alive."""
    assert not loop.alive()
    loop.run()
    assert loop.activecnt == 0


def test_ref_and_unref_decide_whether_the_loop_is_alive(loop: Loop) -> None:
    """A backend must leave `refs` to the loop."""
    loop.ref()
    loop.ref()
    loop.unref()
    assert loop.alive()
    loop.unref()
    assert not loop.alive()


def test_a_callback_that_raises_is_reported_once_and_the_loop_goes_on(loop: Loop) -> None:
    """A backend must go on after a callback raised: the loop reports the error once."""
    reports = loop.error_handler = Reports()
    error = ZeroDivisionError("on purpose")

    def fail() -> None:
        raise error

    seen: list[str] = []
    entry = loop.run_callback(fail)
    loop.run_callback(seen.append, "next")
    with loop.timer(0.001) as timer, loop.timer(0.002) as later:
        timer.start(fail)
        later.start(seen.append, "later")
        loop.run()
    assert seen == ["next", "later"]
    assert reports.values == [error, error]
    assert reports.contexts[0] is entry


def test_without_an_error_handler_the_exception_hook_is_told(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend must not handle errors of callbacks itself: without an error handler sys.excepthook gets them."""
    told: list[object] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, value, tb: told.append(kind))
    loop.run_callback(lambda: 1 / 0)
    loop.run()
    assert told == [ZeroDivisionError]


def test_another_thread_may_not_use_the_loop(loop: Loop) -> None:
    """A backend must let the loop refuse its use from another thread: only `wake` and sends may come from there."""
    timer = loop.timer(1.0)
    uses: dict[str, Callable[[], object]] = {
        "run": loop.run,
        "run_callback": lambda: loop.run_callback(print),
        "timer": lambda: timer.start(print),
        "io": lambda: loop.io(0, 1).start(print),
        "idle": lambda: loop.idle().start(print),
        "async_": lambda: loop.async_().start(print),
    }
    for name, use in uses.items():
        error = in_thread(use)
        assert isinstance(error, InvalidThreadUseError), f"{name}: {error!r}"
        assert "run_callback_threadsafe" in str(error)
    assert not timer.active
    assert not loop.alive()
