"""Delays at random points of a child process, by a seed: for soaks that look for races between threads."""

#: Goes in front of a program. A thread that serves hubcore takes the GIL from the others at any byte code and keeps it.
DELAYS = """
import faulthandler as _faulthandler
import random as _random
import sys as _sys
import time as _time
import _thread as _thread_module
_faulthandler.dump_traceback_later(25, exit=True)

def _keep_the_gil(seed, nap=_time.sleep, clock=_time.perf_counter):
    from hubcore._base.worker_threads import will_wake_nobody
    will_wake_nobody(_thread_module.get_ident())
    _ready.release()
    rng = _random.Random(seed)
    while True:
        nap(rng.random() * rng.choice([0.0001, 0.001, 0.003]))
        end = clock() + rng.random() * rng.choice([0.0001, 0.001, 0.005])
        while clock() < end:
            pass

_ready = _thread_module.allocate_lock()
_ready.acquire()
_thread_module.start_new_thread(_keep_the_gil, (SEED,))
_ready.acquire()
_sys.setswitchinterval(_random.Random(SEED).choice([1e-6, 1e-5, 1e-4, 1e-3]))
"""
