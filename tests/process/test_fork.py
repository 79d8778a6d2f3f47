"""fork: the child runs none of the parent's greenlets, can use its own hub, and does not affect the parent."""

import pytest

from hubcore.testing import run_python

PRELUDE = """
import os, sys, threading, warnings, hubcore
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # CPython 3.12 and later
from hubcore import get_hub, sleep, spawn

def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())

def reap(pid):
    done, status = os.waitpid(pid, 0)
    say("child ended with", os.waitstatus_to_exitcode(status))
"""


def lines(code, backend):
    """What the program prints, line by line; nothing may come on stderr."""
    import textwrap

    done = run_python(PRELUDE + textwrap.dedent(code), backend)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_the_child_runs_none_of_the_parents_greenlets_and_the_parent_all(hub_backend):
    said = lines(
        """
        def task(name):
            try:
                sleep(0.05)
                say(os.getpid() == parent, name)
            finally:
                say(os.getpid() == parent, "finally", name)
        parent = os.getpid()
        tasks = [spawn(task, "parked")]
        sleep(0)
        tasks.append(spawn(task, "not started"))
        pid = os.fork()
        if pid == 0:
            sleep(0.2)
            say("child has", get_hub().parked.count, "parked")
            sys.exit(3)
        reap(pid)
        hubcore.joinall(tasks)
        """,
        hub_backend,
    )
    assert said == [
        "child has 0 parked",
        "child ended with 3",
        "True parked",
        "True finally parked",
        "True not started",
        "True finally not started",
    ]


def test_the_child_can_use_its_own_hub_for_everything(hub_backend):
    said = lines(
        """
        spawn(sleep, 100)
        sleep(0)
        before = get_hub()
        pid = os.fork()
        if pid == 0:
            read, write = os.pipe()
            tasks = [hubcore.spawn_later(0.01 * i, int, i) for i in range(3)]
            tasks.append(spawn(lambda: get_hub().wait(get_hub().loop.io(read, 1))))
            hubcore.spawn_later(0.02, os.write, write, b"x")
            hubcore.joinall(tasks)
            say([task.value for task in tasks], get_hub() is before, type(get_hub().loop) is type(before.loop))
            sys.exit(0)
        reap(pid)
        """,
        hub_backend,
    )
    assert said == ["[0, 1, 2, None] False True", "child ended with 0"]


def test_a_child_forked_inside_a_greenlet_ends_with_that_greenlet(hub_backend):
    said = lines(
        """
        def forker():
            pid = os.fork()
            if pid == 0:
                sleep(0.01)
                say("child works", spawn(lambda: 5).get())
            return pid
        task = spawn(forker)
        other = spawn(lambda: (sleep(0.1), say("other in parent", os.getpid() == parent)))
        parent = os.getpid()
        pid = task.get()
        say("main goes on in parent", os.getpid() == parent)
        reap(pid)
        other.join()
        """,
        hub_backend,
    )
    assert sorted(said) == sorted(
        ["main goes on in parent True", "child works 5", "child ended with 0", "other in parent True"]
    )


def test_a_child_forked_inside_a_greenlet_runs_what_it_spawned_to_the_end(hub_backend):
    said = lines(
        """
        def forker():
            pid = os.fork()
            if pid == 0:
                spawn(lambda: (sleep(0.05), say("child's task is done")))
            return pid
        reap(spawn(forker).get())
        """,
        hub_backend,
    )
    assert said == ["child's task is done", "child ended with 0"]


@pytest.mark.parametrize(("spawned", "reports"), [("spawn(forker).join()", 1), ("hubcore.spawn_raw(forker)", 1)])
def test_a_greenlet_that_fails_in_the_child_is_reported_there(hub_backend, spawned, reports):
    done = run_python(
        PRELUDE
        + f"""
def forker():
    pids.append(os.fork())
    if pids[0] == 0:
        raise ValueError("in the " + "child")
pids = []
{spawned}
sleep(0)
reap(pids[0])
""",
        hub_backend,
    )
    assert done.stdout == "child ended with 1\n"
    assert "in the child" in done.stderr
    assert done.stderr.count("Traceback") == reports


def test_finally_blocks_of_the_parents_greenlets_do_not_run_at_the_childs_exit(hub_backend):
    said = lines(
        """
        def task():
            try:
                sleep(0.05)
            finally:
                say("finally in parent:", os.getpid() == parent)
        parent = os.getpid()
        tasks = [spawn(task) for _ in range(3)]
        sleep(0)
        pid = os.fork()
        if pid:
            reap(pid)
            hubcore.joinall(tasks)
        else:
            import gc
            del tasks
            gc.collect()
        """,
        hub_backend,
    )
    assert said == ["child ended with 0"] + 3 * ["finally in parent: True"]


def test_the_child_has_none_of_the_other_threads_greenlets_either(hub_backend):
    said = lines(
        """
        def task():
            try:
                sleep(0.3)
            finally:
                say("finally in parent:", os.getpid() == parent)
        def run():
            spawn(task)
            ready.set()
            get_hub().join()
        parent, ready = os.getpid(), threading.Event()
        get_hub()
        get_hub().loop.begin_external()
        thread = threading.Thread(target=run)
        thread.start()
        ready.wait()
        pid = os.fork()
        if pid == 0:
            sleep(0.01)
            sys.exit(0)
        reap(pid)
        thread.join()
        """,
        hub_backend,
    )
    assert sorted(said) == ["child ended with 0", "finally in parent: True"]


def test_a_fork_watcher_is_called_in_the_child_only(hub_backend):
    said = lines(
        """
        watcher = get_hub().loop.fork(ref=False)
        watcher.start(lambda: say("forked, in child:", os.getpid() != parent))
        parent = os.getpid()
        pid = os.fork()
        sleep(0.01)
        if pid == 0:
            sys.exit(0)
        reap(pid)
        """,
        hub_backend,
    )
    assert said == ["forked, in child: True", "child ended with 0"]


def test_a_child_of_a_process_that_has_no_hub_gets_one_as_usual(hub_backend):
    said = lines(
        """
        pid = hubcore.fork()
        if pid == 0:
            sleep(0.01)
            say("slept")
            sys.exit(0)
        reap(pid)
        """,
        hub_backend,
    )
    assert said == ["slept", "child ended with 0"]


def test_reinit_after_a_fork_is_harmless(hub_backend):
    said = lines(
        """
        sleep(0.001)
        pid = os.fork()
        if pid == 0:
            hubcore.reinit()
            sleep(0.001)
            hubcore.reinit(get_hub())
            sys.exit(0)
        reap(pid)
        """,
        hub_backend,
    )
    assert said == ["child ended with 0"]


def test_signals_reach_the_child_and_the_parent_still_sees_its_own(hub_backend):
    said = lines(
        """
        import signal
        sleep(0.001)
        pid = os.fork()
        if pid == 0:
            task = spawn(sleep, 0.01)
            seen = hubcore.signal_handler(signal.SIGUSR1, lambda: say("child got it"))
            os.kill(os.getpid(), signal.SIGUSR1)
            task.join()
            sleep(0.01)
            sys.exit(0)
        reap(pid)
        seen = hubcore.signal_handler(signal.SIGUSR1, lambda: say("parent got it"))
        os.kill(os.getpid(), signal.SIGUSR1)
        sleep(0.01)
        """,
        hub_backend,
    )
    assert said == ["child got it", "child ended with 0", "parent got it"]


@pytest.mark.slow
def test_a_storm_of_forks_leaves_the_parent_as_it_was(hub_backend):
    said = lines(
        """
        def ticker():
            while True:
                sleep(0.001)
                ticks.append(1)
        ticks = []
        spawn(ticker)
        sleep(0.002)
        fds = len(os.listdir("/proc/self/fd"))
        parent = os.getpid()
        for i in range(50):
            if i % 2:
                pid = os.fork()
                if pid == 0:
                    before = len(ticks)
                    sleep(0.005)
                    os._exit(len(ticks) - before)
            else:
                def forker():
                    pid = os.fork()
                    if pid == 0:
                        sleep(0.001)
                    return pid
                pid = spawn(forker).get()
            done, status = os.waitpid(pid, 0)
            assert status == 0, status
            sleep(0.001)
        before = len(ticks)
        sleep(0.05)
        say(len(ticks) > before, len(os.listdir("/proc/self/fd")) - fds)
        """,
        hub_backend,
    )
    assert said == ["True 0"]


def test_a_greenlet_that_forked_ends_its_child_with_the_status_of_sys_exit(hub_backend):
    said = lines(
        """
        def forker(code):
            pid = os.fork()
            if pid == 0:
                sleep(0)
                sys.exit(code)
            reap(pid)
        for code in (3, None):
            spawn(forker, code).get()
        """,
        hub_backend,
    )
    assert said == ["child ended with 3", "child ended with 0"]


def test_a_signal_handler_that_raises_in_the_child_of_a_greenlet_ends_it(hub_backend):
    said = lines(
        """
        import signal
        import hubcore.socket
        def forker():
            read, write = os.pipe()
            silent, keep = os.pipe()
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(5))
                os.write(write, b"x")
                hubcore.socket.wait_read(silent)
                os._exit(0)
            os.read(read, 1)
            os.kill(pid, signal.SIGTERM)
            reap(pid)
        spawn(forker).get()
        """,
        hub_backend,
    )
    assert said == ["child ended with 5"]


def test_links_of_the_greenlet_that_forked_are_called_in_the_parent_only(hub_backend):
    said = lines(
        """
        def forker():
            global pid
            pid = os.fork()
        parent = os.getpid()
        job = hubcore.Greenlet(forker)
        job.link(lambda job: say("linked in the parent", os.getpid() == parent))
        job.rawlink(lambda job: say("raw in the parent", os.getpid() == parent))
        job.start()
        job.join()
        sleep(0.01)
        if os.getpid() == parent:
            reap(pid)
        """,
        hub_backend,
    )
    assert sorted(said) == ["child ended with 0", "linked in the parent True", "raw in the parent True"]


def test_signals_that_the_parent_watched_do_to_the_child_what_they_did_before(hub_backend):
    said = lines(
        """
        import signal
        import time
        hubcore.signal_handler(signal.SIGTERM, say, "never")
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(write, b"x")
            time.sleep(20)
            os._exit(0)
        os.read(read, 1)  # a signal that comes before the child's first line may be lost
        os.kill(pid, signal.SIGTERM)
        reap(pid)
        """,
        hub_backend,
    )
    assert said == ["child ended with -15"]


def test_a_thread_of_the_child_does_not_get_a_hub_of_the_parent(hub_backend):
    said = lines(
        """
        def with_hub():
            hubs.append(get_hub())
            made.set()
            done.wait()
        hubs, made, done = [], threading.Event(), threading.Event()
        thread = threading.Thread(target=with_hub)
        thread.start()
        made.wait()
        pid = os.fork()
        if pid == 0:
            # glibc gives it the ident of the parent's thread.
            again = threading.Thread(target=lambda: say(get_hub() is hubs[0]))
            again.start()
            again.join()
            os._exit(0)
        reap(pid)
        done.set()
        thread.join()
        """,
        hub_backend,
    )
    assert said == ["False", "child ended with 0"]
