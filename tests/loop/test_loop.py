"""The base class of loops: the methods that a backend must provide, and the rest of its public surface."""

import gc
import os
import sys
import threading
from operator import attrgetter

import pytest

from hubcore._core.deadlines import Deadline
from hubcore.exceptions import BlockingSwitchOutError, InvalidSwitchError, InvalidThreadUseError
from hubcore.loop import Loop
from hubcore.testing import run_until


def test_what_a_backend_does_not_provide_is_named():
    loop = Loop()
    for call in (lambda: loop.poll(0.0), loop.wake, lambda: loop.io(0, 1).start(print), loop.reinit, loop.close):
        with pytest.raises(NotImplementedError, match=r"Loop has no \w+"):
            call()


def test_a_backend_of_ten_lines_runs_timers_and_callbacks():
    class Tiny(Loop):
        """Never sleeps."""

        name = "tiny"
        polls = 0

        def poll(self, timeout):
            self.polls += 1

        def wake(self):
            pass

        def release(self):
            pass

    loop = Tiny()
    seen = []
    loop.timer(0.001).start(seen.append, "timer")
    loop.run_callback(seen.append, "callback")
    loop.run()
    assert seen == ["callback", "timer"]
    assert loop.polls >= 2
    loop.close()


def test_it_counts_what_keeps_it_alive_and_what_is_ready(loop):
    with loop.timer(10.0) as timer:
        timer.start(print)
        assert loop.activecnt == 1
        loop.run_callback(print)
        assert loop.pendingcnt == 1
        assert "1 active, 1 ready" in repr(loop)
        loop.ready.pop()


def test_a_pass_that_may_sleep_ends_with_the_first_deadline(loop):
    class Noted(Deadline):
        def _fire(self, now):
            fired.append(now)

    fired = []
    deadline = Noted()
    loop.add_deadline(deadline, 0.003)
    while not fired:
        loop.run_pass(True)
    assert fired[0] >= deadline.at
    assert loop.deadlines.refs == 0


def test_an_entry_that_is_not_a_callback_needs_a_hub(loop):
    loop.ready.push(object())
    with pytest.raises(TypeError, match="only a hub can run it"):
        loop.run()


def test_run_until_gives_up_on_what_never_comes(loop):
    seen = []
    loop.run_callback(seen.append, 1)
    run_until(loop, lambda: seen)
    with pytest.raises(AssertionError, match="did not become true"):
        run_until(loop, lambda: False, limit=0.01)


def test_what_gevent_programs_call_is_there(loop):
    loop.install_sigchld()
    loop.reset_sigchld()
    loop.update()
    assert loop.default is False
    assert 0 < loop.approx_timer_resolution <= 0.01


def test_the_loop_knows_its_thread(loop):
    assert loop.thread_ident == threading.get_ident()
    loop.check_thread()


def test_work_outside_keeps_the_loop_alive(loop):
    loop.begin_external()
    assert loop.alive()
    assert loop.external == 1
    loop.begin_external(False)
    loop.end_external()
    assert not loop.alive()
    assert loop.external == 1
    loop.end_external(False)
    assert loop.external == 0


@pytest.mark.parametrize("what", ["close", "destroy", "reinit", "poll", "run_pass"])
def test_another_thread_cannot_take_a_loop_away_from_under_its_poll(loop, what):
    """It would be a crash: libev and libuv would go on with memory that is free."""
    if what in ("poll", "reinit") and loop.name not in ("libev", "libuv"):
        pytest.skip("of plain Python, which does not crash")
    arguments = {"poll": (0.0,), "run_pass": (False,)}.get(what, ())
    refused = []

    def other():
        try:
            getattr(loop, what)(*arguments)
        except InvalidThreadUseError as error:
            refused.append(error)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(refused) == 1
    assert not loop.closed


@pytest.mark.parametrize("what", ["loop.close", "loop.destroy", "loop.reinit", "loop.run_pass", "destroy"])
def test_a_finalizer_that_runs_while_the_loop_polls_can_neither_close_nor_poll_it(hub, what):
    if what == "loop.reinit" and hub.loop.name not in ("libev", "libuv"):
        pytest.skip("of plain Python, which does not crash")
    if sys.version_info >= (3, 12) and hub.loop.name in ("libev", "libuv"):
        pytest.skip("from 3.12 on the collector runs between byte codes only, and the compiled polls have none")
    call = attrgetter(what)(hub)
    refused = []

    class InACycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            if hub.loop.polling:
                try:
                    call(*((False,) if what == "loop.run_pass" else ()))
                except (BlockingSwitchOutError, InvalidSwitchError) as error:
                    refused.append(error)

    into, out = os.pipe()
    os.write(out, b"x")
    watcher = hub.loop.io(into, 1)
    watcher.start(int)
    run_pass = hub.loop.run_pass
    before = gc.get_threshold()
    gc.collect()
    gc.disable()
    try:
        InACycle()
        gc.set_threshold(1)
        gc.enable()
        run_pass(False)  # queuing the callback, inside the poll, makes an object, and so runs the collector there
    finally:
        gc.disable()
        gc.set_threshold(*before)
        gc.enable()
        watcher.close()
        os.close(into)
        os.close(out)
    assert refused
    assert not hub.loop.closed


def test_a_closed_loop_is_not_made_anew_by_reinit(loop):
    if loop.name not in ("libev", "libuv"):
        pytest.skip("of plain Python")
    loop.close()
    with pytest.raises(ValueError, match="is closed"):
        loop.reinit()
