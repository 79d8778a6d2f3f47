"""os.read, os.write, os.readv and os.writev: a blocking call waits in the hub; all else is the standard library's."""

import errno
import inspect
import os as stdlib
import pty
import socket
import termios
import tty

import pytest

import hubcore
from hubcore import os
from hubcore._base.originals import native_sleep
from hubcore.hub import get_hub
from hubcore.testing import run_python

SIZE = 300_000  # more than any of these holds


def pair(kind):
    """Two blocking fds: what to read from, and what to write to."""
    if kind == "pipe":
        return stdlib.pipe()
    if kind == "socket":
        a, b = socket.socketpair()
        return a.detach(), b.detach()
    a, b = pty.openpty()
    tty.setraw(b)
    return (a, b) if kind == "from terminal" else (b, a)


@pytest.fixture(params=["pipe", "socket", "from terminal", "to terminal"])
def fds(request, hub):
    found = pair(request.param)
    yield found
    for fd in found:
        stdlib.close(fd)


def test_a_reader_waits_while_others_run(fds):
    reading, writing = fds
    hubcore.spawn(os.write, writing, b"here")
    assert os.read(reading, 10) == b"here"
    buffers = [bytearray(2), bytearray(9)]
    hubcore.spawn(os.writev, writing, [b"the", bytearray(b"re")])
    assert os.readv(reading, buffers) == 5
    assert [bytes(each) for each in buffers] == [b"th", b"ere" + bytes(6)]
    if hasattr(stdlib, "readinto"):
        hubcore.spawn(os.write, writing, b"here")
        assert os.readinto(reading, memoryview(buffers[1])[1:]) == 4
        assert bytes(buffers[1]) == b"ehere" + bytes(4)
    assert stdlib.get_blocking(reading)
    assert stdlib.get_blocking(writing)


def test_a_large_write_is_written_whole_while_others_read(fds):
    reading, writing = fds
    data = bytes(range(1, 251)) * (SIZE // 250)
    for write, what in ((os.write, data), (os.write, memoryview(data).cast("I")), (os.writev, [data[:99], data[99:]])):
        writer = hubcore.spawn(write, writing, what)
        got = bytearray()
        while len(got) < SIZE:
            got += os.read(reading, 65536)
        assert bytes(got) == data
        assert writer.get() == SIZE


def test_a_reader_or_writer_that_is_killed_leaves_no_gap(hub):
    reading, writing = stdlib.pipe()
    reader = hubcore.spawn(os.read, reading, 10)
    hubcore.sleep(0)
    reader.kill()
    assert os.write(writing, b"0123") == 4
    assert os.read(reading, 10) == b"0123"
    writer = hubcore.spawn(os.write, writing, bytes(SIZE))
    hubcore.sleep(0)
    writer.kill()
    stdlib.set_blocking(reading, False)
    left = len(stdlib.read(reading, SIZE))
    assert 0 < left < SIZE
    assert left % 4096 == 0
    # A small one is written whole or not at all.
    while True:
        with hubcore.Timeout(0.001, False):
            os.write(writing, bytes(4096))
            left += 4096
            continue
        break
    writer = hubcore.spawn(os.write, writing, b"x" * 100)
    hubcore.sleep(0)
    writer.kill()
    assert b"x" not in stdlib.read(reading, SIZE)
    stdlib.close(reading)
    stdlib.close(writing)


def test_the_end_of_the_other_side(hub):
    reading, writing = stdlib.pipe()
    reader = hubcore.spawn(os.read, reading, 10)
    hubcore.sleep(0)
    stdlib.close(writing)
    assert reader.get() == b""
    stdlib.close(reading)
    reading, writing = stdlib.pipe()
    writer = hubcore.spawn(os.write, writing, bytes(SIZE))
    hubcore.sleep(0)
    stdlib.close(reading)
    assert 0 < writer.get() < SIZE  # as from the kernel: so much went before
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
    writer = hubcore.spawn(os.read, writing, 1)
    writer._add_observer()
    writer.join()
    assert writer.exception.errno == errno.EBADF  # it is not open for reading, so there is nothing to wait for
    stdlib.close(writing)


def test_closing_ends_a_wait(hub):
    reading, writing = stdlib.pipe()
    reader = hubcore.spawn(os.read, reading, 10)
    reader._add_observer()
    hubcore.sleep(0)
    os.close(reading)
    reader.join()
    assert reader.exception.errno == errno.EBADF
    stdlib.close(writing)


def test_a_datagram_stays_in_one_piece(hub):
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    a, b = a.detach(), b.detach()
    writer = hubcore.spawn(lambda: [os.write(b, bytes(20_000)) for _ in range(40)])
    assert [len(os.read(a, 65536)) for _ in range(40)] == [20_000] * 40
    assert writer.get() == [20_000] * 40
    stdlib.close(a)
    stdlib.close(b)


def test_errors_and_answers_at_once_are_the_standard_librarys(hub, tmp_path):
    reading, writing = stdlib.pipe()
    file = stdlib.open(tmp_path / "file", stdlib.O_RDWR | stdlib.O_CREAT)
    nonblocking = stdlib.pipe()
    for fd in nonblocking:
        stdlib.set_blocking(fd, False)
    while True:
        try:
            stdlib.write(nonblocking[1], bytes(SIZE))
        except BlockingIOError:
            break
    empty = stdlib.pipe()
    stdlib.set_blocking(empty[0], False)
    cases = [
        ("read", (reading, 0)), ("read", (reading, -1)), ("read", (reading, "1")), ("read", (reading, 1 << 80)),
        ("read", ("x", 1)), ("read", (None, 1)), ("read", (-1, 1)), ("read", (1 << 80, 1)), ("read", (-1 << 80, 1)),
        ("read", (1 << 31, 1)), ("read", (9999, 1)), ("read", (writing, 1)), ("read", (empty[0], 1)),
        ("read", (file, 10)), ("read", (1.5, 1)),
        ("readv", (reading, [])), ("readv", (reading, [b"x"])), ("readv", (reading, 1)), ("readv", (reading, iter([]))),
        ("readv", (reading, [memoryview(b"x")])),
        ("readv", (empty[0], [bytearray(1)])), ("readv", (reading, [bytearray()])),
        ("readv", (writing, [bytearray(1)])),
        ("write", (writing, b"")), ("write", (writing, "x")), ("write", (reading, b"x")), ("write", (9999, b"x" * 999)),
        ("write", (nonblocking[1], b"x")), ("write", (nonblocking[1], b"x" * 99999)),
        ("write", (reading, b"x" * 99999)),
        ("write", (file, bytes(99999))), ("write", (None, b"")), ("write", (writing, memoryview(b"abcd")[::2])),
        ("writev", (writing, [])), ("writev", (writing, ["x"])), ("writev", (nonblocking[1], [b"x"])),
        ("writev", (file, [b"x" * 4096, b"y"] * 9)), ("writev", (file, [b"x"] * 2000)), ("writev", (writing, iter([]))),
    ]  # fmt: skip
    if hasattr(stdlib, "readinto"):
        targets = (bytearray(), b"x", 1, None, memoryview(b"x"), bytearray(0))
        cases += [("readinto", (reading, target)) for target in targets]
        cases += [("readinto", (fd, bytearray(1))) for fd in (empty[0], writing, -1, "x", None, 9999)]
        cases += [("readinto", (file, bytearray(10)))]
    for name, arguments in cases:
        answers = []
        for module in (stdlib, os):
            try:
                answers.append(getattr(module, name)(*arguments))
            except Exception as error:
                answers.append(repr(error))
        assert answers[0] == answers[1], (name, arguments)
    own = ("read", "readinto", "readv", "write", "writev", "get_blocking", "set_blocking")
    for name in (name for name in own if hasattr(stdlib, name)):
        theirs, ours = inspect.signature(getattr(stdlib, name)), inspect.signature(getattr(os, name))
        assert [*theirs.parameters] == [*ours.parameters], name
    for fd in (reading, writing, file, *nonblocking, *empty):
        stdlib.close(fd)


def test_a_terminal_that_does_not_wait_for_input(hub):
    reading, writing = pair("to terminal")
    mode = termios.tcgetattr(reading)
    mode[6][termios.VMIN] = mode[6][termios.VTIME] = 0
    termios.tcsetattr(reading, termios.TCSANOW, mode)
    assert os.read(reading, 10) == b""
    mode[6][termios.VTIME] = 1
    termios.tcsetattr(reading, termios.TCSANOW, mode)
    assert os.read(reading, 10) == b""
    assert os.readv(reading, [bytearray(1)]) == 0
    hubcore.spawn(os.write, writing, b"key")
    assert os.read(reading, 10) == b"key"
    stdlib.close(reading)
    stdlib.close(writing)


def test_what_may_not_wait_blocks_as_ever(hub):
    reading, writing = stdlib.pipe()
    found = []

    def in_the_hub():

        found.append(os.read(reading, 10))

    thread = get_hub().threadpool.spawn(lambda: (native_sleep(0.02), stdlib.write(writing, b"late")))
    get_hub().loop.run_callback(in_the_hub)
    hubcore.sleep(0)
    assert found == [b"late"]
    thread.get()
    assert get_hub().threadpool.apply(lambda: os.write(writing, b"x")) == 1
    assert get_hub().threadpool.apply(os.read, (reading, 1)) == b"x"
    stdlib.close(reading)
    stdlib.close(writing)
    del hub.threadpool


def test_those_who_never_have_to_wait_let_others_run(hub):
    turns = []
    task = hubcore.spawn(lambda: [(turns.append(None), hubcore.sleep(0)) for _ in range(3)])
    null = stdlib.open("/dev/null", stdlib.O_RDWR)
    for _ in range(1000):
        os.write(null, b"x")
        os.read(null, 1)
    assert len(turns) == 3
    task.join()
    stdlib.close(null)


PATCHED = """
from hubcore import monkey
monkey.patch_all()
import os, subprocess, threading, time
import hubcore
{code}
"""


def test_an_unmodified_program_goes_on_while_a_thread_reads(hub_backend):
    done = run_python(
        PATCHED.format(
            code="""
ticks = []
def tick():
    while True:
        ticks.append(None)
        time.sleep(0.005)
threading.Thread(target=tick, daemon=True).start()
# A thread that waits in os.read for one that has not begun.
reading, writing = os.pipe()
threading.Thread(target=lambda: os.write(writing, b"begun")).start()
print(os.read(reading, 9))
# The other end of a Popen's pipe is non-blocking, which the program need not know.
child = subprocess.Popen(["sh", "-c", "read x; echo $x; cat >/dev/null"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
out, into = child.stdout.fileno(), child.stdin.fileno()
print(os.get_blocking(out), os.get_blocking(into), os.write(into, b"line" + bytes([10])), os.read(out, 9))
print(os.write(into, bytes(300000)))
os.set_blocking(out, False)
try:
    os.read(out, 1)
except BlockingIOError:
    print("would block", os.get_blocking(out))
os.set_blocking(out, True)
child.stdin.close()
print(os.read(out, 1), child.wait())
child.stdout.close()
# A child that takes its time before the exec, and uses hubcore there.
really_sleep = monkey.get_original("time", "sleep")  # on a virtual clock too
def prepare():
    really_sleep(0.1)
    time.sleep(0.01)
    found = []
    thread = threading.Thread(target=lambda: found.append(hubcore.spawn(pow, 2, 5).get()))
    thread.start()
    thread.join()
    os.write(writing, str(found).encode())
before = len(ticks)
child = subprocess.Popen(["true"], preexec_fn=prepare)
print(len(ticks) - before > 3, child.wait(), os.read(reading, 99))
fds = len(os.listdir("/proc/self/fd"))
with hubcore.Timeout(0.05, False):
    subprocess.Popen(["true"], stdout=subprocess.PIPE, preexec_fn=lambda: really_sleep(60))
print(len(os.listdir("/proc/self/fd")) - fds)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child is left")
pid = os.fork()
if pid == 0:
    os.write(writing, os.read(reading, 9))
    os._exit(0)
os.write(writing, b"around")
print(os.waitpid(pid, 0)[1], os.read(reading, 9))
"""
        ),
        hub_backend,
    )
    assert done.stderr == ""
    assert done.stdout.split("\n")[:-1] == [
        "b'begun'",
        "True True 5 b'line\\n'",
        "300000",
        "would block False",
        "b'' 0",
        "True 0 b'[32]'",
        "0",
        "no child is left",
        "0 b'around'",
    ]


def test_reading_and_writing_can_be_left_as_they_are():
    done = run_python(
        """
import os
before = os.read, os.write, os.readv, os.writev, os.set_blocking, os.get_blocking, os.waitpid
from hubcore import monkey
monkey.patch_os(fds=False)
after = os.read, os.write, os.readv, os.writev, os.set_blocking, os.get_blocking, os.waitpid
print(before[:-1] == after[:-1], before[-1] == after[-1])
"""
    )
    assert done.stdout == "True False\n"


@pytest.mark.parametrize("fd", [-1, -2, -3, -(2**31)])
def test_a_number_that_is_no_fd_is_the_kernels_to_refuse(hub, fd):
    for call, argument in [(os.read, 1), (os.readv, [bytearray(1)]), (os.write, b"x"), (os.writev, [b"x"])]:
        with pytest.raises(OSError) as caught:
            call(fd, argument)
        assert caught.value.errno == errno.EBADF
