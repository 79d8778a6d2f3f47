"""A loop's beginning and end: names, independence of others, closing, use after that."""

from __future__ import annotations

import gc
import select
import socket
import sys
import threading
import weakref

import pytest

from hubcore.backends import loop_class
from hubcore.backends.native import original
from hubcore.loop import PROTOCOL_VERSION, Loop
from hubcore.testing.conformance.conftest import join, start_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hubcore.testing.conformance.conftest import Child

    Pair = tuple[socket.socket, socket.socket]


def test_a_backend_is_a_loop_with_a_name(loop: Loop) -> None:
    """A backend must have a `name` by which HUB_BACKEND finds it: that of its entry point, else `module:Class`."""
    assert isinstance(loop, Loop)
    assert loop.name != Loop.name
    assert loop_class(loop.name) is type(loop), f"{loop.name!r} names another backend"
    assert type(loop).__name__ in repr(loop)


def test_a_backend_names_the_version_of_the_protocol(loop: Loop) -> None:
    """A backend must name the version of the Loop protocol for which it was written, by `protocol_version`."""
    assert loop.protocol_version == PROTOCOL_VERSION


def test_what_a_backend_tells_of_itself(loop: Loop, pair: Pair) -> None:
    """A backend must tell, if anything, the versions of its C library as texts, the kernel's interface as a text, and
    as `fileno()` an fd that is readable while there are events."""
    module = sys.modules[type(loop).__module__]
    for version in ("library_version", "header_version"):
        assert isinstance(getattr(module, version, ""), str)
    assert isinstance(loop.backend, str)
    fd = loop.fileno()
    if fd is None:
        return
    poll = original("select", "poll")()
    poll.register(fd, select.POLLIN)
    with loop.io(pair[0].fileno(), 1) as io:
        io.start(lambda: None)
        loop.run(nowait=True)
        assert poll.poll(0) == []
        pair[1].send(b"x")
        assert poll.poll(0) == [(fd, select.POLLIN)]


def test_the_clock_does_not_go_back_and_update_now_looks_at_it(loop: Loop) -> None:
    """A backend must have a `clock` that never goes back."""
    times = [loop.clock() for _ in range(100)]
    assert times == sorted(times)
    assert loop.now() <= loop.clock()
    before = loop.clock()
    now = loop.update_now()
    assert before <= now == loop.now()
    loop.update()
    assert loop.now() >= now


def test_closing_twice_is_harmless(loop: Loop) -> None:
    """A backend must not mind that a loop is closed twice: `release` is called once."""
    assert not loop.closed
    loop.close()
    assert loop.closed
    loop.close()
    loop.destroy()
    assert "closed" in repr(loop)


def test_closing_stops_what_is_started_and_drops_what_is_ready(loop: Loop, pair: Pair) -> None:
    """A backend must release everything at close, whatever is started."""
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
    """A backend must raise ValueError with the word 'closed' in `poll` once the loop is closed."""
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
    """A backend must do nothing in `wake` once the loop is closed, in any thread."""
    loop.close()
    loop.wake()
    loop.run_callback_threadsafe(print)
    join(start_thread(loop.wake))


def test_waking_a_closed_loop_writes_to_nobody(loop: Loop) -> None:
    """A backend must forget, at close, the fd that `wake` writes to: another file may get its number."""
    loop.close()
    # These get the numbers that the loop's own fds had; both ends of each can be written to.
    strangers = [sock for _ in range(8) for sock in socket.socketpair()]
    try:
        loop.wake()
        for stranger in strangers:
            stranger.setblocking(False)
            with pytest.raises(BlockingIOError):
                stranger.recv(1)
    finally:
        for stranger in strangers:
            stranger.close()


def test_a_loop_that_gets_no_fds_is_an_oserror(child: Child) -> None:
    """A backend must raise OSError (EMFILE) where a loop is made and no file descriptors are left, and lose none.

    In a process of its own: a C library may abort it.
    """
    printed = child(
        """
        import errno, os, resource
        from hubcore.backends import loop_class

        def make():
            try:
                loop_class()().close()
            except OSError as error:
                assert error.errno == errno.EMFILE, error
                return "refused"
            return "made"

        loop_class()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        held = []
        try:
            while True:
                held.append(os.dup(0))
        except OSError:
            pass

        def free():
            opened = []
            try:
                while True:
                    opened.append(os.dup(0))
            except OSError:
                for fd in opened:
                    os.close(fd)
                return len(opened)

        said = []
        for _ in range(16):
            left = free()
            said.append(make())
            if said[-1] == "made":
                left = free()  # now, because what a library opens once for the process stays
            for _ in range(5):
                make()
            assert free() == left, f"{left - free()} file descriptors lost where {left} were left"
            os.close(held.pop())
        print(*said)
        """
    )
    said = printed.split()
    assert said[0] == "refused"
    assert said[-1] == "made"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_patched_process_uses_the_backend(child: Child, when: str) -> None:
    """A backend must use the system's own calls in a process where everything is patched, whether its module was
    imported `before` the patch or after it. `hubcore.backends.native` has them."""
    printed = child(
        f"""
        from hubcore.backends import loop_class
        from hubcore import monkey
        if "{when}" == "before":
            loop_class()
        monkey.patch_all()
        import os, select, socket, sys, threading, time
        import hubcore

        def use():
            hub = hubcore.get_hub()
            ours, theirs = socket.socketpair()
            echo = hubcore.spawn(lambda: theirs.sendall(theirs.recv(10).upper()))
            time.sleep(0.001)
            ours.sendall(b"hello")
            print(ours.recv(10).decode(), hub.threadpool.apply(str, (5,)), len(select.select([ours], [], [], 0.001)))
            worker = threading.Thread(target=time.sleep, args=(0.001,))
            worker.start()
            worker.join()
            ours.close()
            theirs.close()
            hub.destroy()

        use()
        use()
        sys.stdout.flush()
        hubcore.get_hub()
        pid = os.fork()
        if pid == 0:
            use()
            sys.stdout.flush()
            os._exit(55)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """,
        "-W",
        "ignore::DeprecationWarning",
    )
    assert printed.splitlines() == ["HELLO 5 3"] * 3 + ["55"]


def test_two_loops_in_one_thread_do_not_disturb_each_other(loop: Loop, pair: Pair) -> None:
    """A backend must keep all of its state in the loop: two loops of a thread are independent."""
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
    """A backend must not hold the GIL, or a lock of its own, while it sleeps."""
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

    join(*[start_thread(run, number) for number in range(4)])
    assert sorted(seen) == [0, 1, 2, 3]


def test_many_loops_can_be_made_and_closed(loop: Loop, pair: Pair) -> None:
    """A backend must give back every fd in `release`: afterwards the fixture finds none that was not there before."""
    for _ in range(100):
        other = type(loop)()
        other.io(pair[0].fileno(), 1).start(print)
        other.timer(1.0).start(print)
        other.run(nowait=True)
        other.close()


def test_a_closed_loop_is_forgotten(loop: Loop, pair: Pair) -> None:
    """A backend must not keep a closed loop, or what it watched, alive."""
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
    """A backend must run no user code inside `poll`: callbacks run after it."""
    polling: list[bool] = []
    with loop.io(pair[0].fileno(), 2) as io, loop.timer(0.0) as timer:
        io.start(lambda: polling.append(loop.polling))
        timer.start(lambda: polling.append(loop.polling))
        loop.run(nowait=True)
        loop.run(nowait=True)
    assert len(polling) >= 3
    assert not any(polling)
