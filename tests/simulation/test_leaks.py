"""Each source of chance and its answer: with the answer two runs are the same, and with it taken out they are not.

What a program asks of a built-in function is the seed's while that is exchanged. `ASKED` has a question for each
exchanged function; with the exchange taken back, the answer has to be another one.
"""

import _socket
import contextlib
import datetime
import gc
import itertools
import os
import random
import signal
import socket
import ssl
import sys
import threading
import time
import warnings
import weakref
from importlib import import_module
from select import select as early_select
from time import sleep as early_sleep

import pytest

from hubcore import monkey, sleep
from hubcore import socket as hub_socket
from hubcore.testing import run_python, sim
from hubcore.testing.sim import _again, _builtins, _chance, _inside
from tests.simulation.worlds import here

NUMERIC = "10.0.0.77"  # the real functions look nothing up for a number


def answer(call, *args):
    """What the call gives, or the name of what it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return call(*args)
        except (OSError, TypeError, RuntimeError) as error:
            return type(error).__name__


def time_that_passes():
    before = time.monotonic()
    early_sleep(0.001)
    return before != time.monotonic()


def looked_up(name, *args):
    """Whether the hub's resolver was asked."""
    import hubcore

    hub, asked = hubcore.get_hub(), []

    class Resolver:
        def __getattr__(self, name):
            return lambda *args, **kwargs: asked.append(name)

    before, hub.resolver = hub.resolver, Resolver()
    try:
        getattr(_socket, name)(*args)
    finally:
        hub.resolver = before
    return asked


def native(name, *args):
    """What a call of a native socket comes to."""
    with contextlib.closing(monkey.get_original("socket", "socket")(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        return answer(getattr(_socket.socket, name), sock, *args)


STATE = (3, (*range(624), 624), None)


def with_state():
    random.setstate(STATE)
    return random.getstate()


# By the names of module and function: calls whose results must be the seed's.
ASKED = {
    ("time", "time"): time.time,
    ("time", "time_ns"): time.time_ns,
    ("time", "clock_gettime"): lambda: time.clock_gettime(time.CLOCK_REALTIME),
    ("time", "clock_gettime_ns"): lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC),
    ("time", "strftime"): lambda: time.strftime("%F %T"),
    ("time", "asctime"): time.asctime,
    ("time", "sleep"): time_that_passes,
    ("time", "localtime"): time.localtime,
    ("time", "gmtime"): time.gmtime,
    ("time", "ctime"): time.ctime,
    ("datetime", "now"): datetime.datetime.now,
    ("date", "today"): datetime.date.today,
    ("datetime", "utcnow"): lambda: answer(datetime.datetime.utcnow),
    ("posix", "urandom"): lambda: os.urandom(8),
    ("posix", "getrandom"): lambda: os.getrandom(8),
    ("posix", "getpid"): os.getpid,
    ("posix", "getppid"): os.getppid,
    ("posix", "uname"): lambda: os.uname().nodename,
    ("posix", "kill"): lambda: answer(os.kill, os.getpid(), 999),
    ("_socket", "gethostname"): socket.gethostname,
    ("_socket", "getaddrinfo"): lambda: looked_up("getaddrinfo", NUMERIC, 80),
    ("_socket", "gethostbyaddr"): lambda: looked_up("gethostbyaddr", "127.0.0.1"),
    ("_socket", "gethostbyname"): lambda: looked_up("gethostbyname", NUMERIC),
    ("_socket", "gethostbyname_ex"): lambda: looked_up("gethostbyname_ex", NUMERIC),
    ("_socket", "getnameinfo"): lambda: looked_up(
        "getnameinfo", (NUMERIC, 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    ),
    ("socket", "bind"): lambda: native("bind", ("127.0.0.1", 0)),
    ("socket", "connect"): lambda: native("connect", ("127.0.0.1", 9)),
    ("socket", "connect_ex"): lambda: native("connect_ex", ("127.0.0.1", 9)),
    ("socket", "sendto"): lambda: native("sendto", b"", ("127.0.0.1", 9)),
    ("Random", "seed"): lambda: random.Random().random(),
    ("Random", "random"): random.random,
    ("Random", "getrandbits"): lambda: random.getrandbits(64),
    ("Random", "getstate"): random.getstate,
    ("Random", "setstate"): with_state,
    ("_ssl", "RAND_bytes"): lambda: ssl.RAND_bytes(8),
}  # fmt: skip
for clock in ("monotonic", "perf_counter", "process_time", "thread_time"):
    ASKED["time", clock] = getattr(time, clock)
    ASKED["time", f"{clock}_ns"] = getattr(time, f"{clock}_ns")
# What there is not: called with arguments that the real ones refuse, so that nothing happens. Two take none.
for module, name in _builtins._NOT_SIMULATED:
    ASKED[module, name] = lambda module=module, name=name: answer(getattr(sys.modules[module], name), *([None] * 50))


ASKED["_signal", "alarm"] = lambda: answer(signal.alarm, "soon")
ASKED["posix", "fork"] = lambda: answer(forked, os.fork)
ASKED["posix", "forkpty"] = lambda: answer(forked, os.forkpty)


def forked(fork):
    pid = fork()
    if isinstance(pid, tuple):
        pid, fd = pid
        if pid:
            os.close(fd)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "a child"


def names_of_the_exchanged():
    return {(holder.__name__.removeprefix("datetime."), name) for holder, name, _ in _builtins._table()}


def test_there_is_a_question_for_each_function_that_is_exchanged():
    renamed = {("datetime", name) for name in ("now", "utcnow")}
    assert names_of_the_exchanged() | renamed == ASKED.keys()


def asking(simulation, key, take_out):
    """The answer, of a host to which nothing happened before."""
    sleep(1.5)
    exchange = _builtins._made[key]
    if take_out:
        exchange.take_back()
    try:
        return ASKED[key]()
    finally:
        exchange.make_again()


@pytest.fixture
def state_of_random():
    before = random.getstate()
    yield
    random.setstate(before)


@pytest.mark.parametrize("key", sorted(ASKED), ids=".".join)
def test_an_answer_is_the_seeds_and_without_its_exchange_it_is_not(key, state_of_random):
    if key == ("posix", "getppid") and os.getppid() == 1:
        pytest.skip("the parent of this process is process 1 in reality, too")
    first, again = here(asking, key, False, seed=5), here(asking, key, False, seed=5)
    assert first == again
    assert here(asking, key, True, seed=5) != first


# -- what is no function


def drawing(simulation):
    """A run that draws latencies, faults and orders."""

    def serve():
        with hub_socket.create_server(("", 80)) as listener:
            while True:
                listener.accept()[0].close()

    for name in "ab":
        simulation.host(name, serve)
    simulation.faults("kill", "pause", every=(0.1, 0.5), until=5)
    for _ in range(10):
        with contextlib.suppress(OSError):
            hub_socket.create_connection((simulation.random.choice("ab"), 80), timeout=1).close()
        sleep(simulation.random.random())
    return simulation.digest


@pytest.mark.parametrize("order", ["fifo", "random", "pct"])
def test_the_streams_are_the_seeds(order, monkeypatch):
    assert here(drawing, seed=3, order=order) == here(drawing, seed=3, order=order)
    assert here(drawing, seed=3, order=order) != here(drawing, seed=4, order=order)
    numbers = itertools.count()
    monkeypatch.setattr(_chance, "Random", lambda name: random.Random(next(numbers)))
    assert here(drawing, seed=3, order=order) != here(drawing, seed=3, order=order)


class Node:
    """Part of a cycle, which only the garbage collector ends."""

    def __init__(self):
        self.me = self


def collecting(simulation):
    """In which rounds the collector comes."""
    rounds, watched = [], []
    for number in range(2500):
        watched.append(weakref.ref(Node(), lambda ref, number=number: rounds.append(len(watched))))
        sleep(0.01)
    return rounds


def moments_after(allocated):
    """The moments of a run that begins with so many objects allocated since the last collection."""
    gc.collect()
    kept = [[] for _ in range(allocated)]
    found = here(collecting)
    assert len(kept) == allocated
    return found


def test_the_collector_comes_at_the_same_events_whatever_was_before(monkeypatch):
    first = moments_after(0)
    assert first
    assert first == moments_after(300)
    monkeypatch.setattr(_inside.gc, "disable", lambda: None)
    assert moments_after(0) != moments_after(300)


left = []


def remembering(simulation):
    time.sleep(1 + len(left))
    left.append(simulation.seed)
    return len(left)


def test_a_run_sees_nothing_of_those_before():
    sim.explore(remembering, seeds=5, order="fifo")
    assert left == []
    with pytest.raises(sim.Nondeterminism, match="two runs of seed 0 differ"):
        sim.explore(remembering, seeds=5, order="fifo", fork=False)
    left.clear()


def pooled(simulation):
    from hubcore.threadpool import ThreadPool

    ident = monkey.get_original("_thread", "get_ident")
    return ThreadPool(1).apply(ident) == ident()


def test_a_thread_pools_calls_are_greenlets(monkeypatch):
    assert here(pooled) is True
    monkeypatch.setattr("hubcore.testing.sim._work._begin", lambda call: threading.Thread(target=call).start())
    with pytest.raises((sim.Unsimulated, sim.SimulationDeadlock, RuntimeError)):
        here(pooled)


def select_taken_early(simulation):
    start = simulation.now
    early_select([], [], [], 0.05)
    return simulation.now - start


def test_names_that_were_taken_before_the_patch_follow_it(monkeypatch):
    assert sim.run(select_taken_early) == pytest.approx(0.05, abs=0.01)
    module = import_module("hubcore._patching.patch_all")
    original = module.patch_all
    monkeypatch.setattr(module, "patch_all", lambda rebind: original())
    assert sim.run(select_taken_early) == 0.0


kept_open = []


def test_a_socket_that_c_code_has_opened_fails_the_run_at_its_end(monkeypatch):
    def program(simulation):
        kept_open.append(_socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        kept_open.append(_socket.socketpair())  # within the program
        return kept_open[0].fileno()

    def end():
        while kept_open:
            each = kept_open.pop()
            for sock in each if isinstance(each, tuple) else [each]:
                sock.close()

    with pytest.raises(sim.Unsimulated, match=r"fd \d+, a socket of the real kernel from \('0.0.0.0', 0\)") as caught:
        here(program)
    assert "socket of the real kernel" not in str(caught.value).partition(" and fd ")[2]
    end()
    monkeypatch.setattr("hubcore.testing.sim._natives.check", lambda before: None)
    assert here(program) >= 0
    end()


ORDERS = """
    from hubcore.testing.sim import _again
    {again}
    class Thing:
        def __init__(self, number):
            self.number = number
    print(list({{str(number) for number in range(100)}})[:10])
    print([thing.number for thing in {{Thing(number) for number in range(3000)}}][:50])
"""


def orders(again):
    """Of a set of texts and of a set of objects, in three processes each."""
    code = ORDERS.format(again=again)
    env = {"PYTHONHASHSEED": "random", _again.ENVIRONMENT: ""}
    found = [run_python(code, env=env).stdout.splitlines() for _ in range(3)]
    return [len(set(each)) for each in zip(*found, strict=True)]


def test_the_orders_of_sets_are_those_of_other_processes():
    fixed = orders("_again.execute()")
    assert fixed[0] == 1
    drawn = orders("")
    assert drawn[0] > 1
    if not addresses_can_be_fixed():
        pytest.skip("this system does not let addresses be fixed")
    assert fixed[1] == 1
    assert drawn[1] > 1


def addresses_can_be_fixed():
    code = "from hubcore.testing.sim import _again; _again.execute(); print(_again.what_is_drawn())"
    return run_python(code, env={"PYTHONHASHSEED": "random", _again.ENVIRONMENT: ""}).stdout == "[]\n"
