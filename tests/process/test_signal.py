"""hubcore.signal: handlers in greenlets of their own."""

import textwrap

from hubcore.testing import run_python
from tests.support.signal_programs import PRELUDE, lines


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
        get_hub().loop.begin_external()
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
        task = spawn(lambda: (soon(signal.SIGALRM, 0), busy(), "done")[-1])
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
        from hubcore.event import Event
        ended, done = [], Event()
        def handler(*args):
            ended.append(cooperative.waitpid(-1, os.WNOHANG)[0])
            sleep(0)
            if ended[-1]:  # or it was stopped for a while
                done.set()
        signal.signal(signal.SIGCHLD, handler)
        get_hub().loop.begin_external()
        pid = os.posix_spawn(sys.executable, [sys.executable, "-SEc", ""], os.environ)  # it may end before this does
        done.wait()
        say("SIGCHLD", ended[-1] == pid)
        """,
        hub_backend,
    )
    assert said == ["SIGCHLD True"]


def test_a_handler_of_the_programs_may_end_a_wait_for_which_nothing_else_is_left(hub_backend):
    said = lines(
        """
        import subprocess
        from hubcore.event import Event
        stop = Event()
        before = signal.signal(signal.SIGTERM, lambda signum, frame: stop.set())
        # From another process: another thread here would be a reason to wait, too.
        killer = subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -TERM {os.getpid()}"])
        say(stop.wait())
        killer.wait()
        stop.clear()
        signal.signal(signal.SIGTERM, before)
        try:
            stop.wait()
        except hubcore.LoopExit:
            say("nobody can")
        """,
        hub_backend,
    )
    assert said == ["True", "nobody can"]


def test_the_process_ends_after_its_handlers(hub_backend):
    code = """
        from hubcore.event import Event
        stop = Event()
        def handler(signum, frame):
            stop.set()
            sleep(0.05)
            say("handled", signum)
            sys.exit(3)  # too late for the main greenlet
        signal.signal(signal.SIGUSR1, handler)
        signal.signal(signal.SIGTERM, handler)
        get_hub()
        send(signal.SIGUSR1)
        {}
        stop.wait()
        say("end")
        """
    assert lines(code.format("send(signal.SIGTERM)"), hub_backend) == ["end", "handled 10", "handled 15"]
    # Those of the parent are not the child's.
    forks = "if os.fork() == 0: sys.exit()"
    assert lines(code.format(forks), hub_backend) == ["end", "handled 10"]
