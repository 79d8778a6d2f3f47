"""Misbehaving children, too many children, and other code in the process that deals with children."""

import errno
import os
import resource
import signal
import subprocess as stdlib
import sys
import textwrap
import threading

import pytest

import hubcore
from hubcore import subprocess
from hubcore.pool import Pool
from hubcore.subprocess import PIPE, Popen
from hubcore.testing import run_python

PRELUDE = """
import os, signal, sys, threading, time, warnings
import hubcore
from hubcore import subprocess
from hubcore.subprocess import PIPE, Popen
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # CPython 3.12 and later
"""


def lines(code, backend, **options):
    done = run_python(PRELUDE + textwrap.dedent(code), backend, **options)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def open_fds():
    return set(os.listdir("/proc/self/fd"))


def children_left():
    """Whether this process has any child, a zombie or alive."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


# Starts that fail.


def failure(module, *args, **kwargs):
    with pytest.raises((OSError, ValueError, TypeError, LookupError, AttributeError, stdlib.SubprocessError)) as failed:
        module.Popen(*args, **kwargs)
    error = failed.value
    return type(error), error.args, getattr(error, "filename", None)


def raises():
    raise RuntimeError("in the child")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_start_that_fails_raises_what_the_standard_librarys_raises_and_leaves_nothing(hub, tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}
    for args, kwargs in (
        ([["/no/such/program"]], {}),
        ([["no-such-program"]], pipes),
        ([[str(plain)]], pipes),
        ([["true"]], {"cwd": "/no/such/directory", **pipes}),
        ([["true"]], {"preexec_fn": raises, **pipes}),
        ([["true"]], {"env": {"a=b": "c"}, **pipes}),
        ([["true\0"]], pipes),
        ([["true"]], {"pass_fds": (-1,), **pipes}),
        ([["true"]], {"user": "no such user", **pipes}),
        ([["true"]], {"encoding": "no such encoding", "stdin": PIPE}),
        ([["true"]], {"stdin": PIPE, "stdout": "no file"}),
    ):
        expected = failure(stdlib, *args, **kwargs)
        fds = open_fds()
        assert failure(subprocess, *args, **kwargs) == expected
        assert open_fds() == fds
    assert not children_left()


def test_without_fds_left_a_start_fails_and_leaks_none(hub):
    subprocess.run(["true"], capture_output=True)
    fds = open_fds()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, fds)) + 30, hard))
        while True:
            try:
                held.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        failures = []
        for free in range(12):
            for fd in held[:free]:
                os.close(fd)
            try:
                done = subprocess.run(["echo"], stdin=PIPE, stdout=PIPE, stderr=PIPE)
                assert (done.returncode, done.stdout) == (0, b"\n")
            except OSError as error:
                failures.append(error.errno)
            for i in range(free):
                held[i] = os.open(os.devnull, os.O_RDONLY)
        assert 6 <= len(failures) < 12
        assert set(failures) == {errno.EMFILE}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)
    assert open_fds() == fds
    assert not children_left()


def test_without_a_pidfd_a_thread_waits(hub, monkeypatch):
    def none_left(pid, flags=0):
        raise OSError(errno.EMFILE, "none left")

    monkeypatch.setattr(os, "pidfd_open", none_left)
    child = Popen(["sleep", "0.02"])
    told = []
    child.rawlink(told.append)
    assert child.wait() == 0
    while not told:
        hubcore.sleep(0.001)
    assert told == [child]
    found = []
    thread = threading.Thread(target=lambda: found.append(Popen(["sleep", "0.01"]).wait(timeout=20)))
    thread.start()
    thread.join(20)
    assert found == [0]


# Whatever else there is in the process.


def test_a_child_that_somebody_else_reaps_has_returned_0(hub):
    child = Popen(["/bin/sh", "-c", "exit 3"])
    task = hubcore.spawn(child.wait)
    os.waitpid(child.pid, 0)
    assert task.get() == 0
    assert child.returncode == 0
    child = Popen(["/bin/sh", "-c", "exit 3"])
    os.waitpid(child.pid, 0)
    child.rawlink(lambda source: None)
    assert hubcore.wait([child]) == [child]
    assert child.returncode == 0


def test_sigchld_is_the_programs(hub_backend):
    said = lines(
        """
        caught = []
        def handler(*ignored):
            caught.append(signal.SIGCHLD)
        signal.signal(signal.SIGCHLD, handler)
        print(hubcore.spawn(subprocess.call, ["/bin/sh", "-c", "exit 3"]).get(), len(caught))
        print(signal.getsignal(signal.SIGCHLD) is handler)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps, and nobody learns the status
        print(hubcore.spawn(subprocess.call, ["/bin/sh", "-c", "sleep 0.02; exit 3"]).get())
        print(hubcore.spawn(subprocess.check_output, ["/bin/sh", "-c", "sleep 0.02; echo a"]).get())
        print(signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN)
        """,
        hub_backend,
    )
    assert said == ["3 1", "True", "0", "b'a\\n'", "True"]


def test_ctrl_c_while_waiting_gives_the_child_its_time_and_leaves_it_usable(hub_backend):
    said = lines(
        """
        def interrupt_soon():
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        for where in ("without a hub", "with one"):
            for wait in (lambda: child.wait(), lambda: child.communicate(), lambda: child.wait(20)):
                with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child, Popen(["sleep", "60"], stdout=PIPE) as child:
                    try:
                        interrupt_soon()
                        wait()
                    except KeyboardInterrupt:
                        print("interrupted", child.poll())
                    child.kill()
                    print(child.communicate()[0], child.wait())
            hubcore.get_hub()
        """,
        hub_backend,
        timeout=60,
    )
    assert said == ["interrupted None", "b'' -9"] * 6


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_what_a_child_is_given(hub):
    read, write = os.pipe()
    try:
        show = "import os, sys; os.write(int(sys.argv[1]), b'%d %d' % (os.getsid(0) == os.getpid(), os.umask(0)))"
        command = [sys.executable, "-Ic", show, str(write)]
        assert subprocess.call(command, pass_fds=(write,), start_new_session=True, umask=0o27) == 0
        assert os.read(read, 100) == b"1 23"
        assert subprocess.call(command, close_fds=True, stderr=subprocess.DEVNULL) == 1
    finally:
        os.close(read)
        os.close(write)
    with Popen(["sleep", "60"], process_group=0) as child:
        assert os.getpgid(child.pid) == child.pid
        os.killpg(child.pid, signal.SIGTERM)
    assert child.returncode == -15
    done = subprocess.run(["/bin/sh", "-c", "pwd; echo $A"], cwd="/", env={"A": "é"}, stdout=PIPE, encoding="utf-8")
    assert done.stdout == "/\né\n"
    called = subprocess.check_output("echo $0", shell=True, executable="/bin/sh", preexec_fn=lambda: os.nice(1))
    assert called == b"/bin/sh\n"
    if os.getuid() == 0:
        assert subprocess.check_output(["/usr/bin/id", "-u"], user=65534, group=65534, extra_groups=[]) == b"65534\n"


def test_2000_children_50_at_once_leave_no_zombie_and_no_fd(hub):
    fds = open_fds()
    pool = Pool(50)
    half = range(1000 if hub.loop.name != "virtual" else 100)
    statuses = list(pool.imap_unordered(lambda i: subprocess.call(["/bin/sh", "-c", f"exit {i % 3}"]), half))
    outputs = pool.map(lambda i: subprocess.check_output(["echo", str(i)]), half)
    assert sorted(statuses) == sorted(i % 3 for i in half)
    assert outputs == [b"%d\n" % i for i in half]
    assert open_fds() <= fds
    assert not children_left()


# Forks, at-fork handlers, threads.


def test_no_at_fork_handler_runs_for_a_child_and_tls_beside_it_is_left_alone(hub_backend):
    """Where handlers run that switch, others go on in the child with the parent's connections (gevent's #2196)."""
    said = lines(
        """
        from tests.support.certificates import client_context, server_context
        from hubcore import socket, ssl
        ran = []
        def handler(where):
            ran.append(where)
            hubcore.sleep(0)
        os.register_at_fork(before=lambda: handler("before"), after_in_parent=lambda: handler("parent"),
                            after_in_child=lambda: handler("child"))
        server, client = server_context(ssl), client_context(ssl)
        left, right = socket.socketpair()
        def echo():
            with server.wrap_socket(left, server_side=True) as connection:
                while data := connection.recv(65536):
                    connection.sendall(data)
        def talk():
            with client.wrap_socket(right, server_hostname="localhost") as connection:
                for _ in range(200):
                    connection.sendall(b"x" * 5000)
                    missing = 5000
                    while missing:
                        missing -= len(connection.recv(65536))
                    hubcore.sleep(0)
            return "whole"
        tasks = [hubcore.spawn(echo), hubcore.spawn(talk)]
        spawning = [hubcore.spawn(subprocess.call, ["true"]) for _ in range(30)]
        hubcore.joinall(spawning)
        print({task.value for task in spawning}, tasks[1].get(), ran)
        """,
        hub_backend,
    )
    assert said == ["{0} whole []"]


def test_with_a_preexec_fn_handlers_run_and_nothing_of_the_parent_goes_on_in_the_child(hub_backend):
    said = lines(
        """
        pid = os.getpid()
        os.register_at_fork(after_in_child=lambda: hubcore.sleep(0))
        def tell():
            while True:
                if os.getpid() != pid:
                    os.write(2, b"in the child")
                hubcore.sleep(0)
        task = hubcore.spawn(tell)
        def prepare():
            hubcore.sleep(0.01)
            os.environ["A"] = "b"
        print([subprocess.call(["true"], preexec_fn=prepare) for _ in range(5)])
        task.kill()
        """,
        hub_backend,
    )
    assert said == ["[0, 0, 0, 0, 0]"]


def test_children_of_threads_of_every_kind(hub_backend):
    """Popen in an executor hung with gevent, by the lock that concurrent.futures takes at a fork (#1865)."""
    said = lines(
        """
        import concurrent.futures
        hubcore.get_hub()
        from hubcore.threadpool import ThreadPool, ThreadPoolExecutor
        def work(i):
            with Popen(["cat"], stdin=PIPE, stdout=PIPE, preexec_fn=os.getpid if i % 5 == 0 else None) as child:
                return child.communicate(b"%d" % i)[0]
        def with_hub(i):
            return hubcore.spawn(work, i).get()
        for executor in (ThreadPoolExecutor(4), concurrent.futures.ThreadPoolExecutor(4)):
            with executor:
                for function in (work, with_hub):
                    found = [future.result(20) for future in [executor.submit(function, i) for i in range(20)]]
                    print(found == [b"%d" % i for i in range(20)])
        pool = ThreadPool(4)
        print(sum(map(int, pool.map(work, range(20)))))
        """,
        hub_backend,
        timeout=60,
    )
    assert said == ["True"] * 4 + ["190"]


def test_in_a_forked_child_the_parents_child_is_nobodys_and_an_own_one_works(hub_backend):
    said = lines(
        """
        child = Popen(["sleep", "60"])
        waiting = hubcore.spawn(child.wait)
        hubcore.sleep(0.01)
        pid = os.fork()
        if pid == 0:
            os.write(1, b"%d %d\\n" % (child.wait(), subprocess.call(["/bin/sh", "-c", "exit 3"])))
            os._exit(0)
        os.waitpid(pid, 0)
        print(child.poll(), waiting.ready())
        child.kill()
        print(waiting.get())
        """,
        hub_backend,
    )
    assert said == ["0 3", "None False", "-9"]


def test_at_the_interpreters_exit(hub_backend):
    said = lines(
        """
        import atexit
        left = Popen(["cat"], stdin=PIPE)
        def at_exit():
            print(subprocess.check_output(["echo", "a"]))
            left.stdin.close()
            print(left.wait())
        atexit.register(at_exit)
        hubcore.spawn(subprocess.call, ["true"]).get()
        """,
        hub_backend,
    )
    assert said == ["b'a\\n'", "0"]


def test_asyncio_runs_children_by_it_in_a_greenlet(hub_backend):
    said = lines(
        """
        import asyncio, subprocess as stdlib
        for name in subprocess.__implements__:
            setattr(stdlib, name, getattr(subprocess, name))
        print(stdlib.run(["echo", "a"], capture_output=True).stdout, stdlib.Popen is Popen)
        async def main():
            child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
            first = await child.communicate(b"x" * 200000)
            shell = await asyncio.create_subprocess_shell("echo e >&2; exit 3", stderr=PIPE)
            line = await shell.stderr.readline()
            return len(first[0]), child.returncode, line, await shell.wait()
        print(hubcore.spawn(asyncio.run, main()).get())
        """,
        hub_backend,
    )
    assert said == ["b'a\\n' True", "(200000, 0, b'e\\n', 3)"]


def test_a_child_that_somebody_else_has_reaped_is_not_killed(hub_backend):
    done = run_python(
        """
        import os, signal
        from hubcore import monkey
        monkey.patch_all()
        import subprocess
        from hubcore._process import popen as _popen

        killed = []
        _popen.os = type("os", (), {**vars(os), "kill": staticmethod(lambda *args: killed.append(args))})
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps, and may give the pid to another process
        for program, options in (("/nowhere", {}), ("true", {"preexec_fn": lambda: 1 / 0})):
            try:
                subprocess.Popen([program], **options)
            except (OSError, subprocess.SubprocessError) as error:
                print(type(error).__name__)
        print(killed)
        """,
        hub_backend,
    )
    assert (done.stdout, done.stderr) == ("FileNotFoundError\nSubprocessError\n[]\n", "")
