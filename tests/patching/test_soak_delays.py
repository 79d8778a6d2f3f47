"""Patched programs under random delays: each thread may lose the processor at any byte code, by a seed."""

import os

import pytest

from hubcore.testing import run_python
from tests.support.delays import DELAYS
from tests.support.existing_locks import EXISTING_LOCKS

SEEDS = int(os.environ.get("SOAK_SEEDS", "60"))

POOL = """
import hubcore.monkey
hubcore.monkey.patch_all()
import multiprocessing, os, signal, sys, time
def work(n):
    time.sleep(0.001)
    return n
def quiet():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if __name__ == "__main__":
    rng = _random.Random(SEED)
    try:
        with multiprocessing.Pool(2, quiet) as pool:
            result = pool.map_async(work, range(200), 1)
            hubcore.spawn_later(rng.random() * 0.1, os.kill, os.getpid(), signal.SIGINT)
            result.get()
            time.sleep(10)
    except KeyboardInterrupt:
        print("fine")
"""

EXECUTORS = """
import hubcore.monkey
hubcore.monkey.patch_all()
import hubcore, logging, threading
from hubcore.threadpool import ThreadPool, ThreadPoolExecutor
logging.basicConfig(stream=open("/dev/null", "w"))
lock, condition, done = threading.Lock(), threading.Condition(), []
def work():
    for n in range(10):
        with lock:
            hubcore.sleep(0)
        with condition:
            condition.notify()
            condition.wait(0.001)
        logging.warning("%d", n)
    done.append(1)
pool = ThreadPool(4)
jobs = [pool.spawn(work) for _ in range(4)]
with ThreadPoolExecutor(3) as executor:
    futures = [executor.submit(work) for _ in range(4)]
    hubcore.joinall([hubcore.spawn(work) for _ in range(4)], raise_error=True)
    for each in futures: each.result()
for job in jobs: job.get()
assert len(done) == 12
print("fine")
"""


@pytest.mark.soak
@pytest.mark.parametrize("program", [EXISTING_LOCKS, POOL, EXECUTORS], ids=["existing locks", "pool", "executors"])
def test_a_program_under_random_delays(hub_backend, program):
    if program is POOL and hub_backend == "virtual":
        pytest.skip("children take real time")
    for seed in range(SEEDS):
        code = f"SEED = {seed}\n{DELAYS}\n{program}"
        done = run_python(code, hub_backend, timeout=60, python=("-W", "ignore"))
        assert (done.stdout, done.stderr) == ("fine\n", ""), f"seed {seed}"


def test_ctrl_c_while_a_pool_takes_a_result_leaves_its_threads_alone(hub_backend):
    """In the thread that takes results, an interrupt would end it, and the pool could not end any more."""
    if hub_backend == "virtual":
        pytest.skip("children take real time")
    done = run_python(
        """
        import hubcore.monkey
        hubcore.monkey.patch_all()
        import multiprocessing, os, signal, threading, time

        def interrupts(parent):
            if os.getpid() == parent:
                names.append(threading.current_thread().name)
                os.kill(parent, signal.SIGINT)
            return 1

        class Result:
            def __init__(self, parent): self.parent = parent
            def __reduce__(self): return interrupts, (self.parent,)

        names = []
        multiprocessing.set_start_method("fork")
        try:
            with multiprocessing.Pool(2) as pool:
                others = pool.map_async(time.sleep, [0.3] * 4, 1)  # the pool still waits for these
                pool.apply_async(Result, (os.getpid(),)).get()
                time.sleep(10)
        except KeyboardInterrupt:
            print("interrupted", len(names))
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("interrupted 1\n", "")
