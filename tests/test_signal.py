"""hubcore.signal: handlers in greenlets of their own, and waiting for signals."""

import textwrap

import pytest

from hubcore.testing import run_python

PRELUDE = """
import os, sys, threading, hubcore
import signal as stdlib
import time as native
from hubcore import get_hub, getcurrent, signal, sleep, spawn

def say(*words):
    print(*words, flush=True)

def soon(signum, delay=0.05):
    "Send the signal to this process in a moment of real time."
    threading.Thread(target=lambda: (native.sleep(delay), os.kill(os.getpid(), signum)), daemon=True).start()

def send(signum):
    "To this process; its handler is called before this returns."
    os.kill(os.getpid(), signum)

def wait_for_ever():
    "Wait for nothing that comes by itself: real time has to pass, on a virtual clock too."
    get_hub().loop.begin_outside()
    try:
        get_hub().park(get_hub().new_waiter("nothing"))
    finally:
        get_hub().loop.end_outside()

class Alarm(Exception):
    pass

def raises(signum, frame):
    raise Alarm

def busy(seconds=0.2):
    end = native.monotonic() + seconds
    while native.monotonic() < end:
        pass

main = getcurrent()
"""


def lines(code, backend, **options):
    """What the program prints, line by line; nothing may come on stderr."""
    done = run_python(PRELUDE + textwrap.dedent(code), backend, timeout=20, **options)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_a_handler_that_waits_lets_what_it_interrupted_go_on_first(hub_backend):
    said = lines(
        """
        def handler(signum, frame):
            say("begin", signum, getcurrent() is main, frame.f_code.co_name)
            sleep(0.01)
            say("end")
        say(signal.signal(signal.SIGUSR1, handler) is signal.SIG_DFL, signal.getsignal(signal.SIGUSR1) is handler)
        say(stdlib.getsignal(signal.SIGUSR1) == handler)
        send(signal.SIGUSR1)  # without a hub: called as it is
        get_hub()
        others = [spawn(say, "other") for _ in range(2)]
        send(signal.SIGUSR1)
        say("I go on")
        sleep(0.05)
        """,
        hub_backend,
    )
    assert said == [
        "True True",
        "True",
        "begin 10 True send",
        "end",
        "begin 10 False send",
        "I go on",
        "other",
        "other",
        "end",
    ]


def test_a_handler_may_wait_while_the_hub_sleeps_and_while_the_hub_runs(hub_backend):
    said = lines(
        """
        def handler(signum, frame):
            sleep(0.01)
            say("handled")
            waiter.wake()
        signal.signal(signal.SIGUSR1, handler)
        get_hub().loop.begin_outside()
        for begin in (lambda: soon(signal.SIGUSR1), lambda: get_hub().loop.run_callback(send, signal.SIGUSR1)):
            waiter = get_hub().new_waiter("the signal")
            begin()
            get_hub().park(waiter)
        """,
        hub_backend,
    )
    assert said == ["handled", "handled"]


def test_a_handler_gets_a_lock_that_the_interrupted_greenlet_holds(hub_backend):
    said = lines(
        """
        from hubcore.lock import Semaphore
        lock = Semaphore()
        def handler(signum, frame):
            with lock:
                say("handler has it")
        signal.signal(signal.SIGUSR1, handler)
        get_hub()
        def holder():
            with lock:
                send(signal.SIGUSR1)
                say("still mine")
        spawn(holder).join()
        sleep(0)
        """,
        hub_backend,
    )
    assert said == ["still mine", "handler has it"]


def test_what_a_handler_raises_reaches_the_main_greenlet(hub_backend):
    said = lines(
        """
        signal.signal(signal.SIGALRM, raises)
        get_hub()
        try:
            send(signal.SIGALRM)
            say("no")
        except Alarm:
            say("at once")

        # While another greenlet computes, which has nothing to do with it.
        task = spawn(lambda: (busy(), "done")[1])
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            wait_for_ever()
        except Alarm:
            say("where it waits", task.value)

        soon(signal.SIGALRM)  # while nobody does
        try:
            wait_for_ever()
        except Alarm:
            say("asleep")

        def later(signum, frame):
            sleep(0.01)
            raise Alarm
        signal.signal(signal.SIGALRM, later)  # and after a wait
        send(signal.SIGALRM)
        try:
            wait_for_ever()
        except Alarm:
            say("later")

        soon(signal.SIGALRM)
        try:
            signal.pause()
        except Alarm:
            say("no")
        try:
            wait_for_ever()
        except Alarm:
            say("after the pause")

        signal.signal(signal.SIGALRM, raises)
        soon(signal.SIGALRM)
        try:
            signal.pause()
        except Alarm:
            say("in a pause")
        """,
        hub_backend,
    )
    assert said == [
        "at once",
        "where it waits done",
        "asleep",
        "later",
        "after the pause",
        "in a pause",
    ]


def test_sys_exit_in_a_handler_ends_the_program_and_spares_who_computes(hub_backend):
    done = run_python(
        PRELUDE
        + textwrap.dedent(
            """
            signal.signal(signal.SIGTERM, lambda *args: sys.exit(7))
            def compute():
                try:
                    send(signal.SIGTERM)
                    say("computed")
                except BaseException as error:
                    say("no", repr(error))
            spawn(compute)
            wait_for_ever()
            """
        ),
        hub_backend,
        status=7,
    )
    assert (done.stdout, done.stderr) == ("computed\n", "")


def test_ctrl_c_ends_a_greenlet_that_never_waits_also_by_a_handler_of_the_program(hub_backend):
    said = lines(
        """
        def handler(signum, frame):
            say("handler")
            raise KeyboardInterrupt
        for installed in (handler, signal.default_int_handler):
            signal.signal(signal.SIGINT, installed)
            say(stdlib.getsignal(signal.SIGINT) is signal.default_int_handler)
            task = spawn(busy, 20)
            soon(signal.SIGINT)
            try:
                wait_for_ever()
            except KeyboardInterrupt:
                say("main", repr(task.exception))
        """,
        hub_backend,
    )
    assert said == ["False", "handler", "main KeyboardInterrupt()", "True", "main KeyboardInterrupt()"]


def test_handlers_are_those_that_were_given_whatever_becomes_of_the_hub(hub_backend):
    said = lines(
        """
        def handler(*args):
            say("got it", get_hub() is not None)
        say(signal.signal(signal.SIGUSR1, handler) is signal.SIG_DFL)
        for _ in range(2):
            get_hub()
            send(signal.SIGUSR1)
            get_hub().destroy()
        say(signal.signal(signal.SIGUSR1, signal.SIG_IGN) is handler)
        say(signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN)
        send(signal.SIGUSR1)
        say(signal.signal(signal.SIGUSR1, signal.SIG_DFL) is signal.SIG_IGN)
        again = signal.signal(signal.SIGUSR1, stdlib.signal(signal.SIGUSR2, handler))
        for number, given in ((signal.SIGUSR1, "text"), (999, handler)):
            for module in (stdlib, signal):
                try:
                    module.signal(number, given)
                except (TypeError, ValueError) as error:
                    say(type(error).__name__, error)
        def elsewhere():
            try:
                signal.signal(signal.SIGUSR1, handler)
            except ValueError as error:
                say(error)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        """,
        hub_backend,
    )
    assert said == [
        "True",
        "got it True",
        "got it True",
        "True",
        "True",
        "True",
        *2 * ["TypeError signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object"],
        *2 * ["ValueError signal number out of range"],
        "signal only works in main thread of the main interpreter",
    ]


def test_a_handler_sees_the_context_variables_of_what_it_interrupted(hub_backend):
    said = lines(
        """
        import contextvars
        name = contextvars.ContextVar("name")
        signal.signal(signal.SIGUSR1, lambda *args: say(name.get()))
        get_hub()
        def task():
            name.set("task")
            send(signal.SIGUSR1)
        spawn(task).join()
        """,
        hub_backend,
    )
    assert said == ["task"]


def test_handlers_within_handlers(hub_backend):
    said = lines(
        """
        def inner(*args):
            say("inner begins")
            sleep(0)
            say("inner ends")
        def outer(*args):
            say("outer begins")
            send(signal.SIGUSR2)
            say("outer goes on")
            sleep(0)
            say("outer ends")
        signal.signal(signal.SIGUSR1, outer)
        signal.signal(signal.SIGUSR2, inner)
        get_hub()
        send(signal.SIGUSR1)
        say("main goes on")
        sleep(0.01)
        """,
        hub_backend,
    )
    assert said == [
        "outer begins",
        "inner begins",
        "outer goes on",
        "main goes on",
        "inner ends",
        "outer ends",
    ]


def test_sigchld_is_the_programs_own(hub_backend):
    said = lines(
        """
        from hubcore import os as cooperative
        def handler(*args):
            say("SIGCHLD", cooperative.waitpid(-1, os.WNOHANG)[0] == pid)
            sleep(0)
            done.set()
        from hubcore.event import Event
        done = Event()
        signal.signal(signal.SIGCHLD, handler)
        get_hub().loop.begin_outside()
        pid = os.posix_spawn(sys.executable, [sys.executable, "-SEc", ""], os.environ)
        done.wait()
        """,
        hub_backend,
    )
    assert said == ["SIGCHLD True"]


def test_the_wake_up_fd_is_shared_with_the_hub(hub_backend):
    said = lines(
        """
        read, write = os.pipe()
        signal.signal(signal.SIGUSR1, lambda *args: say("handled"))
        for fd in (write, 9999, "x"):
            try:
                signal.set_wakeup_fd(fd)
            except (ValueError, OSError, TypeError) as error:
                say(type(error).__name__)
        for fd in (read, write):
            os.set_blocking(fd, False)
        get_hub()
        send(signal.SIGUSR1)  # before, and for nobody
        say(signal.set_wakeup_fd(write), signal.set_wakeup_fd(write) == write)
        send(signal.SIGUSR1)
        say(os.read(read, 10) == bytes([signal.SIGUSR1]))
        soon(signal.SIGUSR1)
        signal.pause()
        say(os.read(read, 10) == bytes([signal.SIGUSR1]))
        get_hub().destroy()
        say(stdlib.set_wakeup_fd(-1) == write, stdlib.set_wakeup_fd(write))
        get_hub()
        say(signal.set_wakeup_fd(-1) == write, signal.set_wakeup_fd(-1))
        soon(signal.SIGUSR1)
        signal.pause()  # the hub still learns of it
        try:
            os.read(read, 10)
        except BlockingIOError:
            say("nothing")
        """,
        hub_backend,
    )
    assert said == [
        "ValueError",
        "OSError",
        "TypeError",
        "handled",
        "-1 True",
        "handled",
        "True",
        "handled",
        "True",
        "True -1",
        "True -1",
        "handled",
        "nothing",
    ]


def test_a_full_wake_up_fd_is_told_unless_it_need_not_be(hub_backend):
    done = run_python(
        PRELUDE
        + textwrap.dedent(
            """
            read, write = os.pipe()
            os.set_blocking(write, False)
            try:
                while os.write(write, b"x" * 4096):
                    pass
            except BlockingIOError:
                pass
            signal.signal(signal.SIGUSR1, lambda *args: None)
            get_hub()
            for warn in (True, False):
                signal.set_wakeup_fd(write, warn_on_full_buffer=warn)
                send(signal.SIGUSR1)
            """
        ),
        hub_backend,
    )
    assert done.stderr.count("Exception ignored when trying to send to the signal wakeup fd") == 1
    assert done.stderr.count("BlockingIOError") == 1


def test_asyncio_handles_signals_in_a_greenlet(hub_backend):
    said = lines(
        """
        import asyncio
        stdlib.signal, stdlib.set_wakeup_fd = signal.signal, signal.set_wakeup_fd
        from hubcore import selectors
        async def serve():
            came = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, came.set)
            soon(signal.SIGUSR1)
            await came.wait()
            say("asyncio has it")
        def run():
            loop = asyncio.SelectorEventLoop(selectors.DefaultSelector())
            try:
                loop.run_until_complete(serve())
            finally:
                loop.close()
        run()
        # What comes after is the hub's again.
        signal.signal(signal.SIGUSR1, lambda *args: say("handled"))
        soon(signal.SIGUSR1)
        signal.pause()
        """,
        hub_backend,
    )
    assert said == ["asyncio has it", "handled"]


def test_a_pause_lets_others_run_and_ends_by_the_next_signal_that_is_handled(hub_backend):
    said = lines(
        """
        def ticker():
            sleep(0)
            say("tick")
        signal.signal(signal.SIGUSR1, lambda *args: say("handled"))
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        soon(signal.SIGUSR1)
        signal.pause()  # without a hub
        spawn(ticker)
        send(signal.SIGUSR1)
        soon(signal.SIGUSR2, 0.01)
        soon(signal.SIGUSR1)
        signal.pause()
        say("paused")
        """,
        hub_backend,
    )
    assert said == ["handled", "handled", "tick", "handled", "paused"]


def test_waiting_for_blocked_signals_lets_others_run(hub_backend):
    said = lines(
        """
        numbers = {signal.SIGUSR1, signal.SIGRTMIN + 1}
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        def ticker():
            for _ in range(3):
                sleep(0)
            say("tick")
        spawn(ticker)
        soon(signal.SIGUSR1)
        get_hub().loop.begin_outside()  # on a virtual clock too, real time has to pass
        say(repr(signal.sigwait(numbers)))
        send(signal.SIGRTMIN + 1)
        say(signal.sigwait(iter(numbers)) == signal.SIGRTMIN + 1)
        send(signal.SIGUSR1)
        say(signal.sigwaitinfo(numbers).si_signo == signal.SIGUSR1)
        send(signal.SIGUSR1)
        say(signal.sigtimedwait(numbers, 1).si_signo == signal.SIGUSR1, signal.sigtimedwait(numbers, 0.02))
        say(signal.sigtimedwait(numbers, 0))
        for arguments in ((numbers, -1), (numbers, "x"), (None, 1)):
            try:
                signal.sigtimedwait(*arguments)
            except (ValueError, TypeError) as error:
                say(type(error).__name__)
        with hubcore.Timeout(0.05, False):
            signal.sigwait(numbers)
        send(signal.SIGUSR1)  # is left for the next
        say(signal.sigwait(numbers) == signal.SIGUSR1)
        """,
        hub_backend,
    )
    assert said == [
        "tick",
        "<Signals.SIGUSR1: 10>",
        "True",
        "True",
        "True None",
        "None",
        "ValueError",
        "TypeError",
        "TypeError",
        "True",
    ]


@pytest.mark.parametrize("name", ["alarm", "siginterrupt", "default_int_handler", "Signals", "SIGTERM", "strsignal"])
def test_the_rest_is_the_standard_librarys(name):
    import signal as stdlib

    from hubcore import signal

    assert getattr(signal, name) is getattr(stdlib, name)
    assert set(dir(stdlib)) <= set(dir(signal))
    assert all(getattr(stdlib, name) is not getattr(signal, name) for name in signal.__implements__)
