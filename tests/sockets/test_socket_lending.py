"""The fd of a socket in other hands: it blocks where the standard library's would, and hubcore's calls never do."""

import os
import select as plain_select
import socket as stdlib
import subprocess
import sys

import pytest

import hubcore
import hubcore.os
from hubcore import socket, spawn
from hubcore.testing import run_python, settle
from tests.sockets.test_socket import read_all

pytestmark = pytest.mark.usefixtures("hub")

BIG = os.urandom(1 << 16) * 80  # 5 MiB, more than any socket buffer holds
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sendfile and splice as Linux has them")


def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname())
        return first, listener.accept()[0]


PAIRS = {"TCP": tcp, "accepted": lambda: tcp()[::-1], "Unix": socket.socketpair}


@pytest.fixture(params=PAIRS)
def pair(request, hub):
    first, second = PAIRS[request.param]()
    with first, second:
        yield first, second


def blocking(sock):
    """What the kernel says, without asking the socket for its number."""
    return os.get_blocking(sock._fd_waits.fd)


def test_the_fd_blocks_once_the_program_has_its_number(pair):
    first, _second = pair
    assert not blocking(first), "until then it costs no system call"
    first.fileno()
    assert blocking(first)
    first.settimeout(5)
    assert not blocking(first), "as the standard library's"
    first.fileno()
    assert not blocking(first)
    first.settimeout(None)
    assert blocking(first)
    first.setblocking(False)
    assert not blocking(first)
    first.setblocking(True)
    assert blocking(first)


def test_an_fd_lent_before_the_connection_blocks_from_then_on():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as first:
        first.fileno()
        listener.fileno()
        assert not blocking(first)
        first.connect(listener.getsockname())
        assert blocking(first)
        assert not blocking(listener), "accept(2) has no flag"


def test_sockets_without_a_connection(hub):
    with socket.socket(type=stdlib.SOCK_DGRAM) as one, socket.socket(type=stdlib.SOCK_DGRAM) as other:
        for sock in (one, other):
            sock.bind(("127.0.0.1", 0))
            sock.fileno()
            assert blocking(sock)
        reading = spawn(one.recvfrom, 10)
        settle(hub)
        assert not reading.ready()
        other.sendto(b"x", one.getsockname())
        assert reading.get() == (b"x", other.getsockname())
        one.connect(other.getsockname())
        assert blocking(one)


def test_calls_on_a_lent_socket_still_let_others_run(pair, hub):
    first, second = pair
    for sock in pair:
        sock.fileno()
    for read in (lambda: second.recv(5), lambda: second.recvmsg(5), lambda: second.recv_into(bytearray(5))):
        reading = spawn(read)
        settle(hub)
        assert not reading.ready()
        first.send(b"hello")
        reading.get()
    writing = spawn(first.sendall, BIG)
    settle(hub)
    assert not writing.ready()
    got = bytearray()
    while len(got) < len(BIG):
        got += second.recv(1 << 20)
    writing.get()
    assert got == BIG


def test_a_duplicate_shares_the_mode(pair, hub):
    first, second = pair
    with first.dup() as again, socket.fromfd(first.fileno(), first.family, first.type) as third:
        for sock in (first, again, third):
            assert blocking(sock)
        reading = spawn(again.recv, 5)
        settle(hub)
        assert not reading.ready()
        second.send(b"hello")
        assert reading.get() == b"hello"


def test_a_socket_made_from_an_fd_leaves_its_mode():
    first, second = stdlib.socketpair()
    with second, socket.socket(fileno=first.detach()) as ours:
        assert blocking(ours)
        second.sendall(b"x")
        assert ours.recv(1) == b"x"
        ours.settimeout(0.01)
        with pytest.raises(TimeoutError):
            ours.recv(1)
    first, second = stdlib.socketpair()
    with second:
        first.setblocking(False)
        with socket.socket(fileno=first.detach()) as ours:
            ours.fileno()
            assert not blocking(ours), "it came so"


def test_socketpair_takes_a_mode_in_the_type():
    first, second = socket.socketpair(stdlib.AF_UNIX, stdlib.SOCK_STREAM | stdlib.SOCK_NONBLOCK)
    with first, second:
        assert (first.gettimeout(), second.gettimeout()) == (0.0, 0.0)
        with pytest.raises(BlockingIOError):
            first.recv(1)


def test_sendfile_gives_the_mode_back(pair, tmp_path):
    first, second = pair
    path = tmp_path / "file"
    path.write_bytes(BIG)
    first.fileno()
    with open(path, "rb") as file:
        sending = spawn(first.sendfile, file)
        got = bytearray()
        while len(got) < len(BIG):
            got += second.recv(1 << 20)
        assert sending.get() == len(BIG)
    assert blocking(first)
    assert got == BIG


# The functions of `os`, with a reader in a greenlet of the same hub.


def write(fd, _file):
    assert hubcore.os.write(fd, BIG) == len(BIG)


def writev(fd, _file):
    assert hubcore.os.writev(fd, [BIG[:100], BIG[100:]]) == len(BIG)


def sendfile(fd, file):
    assert hubcore.os.sendfile(fd, file.fileno(), 0, len(BIG)) == len(BIG)
    assert file.tell() == 0


def sendfile_from_its_position(fd, file):
    assert hubcore.os.sendfile(fd, file.fileno(), None, 1000) == 1000
    assert hubcore.os.sendfile(fd, file.fileno(), None, len(BIG)) == len(BIG) - 1000
    assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == len(BIG)
    assert hubcore.os.sendfile(fd, file.fileno(), None, 10) == 0


def splice(fd, file):
    out, into = os.pipe()
    try:
        left = len(BIG)
        while left:
            count = hubcore.os.splice(file.fileno(), into, left)
            left -= count
            while count:
                count -= hubcore.os.splice(out, fd, count)
    finally:
        os.close(out)
        os.close(into)


WRITERS = [write, writev, *([sendfile, sendfile_from_its_position, splice] if sys.platform.startswith("linux") else [])]


@pytest.mark.parametrize("writer", WRITERS)
def test_all_is_written_to_a_slow_reader(writer, pair, hub, tmp_path):
    first, second = pair
    path = tmp_path / "file"
    path.write_bytes(BIG)

    def send():
        with open(path, "rb") as file:
            writer(first.fileno(), file)
        first.shutdown(stdlib.SHUT_WR)

    sending = spawn(send)
    settle(hub)
    assert not sending.ready(), "the buffers took everything; the test shows nothing"
    got = bytearray()
    while part := second.recv(50_000):
        got += part
    sending.get()
    assert got == BIG


@LINUX
@pytest.mark.parametrize("writer", [write, writev, sendfile])
def test_a_writer_can_be_killed(writer, pair, hub, tmp_path):
    first, second = pair
    path = tmp_path / "file"
    path.write_bytes(BIG)
    with open(path, "rb") as file:
        sending = spawn(writer, first.fileno(), file)
        settle(hub)
        sending.kill()
    first.shutdown(stdlib.SHUT_WR)
    got = read_all(second)
    assert got == BIG[: len(got)]
    assert len(got) < len(BIG)


@LINUX
def test_a_reader_that_goes_away(pair, hub, tmp_path):
    first, second = pair
    path = tmp_path / "file"
    path.write_bytes(BIG)
    with open(path, "rb") as file:
        sending = spawn(lambda: [hubcore.os.sendfile(first.fileno(), file.fileno(), 0, len(BIG)) for _ in range(3)])
        settle(hub)
        second.close()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            sending.get()


@LINUX
def test_a_non_blocking_socket_is_not_waited_for(pair, tmp_path):
    first, _second = pair
    first.setblocking(False)
    path = tmp_path / "file"
    path.write_bytes(BIG)
    with open(path, "rb") as file:
        sent = 0
        with pytest.raises(BlockingIOError):
            while True:
                sent += hubcore.os.sendfile(first.fileno(), file.fileno(), sent, len(BIG))
        with pytest.raises(BlockingIOError):
            while True:
                hubcore.os.write(first.fileno(), BIG)
    assert sent > 0


@LINUX
def test_what_sendfile_and_splice_refuse(pair, tmp_path):
    """By the standard library's own errors."""
    first, _second = pair
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    out, into = os.pipe()
    with open(path, "rb") as file, open(path, "ab") as for_writing:
        fd = file.fileno()
        cases = [
            ("sendfile", (first.fileno(), -1, 0, 3)),
            ("sendfile", (-1, fd, 0, 3)),
            ("sendfile", (first.fileno(), fd, -1, 3)),
            ("sendfile", (first.fileno(), fd, 0, -1)),
            ("sendfile", (first.fileno(), for_writing.fileno(), 0, 3)),
            ("sendfile", (first.fileno(), "x", 0, 3)),
            ("sendfile", (first.fileno(), fd, "x", 3)),
            ("sendfile", (first.fileno(), out, 0, 3)),
            ("splice", (fd, first.fileno(), 3)),
            ("splice", (-1, into, 3)),
            ("splice", (fd, into, -3)),
            ("splice", (fd, "x", 3)),
            ("splice", (out, into, 3, 5)),
        ]
        os.write(into, b"x")
        for name, args in cases:
            found = []
            for module in (os, hubcore.os):
                try:
                    found.append(getattr(module, name)(*args))
                except (OSError, TypeError, ValueError) as error:
                    found.append((type(error), str(error)))
            assert found[0] == found[1], (name, args)
        assert hubcore.os.sendfile(first.fileno(), fd, 0, 0) == 0
        assert hubcore.os.splice(fd, into, 3, offset_src=1) == 2
    os.close(out)
    os.close(into)


@LINUX
def test_a_splice_waits_for_data_and_for_room(hub):
    (out, into), (end, begin) = os.pipe(), os.pipe()
    try:
        moving = spawn(hubcore.os.splice, out, begin, 100)
        settle(hub)
        assert not moving.ready()
        os.write(into, b"data")
        assert moving.get() == 4
        with pytest.raises(BlockingIOError):
            hubcore.os.splice(out, begin, 100, flags=os.SPLICE_F_NONBLOCK)
        os.set_blocking(begin, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(begin, bytes(4096))
        os.set_blocking(begin, True)
        os.write(into, b"more")
        moving = spawn(hubcore.os.splice, out, begin, 100)
        settle(hub)
        assert not moving.ready()
        os.read(end, 65536)
        assert moving.get() == 4
        os.close(into)
        assert hubcore.os.splice(out, begin, 100) == 0
    finally:
        for fd in (out, end, begin):
            os.close(fd)


@LINUX
def test_sendfile_to_a_full_pipe_waits(hub, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(BIG)
    out, into = os.pipe()
    got = bytearray()

    def send():
        sent = 0
        with open(path, "rb") as file:
            while sent < len(BIG):
                sent += hubcore.os.sendfile(into, file.fileno(), sent, len(BIG) - sent)
        os.close(into)

    sending = spawn(send)
    settle(hub)
    assert not sending.ready()
    while part := hubcore.os.read(out, 65536):
        got += part
    sending.get()
    os.close(out)
    assert got == BIG


# C code and other processes: they wait in the kernel, so the reader is a process of its own.

READER = """
import socket, sys, time
sock = socket.socket(fileno=int(sys.argv[1]))
assert sock.gettimeout() is None
total = 0
while part := sock.recv(65536):
    total += len(part)
    time.sleep(0.0005)
print(total)
"""


def read_elsewhere(second):
    fd = second.fileno()
    return subprocess.Popen([sys.executable, "-c", READER, str(fd)], pass_fds=[fd], stdout=subprocess.PIPE)


def test_c_code_writes_everything_to_a_slow_reader(pair):
    first, second = pair
    with read_elsewhere(second) as process:
        second.close()
        with os.fdopen(os.dup(first.fileno()), "wb") as file:
            assert file.write(BIG) == len(BIG)
        first.shutdown(stdlib.SHUT_WR)
        assert int(process.stdout.read()) == len(BIG)


def test_a_number_given_to_a_child_blocks_there(pair):
    first, second = pair
    code = "import os, sys; print(os.read(0, 10), os.get_blocking(0))"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=first.fileno(), stdout=subprocess.PIPE)
    with process:
        plain_select.select([], [], [], 0.05)  # the child is likely to wait by now
        second.sendall(b"late")
        assert process.stdout.read() == b"b'late' True\n"


PROGRAM = """
if PATCHED:
    from hubcore import monkey
    monkey.patch_all()
import os, socket, sys, tempfile, threading, time
DATA = bytes(range(256)) * 20_000

def write(fd, file):
    return os.write(fd, DATA)

def writev(fd, file):
    return os.writev(fd, [DATA[:10], DATA[10:]])

def sendfile(fd, file):
    return os.sendfile(fd, file.fileno(), 0, len(DATA))

with tempfile.TemporaryFile() as file:
    file.write(DATA)
    file.flush()
    for call in (write, writev, sendfile):
        first, second = socket.socketpair()
        got = []
        def read():
            while part := second.recv(65536):
                got.append(part)
                time.sleep(0.0001)
        thread = threading.Thread(target=read)
        thread.start()
        count = call(first.fileno(), file)
        first.close()
        thread.join()
        print(call.__name__, count == len(DATA), b"".join(got) == DATA, os.get_blocking(second.fileno()))
        second.close()
"""


@LINUX
def test_a_patched_program_does_what_a_plain_one_does(hub_backend):
    ours = run_python("PATCHED = True\n" + PROGRAM, hub_backend).stdout
    assert ours == run_python("PATCHED = False\n" + PROGRAM).stdout
    assert ours == "".join(f"{name} True True True\n" for name in ("write", "writev", "sendfile"))
