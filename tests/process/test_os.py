"""hubcore.os: waiting for children of all kinds while others run; closing, reading and writing fds."""

import os as stdlib
import textwrap

import pytest

import hubcore
from hubcore import os
from hubcore.testing import run_python

PRELUDE = """
import gc, resource, signal, sys, threading, warnings, hubcore
import os as stdlib
import time as native
from hubcore import get_hub, os, sleep, spawn
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # CPython 3.12 and later

def say(*words):
    stdlib.write(1, (" ".join(map(str, words)) + chr(10)).encode())

def child(status=3, seconds=None):
    "It ends then; by default once the wait for it has let others run."
    pid = stdlib.fork()
    if pid == 0:
        stdlib.read(gate, 1) if seconds is None else native.sleep(seconds)
        stdlib._exit(status)
    if seconds is None:
        once_others_ran(open_gate)
    return pid

def once_others_ran(call, *arguments):
    def wait():
        for _ in range(4):
            sleep(0.01)
        call(*arguments)
    spawn(wait)

def open_gate():
    stdlib.write(opens, b"\\n")

def count():
    while True:
        sleep(0.01)
        ticks.append(1)

def counted(wait, *arguments):
    "What it returns, and whether others ran meanwhile."
    del ticks[:]
    result = wait(*arguments)
    return result, len(ticks) > 1

ticks = []
gate, opens = stdlib.pipe()
get_hub().loop.begin_external(False)  # on a virtual clock too, real time has to pass
spawn(count)
"""


def lines(code, backend):
    """What the program prints, line by line; nothing may come on stderr."""
    done = run_python(PRELUDE + textwrap.dedent(code), backend)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


def test_every_way_to_wait_for_a_child_lets_others_run(hub_backend):
    said = lines(
        """
        def parts(result):
            return (result[0], result[1]) if isinstance(result, tuple) and len(result) < 4 else result
        for name, arguments in (
            ("waitpid", lambda pid: (pid, 0)),
            ("waitpid", lambda pid: (-1, 0)),
            ("waitpid", lambda pid: (0, 0)),
            ("waitpid", lambda pid: (-stdlib.getpgrp(), 0)),
            ("wait", lambda pid: ()),
            ("wait3", lambda pid: (0,)),
            ("wait4", lambda pid: (pid, 0)),
        ):
            pid = child()
            result, others_ran = counted(getattr(os, name), *arguments(pid))
            kind = len(result) == 2 or isinstance(result[2], resource.struct_rusage)
            say(name, result[0] == pid, stdlib.waitstatus_to_exitcode(result[1]), kind, others_ran)
        for kind, of in (
            (stdlib.P_PID, lambda pid: pid), (stdlib.P_ALL, lambda pid: 0), (stdlib.P_PIDFD, stdlib.pidfd_open),
        ):
            pid = child()
            found, others_ran = counted(os.waitid, kind, of(pid), stdlib.WEXITED | stdlib.WNOWAIT)
            say("waitid", found.si_pid == pid, found.si_status, others_ran)
            say(os.waitid(kind, of(pid), stdlib.WEXITED).si_pid == pid)  # it was left there
        """,
        hub_backend,
    )
    assert said == [
        *4 * ["waitpid True 3 True True"],
        "wait True 3 True True",
        "wait3 True 3 True True",
        "wait4 True 3 True True",
        *3 * ["waitid True 3 True", "True"],
    ]


def test_stops_and_continuations_are_waited_for(hub_backend):
    said = lines(
        """
        pid = child(seconds=100)
        for number, options in ((signal.SIGSTOP, os.WUNTRACED), (signal.SIGCONT, os.WCONTINUED), (signal.SIGKILL, 0)):
            once_others_ran(stdlib.kill, pid, number)
            (found, status), others_ran = counted(os.waitpid, pid, options)
            say(found == pid, os.WIFSTOPPED(status), os.WIFCONTINUED(status), os.WIFSIGNALED(status), others_ran)
        """,
        hub_backend,
    )
    assert said == ["True True False False True", "True False True False True", "True False False True True"]


def test_errors_and_answers_at_once_are_the_standard_librarys(hub_backend):
    said = lines(
        """
        pid = child()
        say(os.waitpid(pid, os.WNOHANG), os.waitpid(-1, os.WNOHANG), os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG))
        found = os.wait4(pid, 0)
        for name, arguments in (
            ("wait", ()), ("waitpid", (-1, 0)), ("waitpid", (pid, 0)), ("waitpid", (1, 0)), ("waitpid", (-99999, 0)),
            ("waitpid", (pid, 1 << 20)), ("waitpid", ("1", 0)), ("waitpid", (1, None)), ("waitpid", (1 << 80, 0)),
            ("wait3", (0,)), ("wait3", ("x",)), ("wait4", (-1, 0)), ("wait4", (None, 0)),
            ("waitid", (os.P_ALL, 0, os.WEXITED)), ("waitid", (os.P_PID, pid, 0)), ("waitid", (77, 0, os.WEXITED)),
            ("waitid", ("x", 0, 0)), ("waitid", (os.P_PIDFD, 999, os.WEXITED)),
        ):
            errors = []
            for module in (stdlib, os):
                try:
                    getattr(module, name)(*arguments)
                except Exception as error:
                    errors.append(repr(error))
            if len(errors) != 2 or errors[0] != errors[1]:
                say(name, arguments, errors)
        """,
        hub_backend,
    )
    assert said == ["(0, 0) (0, 0) None"]


def test_of_several_who_wait_for_one_child_the_first_gets_its_status(hub_backend):
    said = lines(
        """
        def wait(pid):
            try:
                return os.waitpid(pid, 0)[1] >> 8
            except ChildProcessError:
                return "ECHILD"
        pid = child()
        tasks = [spawn(wait, pid) for _ in range(3)] + [spawn(wait, -1)]
        hubcore.joinall(tasks)
        say(*sorted(str(task.value) for task in tasks))
        pid = child()
        task = spawn(wait, pid)
        def elsewhere():
            try:
                stdlib.waitpid(pid, 0)
            except ChildProcessError:
                pass
        thread = threading.Thread(target=elsewhere)  # somebody else reaps it, or the task
        thread.start()
        task.join()
        thread.join()
        say(task.value in ("ECHILD", 3))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel does
        say(wait(child()), wait(-1))
        """,
        hub_backend,
    )
    assert said == ["3 ECHILD ECHILD ECHILD", "True", "ECHILD ECHILD"]


def test_many_children_at_once(hub_backend):
    said = lines(
        """
        fds = len(stdlib.listdir("/proc/self/fd"))
        pids = {child(number, 0.05): number for number in range(30)}
        by_pid = [spawn(os.waitpid, pid, 0) for pid in list(pids)[:15]]
        hubcore.joinall(by_pid)
        found = dict(task.value for task in by_pid)
        anybody = [spawn(os.wait) for _ in range(15)]
        hubcore.joinall(anybody)
        found.update(task.value for task in anybody)
        say({pid: status >> 8 for pid, status in found.items()} == pids)
        say(len(stdlib.listdir("/proc/self/fd")) - fds)
        """,
        hub_backend,
    )
    assert said == ["True", "0"]


def test_a_wait_that_is_given_up_reaps_nobody_and_leaves_one_thread_at_most(hub_backend):
    said = lines(
        """
        pid = child(seconds=30)
        fds = len(stdlib.listdir("/proc/self/fd"))
        for pids in (pid, -1) * 5:
            with hubcore.Timeout(0.01, False):
                os.waitpid(pids, 0)
                say("no")
        say(len(stdlib.listdir("/proc/self/fd")) - fds, len(sys._current_frames()))
        stdlib.kill(pid, 9)
        say(stdlib.waitpid(pid, 0)[1])
        """,
        hub_backend,
    )
    assert said == ["0 2", "9"]


def test_fork_and_watch_calls_back_and_keeps_the_status_for_who_asks(hub_backend):
    said = lines(
        """
        def watched(callback=None, **options):
            pid = os.fork(callback, **options)
            if pid == 0:
                native.sleep(0.02)
                stdlib._exit(4)
            return pid
        def callback(watcher):
            say("ended", watcher.pid == watcher.rpid == pid, watcher.rstatus >> 8)
            done.set()
        from hubcore.event import Event
        done = Event()
        pid = watched(callback)
        done.wait()
        for _ in range(2):
            try:
                say(os.waitpid(pid, 0) == (pid, 4 << 8))
            except ChildProcessError:
                say("ECHILD")
        done.clear()
        pid = watched(callback)
        say(os.waitpid(pid, 0)[1] >> 8)  # who waits at the same time gets it as well
        done.wait()
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            say("ECHILD")
        pid = watched()  # this one is ours alone
        sleep(0.1)
        say(stdlib.waitpid(pid, 0)[1] >> 8)
        """,
        hub_backend,
    )
    assert said[:3] == ["ended True 4", "True", "ECHILD"]
    assert sorted(said[3:5]) == ["4", "ended True 4"]
    assert said[5:] == ["ECHILD", "4"]


def test_the_status_that_a_watcher_has_reaped_is_known_to_every_wait(hub_backend):
    said = lines(
        """
        from hubcore.event import Event
        def watched(how):
            done = Event()
            def callback(watcher):
                statuses.append(watcher.rstatus)
                done.set()
            pid = os.fork(callback)
            if pid == 0:
                how()
            return pid, done
        statuses = []
        ways = [lambda: stdlib._exit(4), lambda: stdlib.kill(stdlib.getpid(), 9)]
        ask = [
            ("wait3", lambda pid: (0,)), ("wait4", lambda pid: (pid, 0)), ("wait4", lambda pid: (-1, 0)),
            ("waitid", lambda pid: (os.P_PID, pid, os.WEXITED)), ("waitid", lambda pid: (os.P_ALL, 0, os.WEXITED)),
        ]
        for name, arguments in ask:
            for how in ways:
                pid, done = watched(how)
                done.wait()
                if name == "waitid":
                    first = os.waitid(*arguments(pid)[:2], os.WEXITED | os.WNOWAIT)
                    found = os.waitid(*arguments(pid))
                    say(first == found, found.si_pid == pid, found.si_signo == 17, found.si_code, found.si_status)
                else:
                    found = getattr(os, name)(*arguments(pid))
                    say(found[0] == pid, found[1], isinstance(found[2], resource.struct_rusage))
                try:
                    getattr(os, name)(*arguments(pid))
                except ChildProcessError:
                    continue
                say("twice")
        for name, arguments in ask:  # who waits at the same time gets it from the kernel, and the watcher is told
            del statuses[:]
            pid, done = watched(ways[0])
            getattr(os, name)(*arguments(pid))
            done.wait()
            say(*statuses)
        """,
        hub_backend,
    )
    exited, killed = "True 1024 True", "True 9 True"
    assert said[:10] == [*3 * [exited, killed], *2 * ["True True True 1 4", "True True True 2 9"]]
    assert said[10:] == 5 * ["1024"]


def test_a_child_with_a_terminal(hub_backend):
    said = lines(
        """
        done = []
        pid, fd = os.forkpty_and_watch(done.append)
        if pid == 0:
            say(stdlib.isatty(0), get_hub().parked.count)
            stdlib._exit(0)
        os.make_nonblocking(fd)
        say(os.nb_read(fd, 100).decode().strip())
        while not done:
            sleep(0.01)
        say(done[0].rstatus, os.forkpty.__module__)
        """,
        hub_backend,
    )
    assert said == ["True 0", "0 hubcore.os"]


def test_system_lets_others_run(hub_backend):
    said = lines(
        """
        wait = f"read line < /proc/{stdlib.getpid()}/fd/{gate}"
        for command in (f"{wait}; exit 5", f"{wait}; kill -9 $$".encode()):
            once_others_ran(open_gate)
            result, others_ran = counted(os.system, command)
            say(stdlib.waitstatus_to_exitcode(result), others_ran)
        for command in (None, "nul" + chr(0)):
            try:
                os.system(command)
            except (TypeError, ValueError) as error:
                say(type(error).__name__)
        """,
        hub_backend,
    )
    assert said == ["5 True", "-9 True", "TypeError", "ValueError"]


def test_reading_and_writing_wait_for_a_non_blocking_fd(hub):
    read, write = stdlib.pipe()
    assert (os.make_nonblocking(read), os.make_nonblocking(read), os.make_nonblocking(write)) == (True, None, True)
    reader = hubcore.spawn(os.nb_read, read, 10)
    hubcore.sleep(0)
    assert os.nb_write(write, b"here") == 4
    assert reader.get() == b"here"
    data = bytes(1 << 20)
    writer = hubcore.spawn(lambda: sum(os.nb_write(write, data[i : i + 65536]) for i in range(0, len(data), 65536)))
    got = 0
    while not writer.ready() or got < writer.value:
        got += len(os.nb_read(read, 65536))
    assert got == writer.value >= 65536
    stdlib.close(write)
    assert os.nb_read(read, 10) == b""
    stdlib.close(read)


def test_reading_and_writing_in_threads(hub):
    read, write = stdlib.pipe()
    reader = hubcore.spawn(os.tp_read, read, 10)
    hubcore.sleep(0)
    assert not reader.ready()
    assert os.tp_write(write, b"here") == 4
    assert reader.get() == b"here"
    stdlib.close(read)
    stdlib.close(write)
    del hub.threadpool


def test_who_waits_for_an_fd_that_is_closed_gets_an_error(hub):
    read, write = stdlib.pipe()
    os.make_nonblocking(read)
    tasks = [hubcore.spawn(os.nb_read, read, 1), hubcore.spawn(hubcore.os.wait_read, read)]
    for task in tasks:
        task._add_observer()
    hubcore.sleep(0)
    os.close(read)
    hubcore.joinall(tasks)
    assert [task.exception.errno for task in tasks] == [9, 9]
    for fd in (read, -1, "x", None, []):
        with pytest.raises((OSError, TypeError)) as expected:
            stdlib.close(fd)
        with pytest.raises(type(expected.value)) as found:
            os.close(fd)
        assert str(found.value) == str(expected.value)
    os.close(write)


def test_the_rest_is_the_standard_librarys():
    assert os.path is stdlib.path
    assert os.posix_spawn is stdlib.posix_spawn
    assert set(stdlib.__all__) <= set(os.__all__)
    waits = {"wait", "wait3", "wait4", "waitid", "waitpid"}
    fds = {"close", "dup2", "get_blocking", "read", "readv", "set_blocking", "write", "writev"}
    fds |= {"eventfd_read", "eventfd_write", "lockf", "open", "readinto", "sched_yield", "sendfile", "splice"}
    fds &= set(dir(stdlib))
    assert set(os.__implements__) == waits | fds | {"system"}
