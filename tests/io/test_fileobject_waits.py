"""Cooperative files while they wait: other greenlets run, and each event that can end the wait."""

import errno
import io
import os
import pty
import threading

import pytest

import hubcore
from hubcore import select, spawn
from hubcore.fileobject import FileObjectPosix, FileObjectThread
from hubcore.testing import run_python, settle

pytestmark = pytest.mark.usefixtures("hub")
BIG = os.urandom(1 << 20)


@pytest.fixture
def pipe(hub):
    into, out = os.pipe()
    yield into, out
    for fd in (into, out):
        try:
            os.close(fd)
        except OSError:
            pass


def parked(hub, *greenlets):
    """The greenlets have run, and wait."""
    settle(hub)
    assert not any(one.ready() for one in greenlets)


def failed(greenlet):
    """What it failed with."""
    greenlet.rawlink(lambda _: None)
    greenlet.join(timeout=5)
    return greenlet.exception


def until_closed(fd):
    """Wait for a worker thread to close `fd`."""
    while True:
        try:
            os.fstat(fd)
        except OSError:
            return
        hubcore.sleep(0.001)


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_a_reader_waits_while_others_go_on(hub, pipe, mode):
    into, out = pipe
    with FileObjectPosix(into, mode) as file:
        line = spawn(file.readline)
        parked(hub, line)
        os.write(out, b"half")
        parked(hub, line)
        os.write(out, b" a line\nand\nmore")
        assert line.get(timeout=5) in ("half a line\n", b"half a line\n")
        rest = spawn(list, file)
        parked(hub, rest)
        os.close(out)
        assert rest.get(timeout=5) in (["and\n", "more"], [b"and\n", b"more"])


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_writer_waits_until_all_is_written(hub, pipe, buffering):
    into, out = pipe
    with FileObjectPosix(out, "wb", buffering) as file:
        written = spawn(file.write, BIG)
        parked(hub, written)
        with FileObjectPosix(into, "rb") as reader:
            got = spawn(reader.read)
            assert written.get(timeout=5) == len(BIG)
            file.close()
            assert got.get(timeout=5) == BIG


def test_writers_take_turns(hub, pipe):
    """Nothing of one comes in between the bytes of another."""
    into, out = pipe
    size = 300_000
    with FileObjectPosix(out, "wb", 0, atomic_write=True) as file, FileObjectPosix(into, "rb") as reader:
        writers = [spawn(file.write, bytes([65 + i]) * size) for i in range(3)]
        got = reader.read(3 * size)
        hubcore.joinall(writers, raise_error=True)
    assert [got[i * size : (i + 1) * size] for i in range(3)] == [bytes([65 + i]) * size for i in range(3)]


def test_readers_take_turns(hub, pipe):
    into, out = pipe
    with FileObjectPosix(into) as file:
        readers = [spawn(file.readline) for _ in range(3)]
        parked(hub, *readers)
        os.write(out, b"1\n2\n")
        hubcore.joinall(readers, timeout=5, count=2)
        os.write(out, b"3\n")
        assert [one.get(timeout=5) for one in readers] == ["1\n", "2\n", "3\n"]


def test_one_reads_while_another_writes(hub):
    first, second = (sock.detach() for sock in __import__("socket").socketpair())
    for buffering in (0, -1):
        with FileObjectPosix(first, "r+b", buffering, closefd=False) as file:
            reading = spawn(file.read, 4)
            parked(hub, reading)
            file.write(b"ping")
            file.flush()
            assert os.read(second, 10) == b"ping"
            os.write(second, b"pong")
            assert reading.get(timeout=5) == b"pong"
        assert os.get_blocking(first)
    os.close(first)
    os.close(second)


@pytest.mark.parametrize("mode", ["r", "rb"])
@pytest.mark.parametrize("kind", [FileObjectPosix, FileObjectThread])
def test_closing_it_wakes_who_reads(hub, pipe, kind, mode):
    into, out = pipe
    file = kind(into, mode)
    first, second = spawn(file.readline), spawn(file.readline)
    parked(hub, first, second)
    file.close()
    assert file.closed
    assert failed(first).errno == errno.EBADF
    assert isinstance(failed(second), ValueError)  # it had not begun
    if kind is FileObjectThread:
        os.write(out, b"x\n")  # so that the worker thread comes back, and closes the fd
    until_closed(into)


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_closing_it_wakes_who_writes(hub, pipe, mode):
    file = FileObjectPosix(pipe[1], mode)
    writer = spawn(file.write, "x" * 200_000 if mode == "w" else BIG)
    parked(hub, writer)
    file.close()
    assert failed(writer).errno == errno.EBADF
    with pytest.raises(OSError):
        os.fstat(pipe[1])


def test_closing_it_writes_what_is_in_the_buffer(hub, pipe):
    into, out = pipe
    file = FileObjectPosix(out, "w")
    file.write("in the buffer")
    file.close()
    assert os.read(into, 100) == b"in the buffer"


def test_closing_it_ends_a_select_for_it(hub, pipe):
    into, _ = pipe
    file = FileObjectPosix(into)
    waits = spawn(select.select, [file], [], [])
    parked(hub, waits)
    file.close()
    assert failed(waits).errno == errno.EBADF


def test_a_timeout_and_a_kill_end_the_wait_and_lose_nothing(hub, pipe):
    into, out = pipe
    with FileObjectPosix(into, "rb") as file:
        with pytest.raises(hubcore.Timeout):
            hubcore.with_timeout(0.01, file.readline)
        one = spawn(file.readline)
        parked(hub, one)
        one.kill()
        os.write(out, b"a line\n")
        assert file.readline() == b"a line\n"


def test_a_thread_file_keeps_what_was_read_for_somebody_killed(hub, pipe):
    into, out = pipe
    with FileObjectThread(into, "rb") as file:
        one = spawn(file.readline)
        parked(hub, one)
        assert "in a thread" in repr(one.waiting_on)
        one.kill()
        other = spawn(file.readline)
        parked(hub, other)
        os.write(out, b"a line\n")
        assert other.get(timeout=5) == b"a line\n"


def test_a_thread_file_goes_on_while_others_do(hub, pipe):
    into, out = pipe
    with FileObjectThread(into, "rb") as file:
        everything = spawn(file.read)
        ticks = 0
        while ticks < 5:
            hubcore.sleep(0)
            ticks += 1
        assert not everything.ready()
        os.write(out, b"all")
        os.close(out)
        assert everything.get(timeout=5) == b"all"
        assert file.read() == b""


def test_a_thread_file_seeks_behind_what_was_given_back(hub, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    with FileObjectThread(path, "r+b", 0) as file:
        raw = file.io
        raw._give_back(raw._take(4))
        assert file.tell() == 0
        assert file.read(2) == b"01"
        assert file.seek(1, os.SEEK_CUR) == 3
        assert file.read(1) == b"3"
        raw._give_back(raw._take(4))
        file.write(b"x")
        assert file.seek(0) == 0
        assert file.read() == b"0123x56789"
        assert file.read() == b""


def test_a_thread_files_errors_come_through(hub, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with FileObjectThread(path, "rb", 0) as file:
        with pytest.raises(OSError) as caught:
            file.seek(-5)
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(io.UnsupportedOperation):
            file.truncate()
        assert file.read() == b"x"


def test_a_fifo_is_opened_when_the_other_end_is(hub, tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def read():
        with FileObjectPosix(path) as file:
            return file.read()

    def write():
        with FileObjectPosix(path, "w") as file:
            file.write("through a fifo")

    reader = spawn(read)
    parked(hub, reader)
    spawn(write).get(timeout=5)
    assert reader.get(timeout=5) == "through a fifo"
    one = spawn(FileObjectPosix, path)
    parked(hub, one)
    one.kill()
    while not has_reader(path):  # which lets the thread go on that opens it
        hubcore.sleep(0.001)
    while has_reader(path):  # until it has closed what nobody wants any more
        hubcore.sleep(0.001)


def has_reader(fifo):
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def test_a_terminal(hub):
    master, slave = pty.openpty()
    with FileObjectPosix(master, "r+b", 0) as terminal, FileObjectPosix(slave, "r") as file:
        assert file.isatty()
        line = spawn(file.readline)
        parked(hub, line)
        terminal.write(b"typed\n")
        assert line.get(timeout=5) == "typed\n"
        assert terminal.read(100) == b"typed\r\n"


def test_a_terminal_is_made_blocking_again_by_the_last_who_closes_it(hub):
    master, slave = pty.openpty()
    other = os.dup(slave)
    first = FileObjectPosix(slave, "r", closefd=False)
    second = FileObjectPosix(other, "w", closefd=False)
    assert second.line_buffering
    assert not os.get_blocking(slave)
    first.close()
    assert not os.get_blocking(slave)
    second.close()
    assert os.get_blocking(slave)
    already = FileObjectPosix(slave, "r", closefd=False)
    already.close()
    os.set_blocking(slave, False)
    FileObjectPosix(slave, "r", closefd=False).close()
    assert not os.get_blocking(slave)  # as it was
    for fd in (master, slave, other):
        os.close(fd)


def test_the_terminal_of_a_process_that_ends_is_blocking_again(hub_backend):
    run_python(
        """
        import os, pty, sys
        master, slave = pty.openpty()
        pid = os.fork()
        if pid == 0:
            from hubcore.fileobject import FileObjectPosix
            file = FileObjectPosix(slave, "w", closefd=False)
            assert not os.get_blocking(slave)
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert os.get_blocking(slave)
        """,
        hub_backend,
    )


def test_one_that_is_dropped_is_closed_and_watched_no_more(hub, pipe):
    into, out = pipe
    file = FileObjectPosix(into, "rb")
    one = spawn(file.read, 1)
    parked(hub, one)
    os.write(out, b"x")
    assert one.get(timeout=5) == b"x"
    with pytest.warns(ResourceWarning, match="unclosed"):
        del file, one
    assert into not in hub.loop.fd_watches
    with pytest.raises(OSError):
        os.fstat(into)


def test_a_reader_in_another_thread_is_woken_by_close(hub_backend, pipe):
    file = FileObjectPosix(pipe[0], "rb")
    errors = []
    begun = threading.Event()

    def work():
        hubcore.get_hub().loop.run_callback(begun.set)
        try:
            file.read(1)
        except OSError as error:
            errors.append(error.errno)

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    hubcore.sleep(0.01)
    file.close()
    thread.join()
    assert errors == [errno.EBADF]
