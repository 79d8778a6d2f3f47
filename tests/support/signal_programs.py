"""Programs for the tests of signals; each test runs one in its own process."""

import textwrap

from hubcore.testing import run_python

PRELUDE = """
import os, sys, threading, hubcore
import signal as stdlib
import time as native
from hubcore import get_hub, getcurrent, signal, sleep, spawn
from hubcore.hub import hubs

def say(*words):
    print(*words, flush=True)

def soon(signum, delay=0.05):
    "Send the signal to this process in a moment of real time, and not before its main thread waits or is busy."
    def send_it():
        native.sleep(delay)
        while not (any(hub.loop.polling for hub in list(hubs)) or in_main().f_code is busy.__code__):
            native.sleep(0.001)
        os.kill(os.getpid(), signum)
    in_main = lambda: sys._current_frames()[threading.main_thread().ident]
    threading.Thread(target=send_it, daemon=True).start()

def send(signum):
    "To this process; its handler is called before this returns."
    os.kill(os.getpid(), signum)

def wait_for_ever():
    "Wait for nothing that comes by itself: real time has to pass, on a virtual clock too."
    get_hub().loop.begin_external()
    try:
        get_hub().park(get_hub().new_waiter("nothing"))
    finally:
        get_hub().loop.end_external()

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
    done = run_python(PRELUDE + textwrap.dedent(code), backend, **options)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]
