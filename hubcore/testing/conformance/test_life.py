"""A loop's beginning and end: names, independence of others, closing, use after that."""

from __future__ import annotations

import gc
import socket
import threading
import weakref

import pytest

from hubcore.backends import loop_class
from hubcore.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Pair = tuple[socket.socket, socket.socket]


def test_a_backend_is_a_loop_with_a_name(loop: Loop) -> None:
    assert isinstance(loop, Loop)
    assert loop.name != Loop.name
    assert type(loop).__name__ in repr(loop)


def test_the_clock_does_not_go_back_and_update_now_looks_at_it(loop: Loop) -> None:
    times = [loop.clock() for _ in range(100)]
    assert times == sorted(times)
    assert loop.now() <= loop.clock()
    before = loop.clock()
    now = loop.update_now()
    assert before <= now == loop.now()
    loop.update()
    assert loop.now() >= now


def test_closing_twice_is_harmless(loop: Loop) -> None:
    assert not loop.closed
    loop.close()
    assert loop.closed
    loop.close()
    loop.destroy()
    assert "closed" in repr(loop)


def test_closing_stops_what_is_started_and_drops_what_is_ready(loop: Loop, pair: Pair) -> None:
    started = [
        loop.io(pair[0].fileno(), 1),
        loop.timer(0.0),
        loop.timer(10.0, 10.0),
        loop.idle(),
        loop.prepare(),
        loop.check(),
        loop.async_(),
        loop.stat("/"),
        loop.fork(),
    ]
    for watcher in started:
        watcher.start(pytest.fail, "called after close")
    loop.run_callback_threadsafe(pytest.fail, "called after close")
    loop.run_pass(False)
    loop.close()
    for watcher in started:
        assert not watcher.active
        watcher.stop()
        watcher.close()
        assert "closed" in repr(watcher)


def test_a_closed_loop_says_that_it_is_closed(loop: Loop, pair: Pair) -> None:
    fd = pair[0].fileno()
    timer = loop.timer(0.0)
    io = loop.io(fd, 1)
    loop.close()
    uses: list[Callable[[], object]] = [
        lambda: loop.io(fd, 1),
        lambda: io.start(print),
        lambda: timer.start(print),
        lambda: loop.idle().start(print),
        lambda: loop.run(),
        lambda: loop.poll(0.0),
        lambda: loop.poll(-1.0),
    ]
    for use in uses:
        with pytest.raises(ValueError, match="closed"):
            use()


def test_other_threads_may_wake_a_closed_loop(loop: Loop) -> None:
    loop.close()
    loop.wake()
    loop.run_callback_threadsafe(print)
    thread = threading.Thread(target=loop.wake)
    thread.start()
    thread.join()


def test_two_loops_in_one_thread_do_not_disturb_each_other(loop: Loop, pair: Pair) -> None:
    other = type(loop)()
    seen: list[str] = []
    with loop.io(pair[0].fileno(), 2) as ours, other.io(pair[0].fileno(), 2) as theirs:
        ours.start(seen.append, "ours")
        theirs.start(seen.append, "theirs")
        loop.run(nowait=True)
        other.run(nowait=True)
        ours.stop()
        other.run(nowait=True)
    other.close()
    assert seen == ["ours", "theirs", "theirs"]


def test_loops_of_several_threads_run_at_the_same_time(hub_backend: str) -> None:
    seen: list[int] = []
    together = threading.Barrier(4)

    def run(number: int) -> None:
        loop = loop_class(hub_backend)()
        together.wait(30.0)
        with loop.timer(0.001, 0.001) as timer:
            left = [20]

            def tick() -> None:
                left[0] -= 1
                if not left[0]:
                    timer.stop()

            timer.start(tick)
            loop.run()
        loop.close()
        seen.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert sorted(seen) == [0, 1, 2, 3]


def test_many_loops_can_be_made_and_closed(loop: Loop, pair: Pair) -> None:
    """The fixture then finds no fd that was not there before."""
    for _ in range(100):
        other = type(loop)()
        other.io(pair[0].fileno(), 1).start(print)
        other.timer(1.0).start(print)
        other.run(nowait=True)
        other.close()


def test_a_closed_loop_is_forgotten(loop: Loop, pair: Pair) -> None:
    other = type(loop)()
    gone = weakref.ref(other)
    other.io(pair[0].fileno(), 1).start(print)
    other.timer(1.0).start(print)
    other.run_callback(print)
    other.close()
    del other
    gc.collect()
    assert gone() is None


def test_user_code_does_not_run_inside_the_poll(loop: Loop, pair: Pair) -> None:
    polling: list[bool] = []
    with loop.io(pair[0].fileno(), 2) as io, loop.timer(0.0) as timer:
        io.start(lambda: polling.append(loop.polling))
        timer.start(lambda: polling.append(loop.polling))
        loop.run(nowait=True)
        loop.run(nowait=True)
    assert len(polling) >= 3
    assert not any(polling)
