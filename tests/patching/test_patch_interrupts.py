"""After patch_all: Ctrl-C, interrupt_main and signals where threads are greenlets. In processes of their own."""

import pytest

from hubcore.testing import run_python


def test_ctrl_c_in_a_thread_is_the_main_threads(hub_backend):
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import os, signal, threading, _thread

        for call in (lambda: os.kill(os.getpid(), signal.SIGINT), _thread.interrupt_main):
            def run():
                call()
                threading.Event().wait()
            try:
                threading.Thread(target=run, daemon=True).start()
                threading.Event().wait(10)
            except KeyboardInterrupt:
                print("interrupted")
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("interrupted\ninterrupted\n", "")


def test_a_second_ctrl_c_in_a_thread_ends_a_program_whose_main_greenlet_waits_no_more(hub_backend):
    """Its wait is over when the signals come: it has only to go on, and then the program ends."""
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import os, signal, threading

        def run():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                pass

        threading.Thread(target=run).start()
        print("main went on")
        """,
        hub_backend,
        status=-2,
    )
    assert done.stdout == ""
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.endswith("KeyboardInterrupt\n")


COMPUTES = """
    import hubcore.monkey
    hubcore.monkey.patch_all(**ARGUMENTS)
    import os, signal, threading, time

    log = []
    def interrupt():
        os.kill(os.getpid(), signal.SIGINT)
    def computes(times):
        try:
            for _ in range(times):
                interrupt()
                sum(range(1000))
            log.append("thread went on")
        except KeyboardInterrupt:
            log.append("thread interrupted")
    def play(times):
        log.clear()
        thread = threading.Thread(target=computes, args=(times,))
        try:
            thread.start()
            threading.Event().wait(10)
        except KeyboardInterrupt:
            log.append("main interrupted")
        try:
            thread.join()
            time.sleep(0.01)
        except KeyboardInterrupt:
            log.append("main interrupted again")
        print(log)
"""


def test_a_first_ctrl_c_leaves_the_thread_alone_and_a_second_does_not(hub_backend):
    done = run_python(
        COMPUTES.replace("ARGUMENTS", "{}")
        + """
    for times in (1, 2, 1, 2):
        play(times)
    print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """,
        hub_backend,
    )
    first = "['thread went on', 'main interrupted']\n"
    second = "['thread interrupted', 'main interrupted']\n"
    assert (done.stdout, done.stderr) == ((first + second) * 2 + "True\n", "")


def test_a_program_that_sets_the_default_handler_again_has_the_same(hub_backend):
    done = run_python(
        COMPUTES.replace("ARGUMENTS", "{}")
        + """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt()
    print(before is signal.default_int_handler)
    print(signal.signal(signal.SIGINT, before) == signal.SIG_IGN)
    play(1)
    print(signal.signal(signal.SIGUSR1, signal.default_int_handler) == signal.SIG_DFL)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
    except KeyboardInterrupt:
        print("as python's")
    """,
        hub_backend,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True", "True", "['thread went on', 'main interrupted']", "True", "as python's"]


@pytest.mark.parametrize("arguments", ["{'thread': False}", "{'signal': False}"])
def test_without_either_patch_the_greenlet_that_computes_gets_it(hub_backend, arguments):
    done = run_python(
        COMPUTES.replace("ARGUMENTS", arguments).replace("threading.Thread(", "hubcore.threading.Thread(")
        + """
    import hubcore.threading
    import hubcore
    task = hubcore.spawn(computes, 1)
    task.join()
    print(log)
    """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("['thread interrupted']\n", "")


def test_ctrl_c_while_the_hub_polls_or_a_handler_runs_or_in_the_main_greenlet(hub_backend):
    done = run_python(
        COMPUTES.replace("ARGUMENTS", "{}")
        + """
    try:
        interrupt()
    except KeyboardInterrupt:
        print("at once")
    os.system("true")
    import subprocess, sys
    code = f"import os, time; time.sleep(.3); os.kill({os.getpid()}, 2); time.sleep(.3)"
    subprocess.Popen([sys.executable, "-S", "-c", code])
    try:
        os.wait()
    except KeyboardInterrupt:
        print("while it sleeps")
    os.wait()
    def handler(number, frame):
        try:
            interrupt()
        except KeyboardInterrupt:
            print("in the handler")
    signal.signal(signal.SIGUSR1, handler)
    os.kill(os.getpid(), signal.SIGUSR1)
    play(1)
    """,
        hub_backend,
    )
    expected = "at once\nwhile it sleeps\nin the handler\n['thread went on', 'main interrupted']\n"
    assert (done.stdout, done.stderr) == (expected, "")


def test_a_handler_may_wait_where_a_greenlet_interrupts_the_main_thread(hub_backend):
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import _thread, signal, threading, time

        done = threading.Event()

        def handler(signum, frame):
            time.sleep(0.001)
            print(signum == signal.SIGUSR1)
            done.set()

        signal.signal(signal.SIGUSR1, handler)
        threading.Thread(target=_thread.interrupt_main, args=(signal.SIGUSR1,)).start()
        done.wait(10)
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize("backend", ["libev", "libuv"])  # signals take real time
def test_a_forked_child_leaves_the_parents_signals_alone(backend):
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import os, signal, time

        class Alarm(Exception):
            pass

        def handler(number, frame):
            raise Alarm

        def wait_for_alarm():
            start = time.monotonic()
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                time.sleep(20)
            except Alarm:
                return time.monotonic() - start

        signal.signal(signal.SIGALRM, handler)
        assert wait_for_alarm() < 10  # the hub watches for signals from here on
        if not (child := os.fork()):
            time.sleep(0.01)
            os._exit(0)
        assert os.waitpid(child, 0) == (child, 0)
        assert wait_for_alarm() < 10
        """,
        backend,
    )
    assert (done.stdout, done.stderr) == ("", "")
