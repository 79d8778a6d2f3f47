"""The effect of a fork on handlers, connections, threads and pools; a storm of forks under load."""

import textwrap

import pytest

from hubcore.testing import run_python

PRELUDE = """
import os, sys, threading, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # CPython 3.12 and later

def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())

def reap(pid):
    say("child ended with", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
HUBCORE = """
import hubcore
from hubcore import get_hub, sleep, spawn
"""


def lines(code, backend, *, first="", stderr=""):
    """What the program prints, line by line; nothing else than `stderr` may come on stderr."""
    done = run_python(PRELUDE + textwrap.dedent(first) + HUBCORE + textwrap.dedent(code), backend, timeout=60)
    assert stderr in done.stderr if stderr else done.stderr == ""
    return done.stdout.split("\n")[:-1]


# An application, as OpenTelemetry and Sentry do, has handlers that wait: for a lock, or just so.
HANDLERS = """
import os
def handler(when):
    def wait():
        say(when, "in the parent" if os.getpid() == parent else "in the child")
        hubcore.sleep(0.01)
        say(when, "waited")
    return wait
os.register_at_fork(
    before=handler("before"), after_in_parent=handler("after"), after_in_child=handler("after")
)
"""
PARENT = """
def work():
    while True:
        sleep(0.001)
        if os.getpid() != parent:
            say("a greenlet of the parent runs in the child")
            os._exit(1)
parent = os.getpid()
tasks = [spawn(work) for _ in range(3)]
sleep(0.005)
{fork}
"""
FORK = """
pid = os.fork()
if pid == 0:
    sleep(0.01)
    os._exit(0)
reap(pid)
"""
FORK_IN_A_GREENLET = """
def run():
    pid = os.fork()
    if pid == 0:
        sleep(0.01)
        os._exit(0)
    return pid
reap(spawn(run).get())
"""


@pytest.mark.parametrize("fork", [FORK, FORK_IN_A_GREENLET], ids=["main", "greenlet"])
def test_handlers_of_forks_may_wait_and_nobody_runs_twice(hub_backend, fork):
    said = lines(PARENT.format(fork=fork), hub_backend, first="", stderr="")
    assert said == ["child ended with 0"]
    said = lines(HANDLERS + PARENT.format(fork=fork), hub_backend)
    assert sorted(said) == sorted(
        [
            "before in the parent",
            "before waited",
            "after in the parent",
            "after waited",
            "after in the child",
            "after waited",
            "child ended with 0",
        ]
    )


@pytest.mark.parametrize("fork", [FORK, FORK_IN_A_GREENLET], ids=["main", "greenlet"])
def test_handlers_from_before_hubcore_may_wait_in_the_parent_only(hub_backend, fork):
    said = lines(
        PARENT.format(fork=fork),
        hub_backend,
        first=HANDLERS,
        stderr="BlockingSwitchOutError: this call would have to wait, but it was made by a handler",
    )
    assert sorted(said) == sorted(
        [
            "before in the parent",
            "before waited",
            "after in the parent",
            "after waited",
            "after in the child",
            "child ended with 0",
        ]
    )


def test_a_lock_that_a_greenlet_holds_is_waited_for_before_the_fork(hub_backend):
    said = lines(
        """
        from hubcore.lock import Semaphore
        lock = Semaphore()
        os.register_at_fork(before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release)
        def holder():
            with lock:
                sleep(0.02)
                say("released")
        spawn(holder)
        sleep(0)
        def forker(status):
            pid = os.fork()
            if pid == 0:
                with lock:
                    os._exit(status)
            with lock:
                return pid
        pids = [spawn(forker, status) for status in (5, 6)]  # the second waits for the first
        for pid in pids:
            reap(pid.get())
        """,
        hub_backend,
    )
    assert said == ["released", "child ended with 5", "child ended with 6"]


def test_forks_in_threads_and_workers(hub_backend):
    said = lines(
        """
        from hubcore.threadpool import ThreadPool
        def forker(status):
            pid = os.fork()
            if pid == 0:
                sleep(0.01)
                # What the parent had is made anew.
                worked = ThreadPool(2).apply(int, ("5",)) + spawn(int, "5").get()
                os._exit(status if worked == 10 and get_hub().parked.count == 0 else 99)
            return pid
        pool = ThreadPool(2)
        other = spawn(sleep, 0.2)
        reap(pool.apply(forker, (3,)))
        reap(hubcore.spawn(pool.apply, forker, (4,)).get())
        pids = []
        thread = threading.Thread(target=lambda: pids.append(forker(5)))
        thread.start()
        thread.join()
        reap(pids[0])
        say(pool.apply(int, ("7",)))
        other.join()
        """,
        hub_backend,
    )
    assert said == ["child ended with 3", "child ended with 4", "child ended with 5", "7"]


def test_a_child_has_a_monitor_and_a_resolver_of_its_own(hub_backend):
    said = lines(
        """
        from hubcore import socket
        socket.getaddrinfo("localhost", 80)
        get_hub().start_periodic_monitoring_thread()
        pid = os.fork()
        if pid == 0:
            say(len(socket.getaddrinfo("localhost", 80)) > 0, get_hub().periodic_monitoring_thread)
            say(get_hub().start_periodic_monitoring_thread().alive)
            sys.exit(6)
        reap(pid)
        say(get_hub().periodic_monitoring_thread.alive)
        """,
        hub_backend,
    )
    assert said == ["True None", "True", "child ended with 6", "True"]


@pytest.mark.parametrize(
    ("end", "status", "stderr"),
    [
        ("os._exit(3)", 3, ""),
        ("sys.exit(4)", 4, ""),
        ("sys.exit('bye')", 1, "bye"),
        ("sys.exit()", 0, ""),
        ("raise ValueError('oh')", 1, "ValueError: oh"),
        ("os.kill(os.getpid(), 9)", -9, ""),
        ("raise KeyboardInterrupt", -2, "KeyboardInterrupt"),
    ],
)
def test_a_child_of_the_main_greenlet_ends_as_any_process_does(hub_backend, end, status, stderr):
    said = lines(
        f"""
        spawn(sleep, 0.01)
        sleep(0)
        pid = os.fork()
        if pid == 0:
            sleep(0)
            {end}
        reap(pid)
        """,
        hub_backend,
        stderr=stderr,
    )
    assert said == [f"child ended with {status}"]


def test_a_child_says_nothing_on_its_parents_tls_connections(hub_backend):
    said = lines(
        """
        from tests.support import tls
        theirs, mine = tls.pair()
        def echo():
            while data := theirs.recv(100):
                theirs.sendall(data)
        def ask(connection, what):
            connection.sendall(what)
            return connection.recv(100)
        server = spawn(echo)
        ask(mine, b"hello")
        def forker(end):
            pid = os.fork()
            if pid == 0:
                sleep(0.01)
                end()
            return pid
        for end in (lambda: os._exit(0), sys.exit, lambda: (mine.close(), sys.exit())):
            reap(forker(end) if end is not sys.exit else spawn(forker, end).get())
            say(ask(mine, b"still there"))
        mine.close()
        server.join()
        theirs.close()
        """,
        hub_backend,
    )
    assert said == ["child ended with 0", "b'still there'"] * 3


def test_multiprocessing_forks_beside_greenlets(hub_backend):
    said = lines(
        """
        import multiprocessing
        def work(number, results):
            sleep(0.01)
            results.put((number, os.getpid() != parent, spawn(int, "5").get()))
        context = multiprocessing.get_context("fork")
        parent, results = os.getpid(), context.SimpleQueue()
        others = [spawn(sleep, 0.3) for _ in range(3)]
        sleep(0)
        processes = [context.Process(target=work, args=(number, results)) for number in range(3)]
        for process in processes:
            process.start()
        def fork_in_a_greenlet():
            process = context.Process(target=work, args=(3, results))
            process.start()
            return process
        processes.append(spawn(fork_in_a_greenlet).get())
        say(sorted(results.get() for _ in processes))
        for process in processes:
            process.join()
            say(process.exitcode)
        hubcore.joinall(others)
        """,
        hub_backend,
    )
    assert said == [str([(number, True, 5) for number in range(4)]), *4 * ["0"]]


@pytest.mark.slow
def test_a_storm_of_forks_under_load(hub_backend):
    """200 children while 50 greenlets talk through sockets: nothing is lost, done twice, or left behind."""
    said = lines(
        """
        from hubcore import socket
        from hubcore import os as cooperative
        if get_hub().backend == "virtual":
            get_hub().loop.begin_external()
        parent = os.getpid()
        read, write = os.pipe()
        done, running = [], True
        def talk(number):
            near, far = socket.socketpair()
            def answer():
                while data := far.recv(100):
                    far.sendall(data)
                far.close()
            other = spawn(answer)
            rounds = 0
            while running:
                word = b"%d/%d" % (number, rounds)
                near.sendall(word)
                assert near.recv(100) == word
                assert os.getpid() == parent
                rounds += 1
                sleep(0.001)
            near.close()
            other.join()
            return rounds
        def child(number):
            left, right = socket.socketpair()
            task = spawn(right.recv, 10)
            left.sendall(b"own")
            assert task.get() == b"own"
            sleep(0.001)
            os.write(write, b"%d " % number)
            os._exit(number % 50)
        def fork(number):
            pid = os.fork()
            if pid == 0:
                try:
                    child(number)
                except BaseException as error:
                    say(repr(error))
                    os._exit(99)
            assert os.waitstatus_to_exitcode(cooperative.waitpid(pid, 0)[1]) == number % 50
            done.append(number)
        fds = len(os.listdir("/proc/self/fd"))
        talkers = [spawn(talk, number) for number in range(50)]
        sleep(0.01)
        for start in range(0, 200, 10):
            forkers = [spawn(fork, number) for number in range(start, start + 9)]
            fork(start + 9)
            hubcore.joinall(forkers, raise_error=True)
        running = False
        hubcore.joinall(talkers, raise_error=True)
        say(sorted(done) == list(range(200)), all(task.value > 0 for task in talkers))
        say(sorted(map(int, os.read(read, 10000).split())) == list(range(200)))
        say(len(os.listdir("/proc/self/fd")) - fds)
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            say("no zombie")
        """,
        hub_backend,
    )
    assert said == ["True True", "True", "0", "no zombie"]
