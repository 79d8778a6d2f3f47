"""Fds that the kernel refuses to watch, and files that outlive the number by which they are watched.

Each test runs in a process of its own: a C library that does not like the fd would abort it.
"""

from __future__ import annotations

from hubcore.testing import run_python

START = """
import errno, os, select, socket, threading
import hubcore
import hubcore.event
from hubcore.socket import wait_read

hub = hubcore.get_hub()
hub.exception_stream = None
loop = hub.loop
# None: the loop has no epoll object.
epoll = loop.fileno() if hasattr(select, "epoll") and hasattr(loop, "fileno") else None

def refused(call, *arguments):
    try:
        call(*arguments)
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode[error.errno]
    return None

def end_of(greenlet):
    greenlet.join()
    return refused(greenlet.get)

def still_works():
    ours, theirs = socket.socketpair()
    reader = hubcore.spawn(wait_read, ours.fileno(), 10)
    hubcore.sleep(0.001)
    theirs.send(b"x")
    assert end_of(reader) is None
    ours.close()
    theirs.close()
"""


def played(backend: str, code: str) -> list[str]:
    """The lines that `code` prints on `backend`, after START; at the end the hub must still watch."""
    import textwrap

    return run_python(START + textwrap.dedent(code) + "\nstill_works()\n", backend).stdout.splitlines()


def test_the_loops_own_epoll_object_is_refused(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        for fd in () if epoll is None else (epoll, os.dup(epoll)):
            for events in (1, 2, 3):
                io = loop.io(fd, events)
                print(refused(io.start, print), io.active, io.on, refused(wait_read, fd), fd in loop.fd_watches)
        """,
    )
    assert set(lines) <= {"EINVAL False False EINVAL False"}


def test_a_number_that_the_loops_own_epoll_object_got_is_refused(hub_backend: str) -> None:
    """The number of a closed pipe, the lowest that is free, is the one that the loop takes."""
    lines = run_python(
        """
        import errno, os
        r, w = os.pipe()
        os.close(r)
        os.close(w)
        import hubcore
        from hubcore.socket import wait_read
        loop = hubcore.get_hub().loop
        taken = hasattr(loop, "fileno") and loop.fileno() == r
        try:
            wait_read(r, 0.01)
        except TimeoutError:
            print(taken, "timeout")  # another fd of the loop's
        except OSError as error:
            print(taken, errno.errorcode[error.errno])
        """,
        hub_backend,
    ).stdout.splitlines()
    assert lines in (["True EINVAL"], ["False EBADF"], ["False timeout"])


def test_epoll_objects_too_deep_in_each_other_are_refused(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        if epoll is not None:
            ours, theirs = socket.socketpair()
            chain = [ours]
            refusal = None
            while refusal is None:
                chain.append(select.epoll())
                refusal = refused(chain[-1].register, chain[-2].fileno(), 1)
            chain.pop()  # the kernel has refused to register in this one
            print(refusal, refused(wait_read, chain[-1].fileno()))
            reader = hubcore.spawn(wait_read, chain[-2].fileno(), 10)
            hubcore.sleep(0.001)
            theirs.send(b"x")
            print(end_of(reader))
        """,
    )
    assert lines in ([], ["ELOOP ELOOP", "None"], ["EINVAL ELOOP", "None"])


def test_a_circle_of_epoll_objects_is_refused(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        if epoll is not None:
            other = select.epoll()
            other.register(epoll, 1)
            print(refused(wait_read, other.fileno()))
        """,
    )
    assert lines in ([], ["ELOOP"])


def test_the_hubs_of_two_threads_cannot_watch_each_other(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        def watch_main():
            theirs.append(hubcore.get_hub().loop.fileno())
            reader = hubcore.spawn(wait_read, epoll, 60)
            hubcore.sleep(0.001)
            ready.set()
            done.wait()
            reader.kill()

        if epoll is not None:
            theirs, ready, done = [], threading.Event(), threading.Event()
            thread = threading.Thread(target=watch_main)
            thread.start()
            ready.wait()
            print(refused(wait_read, theirs[0]))
            done.set()
            thread.join()
        """,
    )
    assert lines in ([], ["ELOOP"])


def test_a_number_that_an_epoll_object_got_before_the_next_pass_is_dropped(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        for later in (False, True):
            for closed in (False, True):
                ours, theirs = socket.socketpair()
                reader = hubcore.spawn(wait_read, ours.fileno(), 60)
                hubcore.sleep(0)
                if later:
                    hubcore.sleep(0.001)
                if epoll is not None:
                    os.dup2(epoll, ours.fileno())
                    if closed:
                        os.close(ours.fileno())
                    hubcore.sleep(0.001)
                    if not later:
                        print(end_of(reader))
                reader.kill()
                ours.detach()
                theirs.close()
        """,
    )
    assert lines in ([], ["EINVAL", "EBADF"])


def test_a_file_that_outlives_its_number_does_not_turn_the_loop(hub_backend: str) -> None:
    """A dup of it stays open and readable: its events come for a number that no file of this process has."""
    lines = played(
        hub_backend,
        """
        ours, theirs = socket.socketpair()
        number = os.dup(ours.fileno())
        reader = hubcore.spawn(wait_read, number, 60)
        hubcore.sleep(0.001)
        os.close(number)
        theirs.send(b"x")
        print(end_of(reader))
        before = loop.passes
        hubcore.sleep(0.2)
        print(loop.passes - before < 10)
        """,
    )
    assert lines == ["None", "True"]


def test_a_file_that_outlives_its_number_in_a_child_does_not_turn_the_loop(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        import subprocess, sys
        ours, theirs = socket.socketpair()
        number = os.dup(ours.fileno())
        child = subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=[number], stdin=subprocess.PIPE)
        reader = hubcore.spawn(wait_read, number, 60)
        hubcore.sleep(0.001)
        os.close(number)
        ours.close()
        theirs.send(b"x")
        print(end_of(reader))
        before = loop.passes
        hubcore.sleep(0.2)
        print(loop.passes - before < 10)
        child.communicate(b"\\n")
        """,
    )
    assert lines in (["None", "True"], ["EBADF", "True"])


def test_the_next_file_of_a_number_is_woken_by_its_own_data_only(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        for fill in (False, True):
            ours, theirs = socket.socketpair()
            number = os.dup(ours.fileno())
            first = hubcore.spawn(wait_read, number, 60)
            hubcore.sleep(0.001)
            os.close(number)
            first.kill()
            theirs.send(b"x")
            near, far = socket.socketpair()
            os.dup2(near.fileno(), number)
            print(refused(wait_read, number, 0.05))
            reader = hubcore.spawn(wait_read, number, 60)
            hubcore.sleep(0.001)
            far.send(b"y")
            print(end_of(reader))
            os.close(number)
        """,
    )
    assert lines == ["timeout", "None"] * 2


def test_a_hang_up_of_a_file_that_outlived_its_number(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        ours, theirs = socket.socketpair()
        other, another = socket.socketpair()
        numbers = os.dup(ours.fileno()), os.dup(other.fileno())
        readers = [hubcore.spawn(wait_read, number, 60) for number in numbers]
        hubcore.sleep(0.001)
        for number in numbers:
            os.close(number)
        theirs.close()
        print({end_of(reader) for reader in readers} <= {None, "EBADF"})
        """,
    )
    assert lines == ["True"]


def test_wakeups_of_other_threads_arrive_after_an_epoll_object_was_replaced(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        ours, theirs = socket.socketpair()
        for _ in range(3):
            number = os.dup(ours.fileno())
            reader = hubcore.spawn(wait_read, number, 60)
            hubcore.sleep(0.001)
            theirs.send(b"x")
            os.close(number)
            print(end_of(reader))
            event = hubcore.event.Event()
            thread = threading.Timer(0.02, event.set)
            thread.start()
            print(event.wait())
            thread.join()
        """,
    )
    assert lines == ["None", "True"] * 3


def test_a_wait_goes_on_with_the_file_that_dup2_gave_its_number(hub_backend: str) -> None:
    lines = played(
        hub_backend,
        """
        from hubcore import os as hubcore_os
        from hubcore import socket as hubcore_socket

        ours, theirs = hubcore_socket.socketpair()
        reader = hubcore.spawn(ours.recv, 1)
        hubcore.sleep(0.001)
        theirs.send(b"1")
        print(reader.get())
        kept = []
        for waits in (False, True):
            near, far = pair = socket.socketpair()
            kept.append(pair)
            near.setblocking(False)
            if waits:
                reader = hubcore.spawn(ours.recv, 1)
                hubcore.sleep(0.001)
            hubcore_os.dup2(near.fileno(), ours.fileno())
            if not waits:
                reader = hubcore.spawn(ours.recv, 1)
                hubcore.sleep(0.001)
            far.send(b"2")
            print(reader.get(timeout=10))
        print(refused(hubcore_os.dup2, -1, ours.fileno()))
        """,
    )
    assert lines == ["b'1'", "b'2'", "b'2'", "EBADF"]


def test_many_numbers_go_stale_while_many_fds_are_watched(hub_backend: str) -> None:
    """The watches of 200 fds need not move for the first stale number."""
    lines = played(
        hub_backend,
        """
        pairs = [socket.socketpair() for _ in range(200)]
        idle = [hubcore.spawn(wait_read, ours.fileno(), 600) for ours, _ in pairs]
        hubcore.sleep(0.001)
        before = loop.passes
        for ours, theirs in pairs[:5]:
            other, another = socket.socketpair()
            number = os.dup(other.fileno())
            reader = hubcore.spawn(wait_read, number, 60)
            hubcore.sleep(0.001)
            os.close(number)
            reader.kill()
            hubcore.sleep(0.001)
            another.send(b"x")
            hubcore.sleep(0.02)
            theirs.send(b"x")
        hubcore.sleep(0.05)
        print([end_of(each) for each in idle[:5]], any(idle[5:]) and not any(each.ready() for each in idle[5:]))
        print(loop.passes - before < 200)
        hubcore.killall(idle)
        """,
    )
    assert lines == ["[None, None, None, None, None] True", "True"]
