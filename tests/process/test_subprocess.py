"""hubcore.subprocess does what the standard library's does, while other greenlets run; children take real time."""

import inspect
import io
import os
import signal
import subprocess as stdlib
import sys
import threading

import pytest

import hubcore
from hubcore import Timeout, move_on_after, subprocess
from hubcore.fileobject import FileObjectPosix
from hubcore.hub import get_hub_if_any
from hubcore.socket import SHUT_WR, socketpair
from hubcore.subprocess import DEVNULL, PIPE, STDOUT, CalledProcessError, Popen, TimeoutExpired

CAT = ["cat"]
SLEEP = ["sleep", "60"]


def sh(script):
    return ["/bin/sh", "-c", script]


@pytest.fixture
def ticks(hub):
    """A list that grows while others let it."""
    found = []

    def tick():
        while True:
            found.append(None)
            hubcore.sleep(0.001)

    task = hubcore.spawn(tick)
    yield found
    task.kill()


class Gate:
    """What a child waits at that has `wait` in its script and was made with `options`."""

    def __init__(self):
        self.read, self.write = os.pipe()
        self.wait = f"read line </dev/fd/{self.read}"
        self.options = {"pass_fds": (self.read,)}

    def open(self):
        """For one child, once."""
        os.write(self.write, b"\n")


@pytest.fixture
def gate(hub):
    made = Gate()
    yield made
    os.close(made.read)
    os.close(made.write)


# The functions.


def test_the_functions_give_what_the_standard_librarys_give(hub):
    for module in (subprocess, stdlib):
        done = module.run(sh("echo out; echo err >&2; exit 3"), capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
        assert type(done) is stdlib.CompletedProcess
        assert module.call(sh("exit 4")) == 4
        assert module.check_call(sh("exit 0")) == 0
        with pytest.raises(CalledProcessError, match="returned non-zero exit status 5"):
            module.check_call(sh("exit 5"))
        assert module.check_output(CAT, input=b"ab") == b"ab"
        assert module.check_output(CAT, input=None) == b""
        assert module.check_output(CAT, input=None, text=True) == ""
        with pytest.raises(CalledProcessError) as failed:
            module.check_output(sh("echo x; exit 6"))
        assert (failed.value.output, failed.value.returncode) == (b"x\n", 6)
        assert module.getoutput("echo a; echo b >&2") == "a\nb"
        assert module.getstatusoutput("exit 7") == (7, "")
        with pytest.raises(ValueError, match="stdin and input"):
            module.run(CAT, input=b"", stdin=PIPE)
        with pytest.raises(ValueError, match="capture_output"):
            module.run(CAT, capture_output=True, stderr=PIPE)
        with pytest.raises(ValueError, match="stdout argument not allowed"):
            module.check_output(CAT, stdout=PIPE)


def test_names_and_signatures_are_the_standard_librarys():
    for name in ("run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"):
        ours, theirs = inspect.signature(getattr(subprocess, name)), inspect.signature(getattr(stdlib, name))
        assert [(each.name, each.kind, each.default) for each in ours.parameters.values()] == [
            (each.name, each.kind, each.default) for each in theirs.parameters.values()
        ]
    ours, theirs = dict(inspect.signature(Popen).parameters), inspect.signature(stdlib.Popen).parameters
    assert ours.pop("threadpool").default is None
    assert [(each.name, each.kind, each.default) for each in ours.values()] == [
        (each.name, each.kind, each.default) for each in theirs.values()
    ]
    assert set(subprocess.__all__) == set(stdlib.__all__)
    assert subprocess.list2cmdline is stdlib.list2cmdline
    assert set(subprocess.__implements__) <= set(dir(stdlib))


def test_others_run_meanwhile(hub, ticks, gate):
    def open_gate(times=1):
        for _ in range(times):
            before = len(ticks)
            while len(ticks) - before <= 5:  # whoever holds up the others waits for ever
                hubcore.sleep(0.001)
            gate.open()

    for operation in (
        lambda: subprocess.call(sh(gate.wait), **gate.options),
        lambda: subprocess.run(sh(gate.wait), timeout=30, **gate.options),
        lambda: subprocess.check_output(sh(f"{gate.wait}; echo"), **gate.options),
        lambda: subprocess.run(sh(f"{gate.wait}; cat"), input=b"x" * 200000, capture_output=True, **gate.options),
    ):
        opening = hubcore.spawn(open_gate)
        operation()
        opening.get()
    with Popen(sh(f"{gate.wait}; echo a; {gate.wait}; echo b"), stdout=PIPE, text=True, **gate.options) as child:
        opening = hubcore.spawn(open_gate, 2)
        assert list(child.stdout) == ["a\n", "b\n"]
        opening.get()


def test_run_kills_and_reaps_its_child_when_it_is_interrupted(hub):
    children = []

    class Noted(Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            children.append(self)

    before, subprocess.Popen = Popen, Noted
    try:
        for interrupted in (subprocess.run, subprocess.call):
            with pytest.raises(TimeoutExpired, match="timed out after 0"):
                interrupted(SLEEP, timeout=0.01)
            with pytest.raises(Timeout), Timeout(0.01):
                interrupted(SLEEP)
            with move_on_after(0.01) as scope:
                interrupted(SLEEP)
            assert scope.cancelled_caught
            task = hubcore.spawn(interrupted, SLEEP)
            hubcore.sleep(0.01)
            task.kill()
    finally:
        subprocess.Popen = before
    assert [child.returncode for child in children] == [-signal.SIGKILL] * 8


# Waiting.


def test_several_greenlets_and_threads_wait_for_one_child(hub):
    child = Popen(SLEEP)
    found, hubs = [], []

    def natively():
        found.append(child.wait())
        hubs.append(get_hub_if_any())

    def natively_with_timeout():
        found.append(child.wait(20))
        hubs.append(get_hub_if_any())

    def with_hub():
        hubcore.sleep(0)
        found.append(child.wait())

    threads = [threading.Thread(target=each) for each in (natively, natively_with_timeout, with_hub)]
    for thread in threads:
        thread.start()
    tasks = [hubcore.spawn(child.wait), hubcore.spawn(child.wait, 20), hubcore.spawn(child.communicate)]
    hubcore.sleep(0.01)
    assert (child.poll(), child.ready()) == (None, False)
    child.terminate()
    assert [task.get() for task in tasks] == [-15, -15, (None, None)]
    for thread in threads:
        thread.join(20)
    assert found == [-15] * 3
    assert hubs == [None, None]  # to wait makes none


def test_a_wait_ends_by_its_timeout_or_a_kill_and_can_be_made_again(hub):
    with Popen(CAT, stdin=PIPE) as child:
        for seconds in (0, -1, 0.01):
            with pytest.raises(TimeoutExpired) as expired:
                child.wait(seconds)
            assert (expired.value.cmd, expired.value.timeout) == (CAT, seconds)
        task = hubcore.spawn(child.wait)
        hubcore.sleep(0)
        task.kill()
        with move_on_after(0.01) as scope:
            child.wait()
        assert scope.cancelled_caught
        assert child.returncode is None
        child.stdin.close()
        assert child.wait() == child.wait(0) == child.poll() == 0


def test_a_child_is_waitable(hub):
    quick, slow = Popen(sh("exit 3")), Popen(SLEEP)
    told = []
    slow.rawlink(told.append)
    slow.rawlink(told.append)
    slow.unlink(told.append)
    slow.unlink(print)
    assert hubcore.wait([quick, slow], count=1) == [quick]
    assert (quick.returncode, quick.ready()) == (3, True)
    assert hubcore.wait([slow], timeout=0.01) == []
    task = hubcore.spawn(list, hubcore.iwait([quick, slow]))
    hubcore.sleep(0)
    slow.kill()
    assert task.get() == [quick, slow]
    assert slow.returncode == -9
    hubcore.sleep(0.001)
    assert told == [slow]
    quick.rawlink(told.append)
    hubcore.sleep(0)
    assert told == [slow, quick]
    with pytest.raises(TypeError, match="callable"):
        slow.rawlink(None)


def test_a_child_is_waitable_in_a_thread_without_a_hub(hub):
    child = Popen(CAT, stdin=PIPE)
    found = []
    thread = threading.Thread(target=lambda: found.append((hubcore.wait([child]), get_hub_if_any())))
    thread.start()
    hubcore.sleep(0.01)
    child.stdin.close()
    thread.join(20)
    assert found == [([child], None)]
    child.rawlink(lambda source: None)
    hubcore.sleep(0)


def test_signals(hub):
    with Popen(SLEEP) as child:
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        assert child.poll() is None
        with pytest.raises(TimeoutExpired):
            child.wait(0.01)
        child.send_signal(signal.SIGCONT)
        child.terminate()
        assert child.wait() == -15
        child.kill()  # harmless by now
        child.send_signal(0)


def test_dropped_while_it_runs_it_warns_and_is_reaped_in_the_end(hub):
    child = Popen(CAT, stdin=PIPE)
    pid, end = child.pid, child.stdin
    with pytest.warns(ResourceWarning, match=f"subprocess {pid} is still running"):
        del child
    end.close()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    Popen(sh("exit")).wait()
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


# The pipes.


@pytest.mark.parametrize(
    ("options", "written", "read", "abstract"),
    [
        ({}, b"a\nb\n", [b"a\n", b"b\n"], io.BufferedIOBase),
        ({"bufsize": 0}, b"a\nb\n", [b"a\n", b"b\n"], io.RawIOBase),
        ({"text": True}, "é\n", ["é\n"], io.TextIOBase),
        ({"encoding": "latin-1"}, "é\n", ["é\n"], io.TextIOBase),
        ({"universal_newlines": True, "bufsize": 1}, "a\n", ["a\n"], io.TextIOBase),
        ({"text": True, "bufsize": 0}, "a\n", ["a\n"], io.TextIOBase),
    ],
)
def test_the_pipes_are_files_of_the_io_modules_kinds(hub, options, written, read, abstract):
    child = Popen(CAT, stdin=PIPE, stdout=PIPE, **options)
    for file in (child.stdin, child.stdout):
        assert all(isinstance(file, kind) for kind in (abstract, io.IOBase, FileObjectPosix))
        assert isinstance(file.fileno(), int)
        assert (file.closed, file.isatty()) == (False, False)
    assert (child.stdin.writable(), child.stdout.readable()) == (True, True)
    assert child.stdin.write(written) == len(written)
    with child.stdin:
        pass
    assert list(child.stdout) == read
    child.stdout.close()
    assert child.wait() == 0
    with pytest.raises(ValueError, match="closed file"):
        child.stdout.read()


def test_odd_buffering_is_taken_as_by_the_standard_library(hub):
    for module in (subprocess, stdlib):
        with pytest.raises(TypeError, match="bufsize must be an integer"):
            module.Popen(CAT, bufsize="1")
        assert module.Popen(CAT, stdin=PIPE, stdout=PIPE, bufsize=-2).communicate(b"a")[0] == b"a"
        with pytest.warns(RuntimeWarning, match="line buffering"):
            module.Popen(sh("exit"), stdout=PIPE, bufsize=1).communicate()


def test_a_pipe_of_one_child_is_the_standard_input_of_another_and_blocks_there(hub):
    flags = "import fcntl, os, sys; print(fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK); print(len(sys.stdin.read()))"
    for given in (lambda file: file, lambda file: file.fileno()):
        first = Popen(sh("sleep 0.05; seq 10000"), stdout=PIPE)
        second = Popen([sys.executable, "-Ic", flags], stdin=given(first.stdout), stdout=PIPE, text=True)
        first.stdout.close()
        assert second.communicate()[0] == "0\n48894\n"
        assert first.wait() == 0
    with Popen(CAT, stdin=PIPE, stdout=PIPE) as last:
        assert subprocess.call(sh("seq 3"), stdout=last.stdin) == 0
        assert last.communicate()[0] == b"1\n2\n3\n"
    # The other end is no more.
    gone = Popen(sh("exit"), stdin=PIPE)
    gone.wait()
    assert subprocess.run(sh("echo x"), stdout=gone.stdin, stderr=DEVNULL).returncode != 0
    gone.stdin.close()


# communicate.


def test_communicate_in_both_directions(hub):
    data = os.urandom(3_000_000)
    with Popen(sh("tee /dev/stderr"), stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:
        assert child.communicate(data) == (data, data)
        assert child.communicate() == (data, data)
        with pytest.raises(ValueError, match="Cannot send input after starting communication"):
            child.communicate(b"more")
    text = "é\r\n" * 100_000
    child = Popen(CAT, stdin=PIPE, stdout=PIPE, stderr=STDOUT, encoding="utf-8")
    assert child.communicate(text) == (text.replace("\r\n", "\n"), None)
    assert Popen(sh("exit 1"), stdin=PIPE).communicate(b"x" * 1_000_000) == (None, None)  # which nobody reads
    assert Popen(sh("echo $0 >&2; echo a"), stdout=DEVNULL, stderr=PIPE).communicate() == (None, b"/bin/sh\n")
    assert Popen(sh("exit")).communicate() == (None, None)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("pipes", [{"stdout": PIPE}, {"stdout": PIPE, "stderr": PIPE}])
def test_what_was_read_before_is_not_lost_to_communicate(hub, text, pipes):
    """The standard library loses what it has in its buffers if there are several pipes."""
    child = Popen(sh("printf 'é1\\n2\\n'; sleep 0.02; echo 3"), encoding="utf-8" if text else None, **pipes)
    assert child.stdout.readline() == ("é1\n" if text else "é1\n".encode())
    assert child.communicate()[0] == ("2\n3\n" if text else b"2\n3\n")


@pytest.mark.parametrize("stop", ["timeout", "Timeout", "kill", "scope"])
def test_communicate_goes_on_where_it_was_interrupted(hub, gate, stop):
    data = b"y" * 500_000
    pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE}
    child = Popen(sh(f"head -c 5; {gate.wait}; cat; echo e >&2"), **pipes, **gate.options)
    if stop == "timeout":
        with pytest.raises(TimeoutExpired) as expired:
            child.communicate(data, timeout=0.02)
        assert expired.value.output in (b"yyyyy", None)  # None if the child was slow to start
    elif stop == "Timeout":
        with pytest.raises(Timeout), Timeout(0.02):
            child.communicate(data)
    elif stop == "kill":
        task = hubcore.spawn(child.communicate, data)
        hubcore.sleep(0.02)
        task.kill()
    else:
        with move_on_after(0.02):
            child.communicate(data)
    gate.open()
    output, errors = child.communicate()
    assert len(output) <= len(data)  # head may have read more than it printed
    assert set(output) == {ord("y")}
    assert (errors, child.returncode) == (b"e\n", 0)


def test_communicate_with_one_pipe_goes_on_too(hub, gate):
    child = Popen(sh(f"echo a; {gate.wait}; echo b"), stdout=PIPE, **gate.options)
    with pytest.raises(Timeout), Timeout(0.03):
        child.communicate()
    gate.open()
    assert child.communicate(timeout=20) == (b"a\nb\n", None)


def test_a_child_that_closes_its_output_and_lives_on(hub):
    child = Popen(sh("echo a; exec >&-; read line"), stdin=PIPE, stdout=PIPE)
    assert child.stdout.read() == b"a\n"
    assert child.poll() is None
    assert child.communicate(b"x\n") == (b"", None)
    child = Popen(sh("echo a; exec >&- 2>&-; sleep 60"), stdout=PIPE, stderr=PIPE)
    with pytest.raises(TimeoutExpired) as expired:
        child.communicate(timeout=0.1)
    assert expired.value.output in (b"a\n", None)
    child.kill()
    assert child.communicate() == (b"a\n", b"")


def test_without_a_hub_the_thread_waits(hub, gate):
    found = []

    def body():
        child = Popen(sh(f"cat; {gate.wait}; echo b"), stdin=PIPE, stdout=PIPE, **gate.options)
        child.stdin.write(b"a\n")
        child.stdin.flush()
        found.append(child.stdout.readline())
        with pytest.raises(TimeoutExpired):
            child.communicate(timeout=0.01)
        gate.open()
        found.append(child.communicate(timeout=20))
        found.append(subprocess.run(CAT, input="é", stdout=PIPE, encoding="utf-8").stdout)
        with pytest.raises(TimeoutExpired):
            subprocess.call(SLEEP, timeout=0.01)
        found.append(get_hub_if_any())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(20)
    assert found == [b"a\n", (b"b\n", None), "é", None]


def test_a_socket_blocks_for_the_child_that_it_is_given(hub):
    """As the standard library's would be there; here it goes on to be cooperative."""
    a, b = socketpair()
    with Popen(CAT, stdin=b, stdout=b) as process:
        assert os.get_blocking(b.fileno())
        a.sendall(b"echo")
        assert a.recv(10) == b"echo"
        a.shutdown(SHUT_WR)
        assert process.wait() == 0
    assert b.recv(1) == b""
    full = hubcore.spawn(b.sendall, bytes(1 << 20))
    empty = hubcore.spawn(a.recv, 1 << 20)
    assert empty.get()
    hubcore.sleep(0)
    full.kill()
    for each in (a, b):
        each.close()
    # What waits not at all, or only for some time, the standard library has non-blocking as well.
    a, b = socketpair()
    for timeout in (0.0, 5.0):
        b.settimeout(timeout)
        with Popen(["true"], stdin=b):
            assert not os.get_blocking(b.fileno())
    for each in (a, b):
        each.close()


def test_communicate_after_the_program_has_closed_stdin(hub):
    with subprocess.Popen(["cat"], stdin=-1, stdout=-1, stderr=-1) as child:
        child.stdin.close()
        assert child.communicate() == (b"", b"")
    assert child.returncode == 0
    with subprocess.Popen(["cat"], stdin=-1, stdout=-1) as child:
        child.stdin.close()
        assert child.communicate(timeout=20) == (b"", None)


def test_communicate_names_the_timeout_that_it_was_given(hub):
    for pipes in ({}, {"stdout": -1}, {"stdin": -1, "stdout": -1}):
        with subprocess.Popen(["sleep", "100"], **pipes) as child:
            for seconds in (-1, 0.01):
                with pytest.raises(subprocess.TimeoutExpired) as caught:
                    child.communicate(timeout=seconds)
                assert caught.value.timeout == seconds
            child.kill()


def test_the_result_of_a_child_and_the_name_of_files(hub):
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    result = child.result
    assert child.result is result
    assert not result.ready()
    assert result.get(timeout=30) == 3
    assert child.wait() == 3
    late = subprocess.Popen([sys.executable, "-c", ""])
    late.wait()
    assert late.result.get(block=False) == 0
    assert subprocess.FileObject is hubcore.fileobject.FileObject
