"""The base class of loops: what a backend has to provide, and the rest of its surface that programs see."""

import threading

import pytest

from hubcore._deadlines import Deadline
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

        def _release(self):
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
        def fire(self, now):
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
    loop.begin_outside()
    assert loop.alive()
    assert loop.outside == 1
    loop.begin_outside(False)
    loop.end_outside()
    assert not loop.alive()
    assert loop.outside == 1
    loop.end_outside(False)
    assert loop.outside == 0
