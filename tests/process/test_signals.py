"""Signals: Ctrl-C and handlers take effect at once, in every state of the hub."""

import textwrap

import pytest

from hubcore.testing import run_python

PRELUDE = """
import os, signal, sys, threading, time, hubcore
from hubcore import get_hub, sleep, spawn

def say(*words):
    print(*words, flush=True)

def soon(signum, delay=0.1):
    "Send the signal to this process in a moment of real time."
    threading.Thread(target=lambda: (time.sleep(delay), os.kill(os.getpid(), signum)), daemon=True).start()

def wait_for_ever():
    "Wait for nothing that comes by itself: real time has to pass, on a virtual clock too."
    get_hub().loop.begin_external()
    get_hub().park(get_hub().new_waiter("nothing"))
"""


def lines(code, backend):
    """What the program prints, line by line; nothing may come on stderr."""
    done = run_python(PRELUDE + textwrap.dedent(code), backend)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize("others", ["", "spawn(wait_for_ever)", "spawn(wait_for_ever); spawn(sleep, 1e6); sleep(0)"])
def test_ctrl_c_reaches_the_main_greenlet_while_the_loop_sleeps(hub_backend, others):
    said = lines(
        f"""
        {others}
        began = time.monotonic()
        try:
            soon(signal.SIGINT)
            wait_for_ever()
        except KeyboardInterrupt:
            say("interrupted", time.monotonic() - began < 5)
        """,
        hub_backend,
    )
    assert said == ["interrupted True"]


def test_ctrl_c_spares_the_greenlet_on_whose_stack_the_loop_happens_to_sleep(hub_backend):
    """Whoever parks last polls the loop. That it does so is chance; Ctrl-C is for the main greenlet."""
    said = lines(
        """
        def innocent():
            try:
                wait_for_ever()
            except BaseException as error:
                say("innocent got", type(error).__name__)
        task = spawn(innocent)
        try:
            soon(signal.SIGINT)
            task.join()
        except KeyboardInterrupt:
            say("main was interrupted")
        os._exit(0)
        """,
        hub_backend,
    )
    assert said == ["main was interrupted"]


def test_ctrl_c_ends_a_busy_greenlet_and_the_main_one(hub_backend):
    said = lines(
        """
        def busy():
            soon(signal.SIGINT)
            while True:
                pass
        task = spawn(busy)
        try:
            wait_for_ever()
        except KeyboardInterrupt:
            say("interrupted")
        say(type(task.exception).__name__)
        """,
        hub_backend,
    )
    assert said == ["interrupted", "KeyboardInterrupt"]


def test_ctrl_c_is_seen_while_greenlets_only_switch_among_themselves(hub_backend):
    said = lines(
        """
        def turn():
            while True:
                sleep(0)
        for _ in range(3):
            spawn(turn)
        try:
            soon(signal.SIGINT)
            wait_for_ever()
        except KeyboardInterrupt:
            say("interrupted")
        os._exit(0)
        """,
        hub_backend,
    )
    assert said == ["interrupted"]


def test_ctrl_c_is_raised_where_the_main_greenlet_has_only_to_go_on_and_nothing_handed_to_it_is_lost(hub_backend):
    said = lines(
        """
        from hubcore import Timeout
        from hubcore.lock import Semaphore
        from hubcore.queue import Queue

        def interrupt(*before):
            for call, *args in before:
                call(*args)
            os.kill(os.getpid(), signal.SIGINT)

        def wait(function, *args):
            try:
                return function(*args)
            except KeyboardInterrupt as error:
                return error

        jobs, lock = Queue(), Semaphore(0)
        spawn(interrupt, (jobs.put, "job"))
        assert type(wait(jobs.get)) is KeyboardInterrupt
        say(jobs.get_nowait(), jobs.empty())
        spawn(interrupt, (lock.release,))
        assert type(wait(lock.acquire)) is KeyboardInterrupt
        say(lock.locked(), len(get_hub().ready))
        main, timeout = hubcore.getcurrent(), Timeout(5)
        spawn(interrupt, (hubcore.kill, main, timeout))
        say(wait(sleep, 1000).__context__ is timeout)
        spawn(interrupt)
        assert type(wait(sleep, 0)) is KeyboardInterrupt
        sleep(0)  # once was enough
        say("end")
        """,
        hub_backend,
    )
    assert said == ["job True", "False 0", "True", "end"]


def test_an_unhandled_ctrl_c_ends_the_program_as_usual(hub_backend):
    done = run_python(PRELUDE + "soon(signal.SIGINT)\nwait_for_ever()", hub_backend, status=-2)
    assert "KeyboardInterrupt" in done.stderr
    assert done.stderr.count("Traceback") == 1


def test_systemexit_in_a_greenlet_ends_the_program_with_its_status(hub_backend):
    done = run_python(PRELUDE + "spawn(sys.exit, 7)\nwait_for_ever()", hub_backend, status=7)
    assert done.stderr == ""


def test_a_handler_of_the_program_that_raises_raises_in_the_main_greenlet(hub_backend):
    said = lines(
        """
        class Alarm(Exception):
            pass
        def handler(signum, frame):
            raise Alarm
        def innocent():
            try:
                wait_for_ever()
            except BaseException as error:
                say("innocent got", type(error).__name__)
        signal.signal(signal.SIGALRM, handler)
        task = spawn(innocent)
        try:
            soon(signal.SIGALRM)
            task.join()
        except Alarm:
            say("alarm in main")
        os._exit(0)
        """,
        hub_backend,
    )
    assert said == ["alarm in main"]


def test_a_handler_of_the_program_that_only_counts_does_so_at_once(hub_backend):
    said = lines(
        """
        seen = []
        signal.signal(signal.SIGUSR1, lambda signum, frame: seen.append(waiter.wake()))
        get_hub().loop.begin_external()
        waiter = get_hub().new_waiter("the signal")
        soon(signal.SIGUSR1)
        get_hub().park(waiter)
        say(seen)
        """,
        hub_backend,
    )
    assert said == ["[True]"]


def test_a_signal_handler_runs_in_a_greenlet_each_time_until_it_is_cancelled(hub_backend):
    said = lines(
        """
        from hubcore.event import Event
        handled = Event()
        def handler(word, key):
            sleep(0.001)
            say(word, key, hubcore.getcurrent().parent is get_hub())
            handled.set()
        before = signal.getsignal(signal.SIGUSR1)
        watcher = hubcore.signal_handler(signal.SIGUSR1, handler, "got it", key=1)
        for _ in range(2):
            handled.clear()
            os.kill(os.getpid(), signal.SIGUSR1)
            assert handled.wait(10)
        watcher.cancel()
        watcher.cancel()
        say(signal.getsignal(signal.SIGUSR1) == before, watcher.ref)
        """,
        hub_backend,
    )
    assert said == ["got it 1 True", "got it 1 True", "True False"]


def test_a_signal_handler_for_ctrl_c_takes_the_place_of_the_exception(hub_backend):
    said = lines(
        """
        watcher = hubcore.signal_handler(signal.SIGINT, lambda: (say("handled"), waiter.wake()))
        get_hub().loop.begin_external()
        waiter = get_hub().new_waiter("the signal")
        soon(signal.SIGINT)
        get_hub().park(waiter)
        """,
        hub_backend,
    )
    assert said == ["handled"]


def test_two_handlers_of_one_signal_are_both_called(hub_backend):
    said = lines(
        """
        first = hubcore.signal_handler(signal.SIGUSR1, say, "first")
        second = hubcore.signal_handler(signal.SIGUSR1, say, "second")
        os.kill(os.getpid(), signal.SIGUSR1)
        sleep(0.01)
        first.cancel()
        os.kill(os.getpid(), signal.SIGUSR1)
        sleep(0.01)
        """,
        hub_backend,
    )
    assert said == ["first", "second", "second"]


def test_signal_handlers_are_for_the_main_thread_and_for_real_signals(hub_backend):
    said = lines(
        """
        def elsewhere():
            try:
                hubcore.signal_handler(signal.SIGUSR1, say)
            except ValueError as error:
                say("main thread" in str(error))
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        for arguments in ((999, say), (signal.SIGUSR1, None)):
            try:
                hubcore.signal_handler(*arguments)
            except (ValueError, TypeError) as error:
                say(type(error).__name__)
        """,
        hub_backend,
    )
    assert said == ["True", "ValueError", "TypeError"]


def test_whoever_had_a_wake_up_fd_before_still_gets_every_byte_and_has_it_back_afterwards(hub_backend):
    said = lines(
        """
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.signal(signal.SIGUSR1, lambda *args: None)
        signal.set_wakeup_fd(write)
        sleep(0.001)
        os.kill(os.getpid(), signal.SIGUSR1)
        sleep(0.01)
        say(os.read(read, 100) == bytes([signal.SIGUSR1]))
        get_hub().destroy()
        say(signal.set_wakeup_fd(-1) == write)
        """,
        hub_backend,
    )
    assert said == ["True", "True"]


def test_a_wake_up_fd_that_the_program_sets_later_stays_when_the_hub_ends(hub_backend):
    said = lines(
        """
        sleep(0.001)
        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        get_hub().destroy()
        say(signal.set_wakeup_fd(-1) == write)
        """,
        hub_backend,
    )
    assert said == ["True"]


def test_to_ask_for_the_main_thread_leaves_the_wake_up_fd_alone(hub_backend):
    said = lines(
        """
        import threading
        from hubcore._base.main_thread import in_main_thread

        read, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        os.close(write)  # so that nobody can set it once more
        say(in_main_thread())
        thread = threading.Thread(target=lambda: say(in_main_thread()))
        thread.start()
        thread.join()
        say(signal.set_wakeup_fd(-1) == write)
        """,
        hub_backend,
    )
    assert said == ["True", "False", "True"]


def test_the_wake_up_fd_is_gone_with_the_hub(hub_backend):
    said = lines(
        """
        for _ in range(3):
            sleep(0.001)
            get_hub().destroy()
            say(signal.set_wakeup_fd(-1))
        """,
        hub_backend,
    )
    assert said == ["-1"] * 3


def test_ctrl_c_that_comes_as_a_greenlet_ends_is_not_lost_in_its_destructor(hub_backend):
    said = lines(
        """
        import _thread

        for numbered in (False, True):
            interrupter = hubcore.Greenlet(_thread.interrupt_main)  # C code: no handler runs before it has ended
            if numbered:
                interrupter.minimal_ident
            interrupter.start()
            del interrupter
            try:
                wait_for_ever()
            except KeyboardInterrupt:
                say("interrupted")
        """,
        hub_backend,
    )
    assert said == ["interrupted", "interrupted"]


@pytest.mark.parametrize("waits", [False, True])
def test_what_a_signal_handler_raises_is_raised_in_the_main_greenlet(hub_backend, waits):
    code = f"""
        import os, signal
        import hubcore

        def handler():
            if {waits}:
                hubcore.sleep(0.001)
            raise LookupError("of the handler")

        def other():
            hubcore.sleep(0.05)
            return "went on"

        watcher = hubcore.signal_handler(signal.SIGUSR1, handler)
        task = hubcore.spawn(other)
        os.kill(os.getpid(), signal.SIGUSR1)
        try:
            task.join()
        except LookupError as error:
            print(error, task.get())
        killed = hubcore.signal_handler(signal.SIGUSR2, hubcore.sleep, 1000)
        killed.greenlet_class = lambda *args: made.append(hubcore.Greenlet(*args)) or made[0]
        made = []
        os.kill(os.getpid(), signal.SIGUSR2)
        hubcore.sleep(0.01)
        made[0].kill()
        print(made[0].successful())
    """
    done = run_python(code, hub_backend)
    assert done.stdout == "of the handler went on\nTrue\n"
    assert done.stderr == ""
