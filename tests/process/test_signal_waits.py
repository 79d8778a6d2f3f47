"""hubcore.signal: waiting for signals, and the wake-up fd."""

import textwrap

import pytest

from hubcore.testing import run_python
from tests.support.signal_programs import PRELUDE, lines


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
        over = threading.Event()
        def insist():
            "Nobody can see that a thread without a hub has got to the pause, and not only to its call."
            while not over.wait(0.05):
                send(signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, lambda *args: None)
        insisting = threading.Thread(target=insist)
        insisting.start()
        signal.pause()  # without a hub
        over.set()
        insisting.join()
        signal.signal(signal.SIGUSR1, lambda *args: say("handled"))
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        spawn(ticker)
        send(signal.SIGUSR1)
        soon(signal.SIGUSR2, 0.01)
        soon(signal.SIGUSR1)
        signal.pause()
        say("paused")
        """,
        hub_backend,
    )
    assert said == ["handled", "tick", "handled", "paused"]


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
        start = get_hub().loop.now()
        say(repr(signal.sigwait(numbers)), get_hub().loop.now() - start < 20)  # real time, on any clock
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
        "<Signals.SIGUSR1: 10> True",
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
