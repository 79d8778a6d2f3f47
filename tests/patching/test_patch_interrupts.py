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


def test_ctrl_c_in_a_thread_ends_a_program_whose_main_greenlet_waits_no_more(hub_backend):
    """Its wait is over when the signal comes: it has only to go on, and then the program ends."""
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import os, signal, threading

        def run():
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
