"""Children, signals and fork, each in a Python process of its own that does not know the backend either."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.conformance.conftest import Child


def test_every_child_is_reported_with_its_status_also_one_that_ended_before(child: Child) -> None:
    """A backend must watch the fd by which the loop learns of a child's end."""
    printed = child(
        """
        import os, subprocess, sys
        import hubcore

        hub = hubcore.get_hub()
        codes = [0, 1, 2, 3]
        children = [subprocess.Popen(["/bin/sh", "-c", f"exit {code}"]) for code in codes]
        early = subprocess.Popen(["/bin/sh", "-c", "exit 9"])
        killed = subprocess.Popen(["/bin/sh", "-c", "kill -TERM $$"])
        os.waitid(os.P_PID, early.pid, os.WEXITED | os.WNOWAIT)
        watchers = [hub.loop.child(child.pid) for child in [*children, early, killed]]
        for watcher in watchers:
            watcher.start(lambda watcher=watcher: print(watcher.rpid == watcher.pid, watcher.active))
        assert hub.loop.alive()
        hub.join()
        for watcher in watchers:
            print(os.waitstatus_to_exitcode(watcher.rstatus))
        for child in [*children, early, killed]:
            child.returncode = 0  # reaped, not by Popen
        assert not hub.loop.alive()
        hub.destroy()
        """,
    )
    assert printed.split("\n") == ["True False"] * 6 + ["0", "1", "2", "3", "9", "-15", ""]


def test_a_child_takes_real_time_on_every_clock(child: Child) -> None:
    """A backend must let real time pass for a child. Also on a clock that jumps, the child comes before the timer
    of an hour."""
    printed = child(
        """
        import subprocess
        import hubcore

        hub = hubcore.get_hub()
        child = subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE)
        watcher = hub.loop.child(child.pid)
        watcher.start(print, "the child")
        hour = hub.loop.timer(3600.0)
        hour.start(print, "the hour")
        hub.loop.run_callback(child.stdin.close)
        while watcher.active:
            hubcore.sleep(0.01)
        hour.stop()
        child.returncode = 0
        """,
    )
    assert printed == "the child\n"


def test_a_child_in_another_threads_loop_and_one_reaped_by_somebody_else(child: Child) -> None:
    """A backend must report the ends of children in any thread's loop, not only in the main one."""
    printed = child(
        """
        import os, subprocess, threading
        import hubcore

        def in_thread():
            hub = hubcore.get_hub()
            child = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
            watcher = hub.loop.child(child.pid)
            watcher.start(print, "ended")
            hub.join()
            child.returncode = os.waitstatus_to_exitcode(watcher.rstatus)
            print(child.returncode)

            child = subprocess.Popen(["/bin/sh", "-c", "exit 8"])
            watcher = hub.loop.child(child.pid)
            watcher.start(print, "gone")
            child.wait()
            hub.join()
            print(watcher.rpid == child.pid, watcher.rstatus)

        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        """,
    )
    assert printed.split() == ["ended", "7", "gone", "True", "0"]


def test_a_child_without_ref_does_not_keep_the_loop_alive_and_a_wrong_pid_is_refused(child: Child) -> None:
    """A backend must release the fd of a child's watcher that is closed."""
    printed = child(
        """
        import os, subprocess
        from hubcore.backends import loop_class

        loop = loop_class()()
        child = subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE)
        fds = len(os.listdir("/dev/fd"))
        watcher = loop.child(child.pid, ref=False)
        watcher.start(print)
        print(loop.alive())
        loop.run()
        watcher.ref = True
        print(loop.alive())
        watcher.close()
        print(loop.alive(), len(os.listdir("/dev/fd")) - fds)
        child.communicate()
        try:
            loop.child(child.pid).start(print)
        except ChildProcessError as error:
            print(str(child.pid) in str(error))
        for pid in (0, -1, None):
            try:
                loop.child(pid)
            except ValueError:
                print("refused")
        loop.close()
        """,
    )
    assert printed.split() == ["False", "True", "False", "0", "True", "refused", "refused", "refused"]


def test_signals_reach_all_their_watchers_and_end_a_sleep(child: Child) -> None:
    """A backend must end its sleep when a signal comes, so that its watchers are called."""
    printed = child(
        """
        import os, signal, threading
        import hubcore

        hub = hubcore.get_hub()
        own = []
        signal.signal(signal.SIGUSR1, lambda number, frame: own.append(number))
        watchers = [hub.loop.signal(signal.SIGUSR1), hub.loop.signal(signal.SIGUSR1), hub.loop.signal(signal.SIGUSR2)]
        for number, watcher in enumerate(watchers):
            watcher.start(lambda number, watcher: (print(number), watcher.stop()), number, watcher)

        def send():
            while not hub.loop.polling:
                pass
            os.kill(os.getpid(), signal.SIGUSR1)
            hub.loop.run_callback_threadsafe(os.kill, os.getpid(), signal.SIGUSR2)

        threading.Thread(target=send, daemon=True).start()
        hub.join()
        print([watcher.active for watcher in watchers], own)
        os.kill(os.getpid(), signal.SIGUSR1)  # the handler from before is back
        print(own == [signal.SIGUSR1])
        print(signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL)
        hub.destroy()
        """,
    )
    lines = printed.splitlines()
    assert sorted(lines[:3]) == ["0", "1", "2"]
    assert lines[3:] == ["[False, False, False] []", "True", "True"]


def test_signals_can_be_watched_in_the_main_thread_only(child: Child) -> None:
    """A backend must leave signals to the loop: they can be watched in the main thread only."""
    printed = child(
        """
        import signal, threading
        import hubcore

        def in_thread():
            try:
                hubcore.get_hub().loop.signal(signal.SIGUSR1).start(print)
            except ValueError as error:
                print(error)

        hub = hubcore.get_hub()
        thread = threading.Thread(target=in_thread)
        thread.start()
        thread.join()
        for number in (0, -1, 10_000):
            try:
                hub.loop.signal(number)
            except ValueError:
                print("refused")
        """,
    )
    assert "main thread" in printed
    assert printed.count("refused") == 3


def test_control_c_ends_a_sleeping_hub(child: Child) -> None:
    """A backend must let Ctrl-C end a sleep: it returns, or lets the signal handler's exception out of `poll`."""
    printed = child(
        """
        import os, signal, threading
        import hubcore

        hub = hubcore.get_hub()
        read, write = os.pipe()

        def send():
            while not hub.loop.polling:
                pass
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=send, daemon=True).start()
        try:
            hub.wait(hub.loop.io(read, 1))
        except KeyboardInterrupt:
            print("interrupted")
        """,
    )
    assert printed == "interrupted\n"


def test_a_forked_child_has_a_fresh_hub_and_the_parents_is_not_disturbed(child: Child) -> None:
    """A backend must take a loop apart in a forked child without touching what the parent's loop shares with it."""
    printed = child(
        """
        import os, socket
        import hubcore

        hub = hubcore.get_hub()
        ours, theirs = socket.socketpair()
        seen = []
        with hub.loop.io(ours.fileno(), 1) as io:
            io.start(seen.append, 1)
            hubcore.sleep(0.001)
            pid = os.fork()
            if pid == 0:
                child = hubcore.get_hub()
                assert child is not hub and hub.loop.closed and type(child.loop) is type(hub.loop)
                with child.loop.io(ours.fileno(), 1) as mine:
                    theirs.send(b"c")
                    child.wait(mine)
                    assert ours.recv(1) == b"c"
                hubcore.sleep(0.001)
                hubcore.spawn(hubcore.sleep, 0.001).get()
                child.destroy()
                os._exit(33)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            seen.clear()
            theirs.send(b"p")
            while not seen:
                hubcore.sleep(0.001)
        print("the parent still sees its events")
        hub.destroy()
        """,
        "-W",
        "ignore::DeprecationWarning",
    )
    assert printed == "33\nthe parent still sees its events\n"


def test_reinit_makes_a_bare_loop_usable_in_the_child(child: Child) -> None:
    """A backend must make a loop usable in a forked child by `reinit`: nothing is watched, and the parent still
    sees its events."""
    printed = child(
        """
        import os, socket
        from hubcore.backends import loop_class

        loop = loop_class()()
        ours, theirs = socket.socketpair()
        seen = []
        io = loop.io(ours.fileno(), 1)
        io.start(seen.append, "the parent's")
        loop.run(nowait=True)
        pid = os.fork()
        if pid == 0:
            loop.reinit()
            assert loop.fd_watches == {}
            theirs.send(b"x")
            loop.ref()
            loop.run(nowait=True)
            assert seen == []
            with loop.io(ours.fileno(), 1) as mine, loop.timer(0.001) as timer:
                mine.start(seen.append, "mine")
                loop.run(once=True)
                assert seen == ["mine"]
                mine.stop()
                timer.start(loop.break_)
                loop.run()
            loop.wake()
            loop.run_pass(True)
            ours.recv(1)
            loop.close()
            os._exit(44)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        loop.run(nowait=True)
        assert seen == []
        theirs.send(b"x")
        loop.run(nowait=True)
        print(seen)
        loop.close()
        """,
    )
    assert printed == '44\n["the parent\'s"]\n'


def test_fork_watchers_run_in_the_child_alone(child: Child) -> None:
    """A backend must leave fork watchers to the loop: they run in the child alone."""
    printed = child(
        """
        import os, sys
        import hubcore

        hub = hubcore.get_hub()
        watcher = hub.loop.fork(ref=False)
        watcher.start(lambda: (print("in", who), sys.stdout.flush()))
        who = "parent"
        pid = os.fork()
        if pid == 0:
            who = "child"
            hubcore.sleep(0.001)
            os._exit(0)
        os.waitpid(pid, 0)
        hubcore.sleep(0.001)
        """,
    )
    assert printed == "in child\n"
