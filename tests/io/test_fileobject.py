"""Cooperative files behave as the io module's files."""

import io
import os

import pytest

import hubcore
from hubcore import fileobject
from hubcore.fileobject import FileObjectBlock, FileObjectClosed, FileObjectPosix, FileObjectThread
from hubcore.testing import run_python

KINDS = {"open": open, "posix": FileObjectPosix, "thread": FileObjectThread, "block": FileObjectBlock}


@pytest.fixture(params=KINDS)
def kind(request, hub):
    """The same test body runs on the io module's `open` and on each kind."""
    return KINDS[request.param]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def test_text(kind, path):
    with kind(path, "w", encoding="utf-8") as file:
        assert not file.closed
        assert file.write("Zürich\n") == 7
        file.writelines(["Genève\r\n", "Basel"])
        assert (file.name, file.mode, file.encoding, file.writable()) == (str(path), "w", "utf-8", True)
        assert file.fileno() > 2
    assert file.closed
    assert path.read_bytes() == "Zürich\nGenève\r\nBasel".encode()
    with kind(str(path), encoding="utf-8") as file:
        assert file.readline() == "Zürich\n"
        assert next(file) == "Genève\n"
        assert list(file) == ["Basel"]
        assert file.read() == ""
        assert file.seek(0) == 0
        assert file.read(3) == "Zür"
        file.seek(file.tell())
        assert file.readlines() == ["ich\n", "Genève\n", "Basel"]
    with kind(bytes(path), "r", -1, encoding="ascii", errors="replace", newline="\r\n") as file:
        assert file.read().startswith("Z\ufffd\ufffdrich\nGen")


def test_binary(kind, path):
    with kind(path, "xb") as file:
        assert file.write(b"0123456789" * 10000) == 100000
        assert file.tell() == 100000
    with pytest.raises(FileExistsError):
        kind(path, "x")
    with kind(path, "rb", 16) as file:
        assert file.read(5) == b"01234"
        assert file.peek(1)[:1] == b"5"
        buffer = bytearray(7)
        assert file.readinto(buffer) == 7
        assert buffer == b"5678901"
        assert len(file.read1(50000)) > 0
        assert file.seek(-3, os.SEEK_END) == 99997
        assert file.read() == b"789"
        assert file.read() == b""
    with kind(path, "r+b") as file:
        assert file.read(2) == b"01"
        file.write(b"xx")
        file.flush()
        assert file.seek(0) == 0
        assert file.read(6) == b"01xx45"
        assert file.truncate(4) == 4
        file.seek(0)
        assert file.read() == b"01xx"
    with kind(path, "ab") as file:
        file.write(b"!")
    with kind(path, "rb", buffering=0) as file:
        assert file.read(3) == b"01x"
        assert file.read() == b"x!"
        assert file.seek(1) == 1
        assert file.read(-1) == b"1xx!"
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
    with kind(path, "wb", 0) as file:
        assert file.write(memoryview(bytearray(b"abc"))) == 3
        with pytest.raises(io.UnsupportedOperation):
            file.read(1)
    assert path.read_bytes() == b"abc"
    with kind(path, "w+") as file:
        file.write("hello")
        file.seek(0)
        assert file.read() == "hello"


def test_an_fd_that_is_not_closed_with_it(kind, path):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    with kind(fd, "w", closefd=False) as file:
        file.write("x")
        assert file.fileno() == fd
    assert os.pread(fd, 10, 0) == b"x"
    assert os.get_blocking(fd)
    kind(fd, "rb").close()
    with pytest.raises(OSError):
        os.fstat(fd)


def test_after_it_is_closed(kind, path):
    path.write_text("x")
    file = kind(path)
    file.close()
    file.close()
    assert file.closed
    for use in (file.read, file.readline, file.__enter__, lambda: next(file), lambda: iter(file), lambda: file.seek(0)):
        with pytest.raises(ValueError):
            use()
    if kind is not open:
        with pytest.raises(OSError, match="closed file"):
            file.read()


WRONG = {
    "no such file": lambda k, p: k(p / "x"),
    "a directory": lambda k, p: k(p),
    "a directory to write to": lambda k, p: k(p, "w"),
    "no such fd": lambda k, p: k(10000),
    "negative": lambda k, p: k(-1),
    "mode": lambda k, p: k(p / "x", "q"),
    "modes": lambda k, p: k(p / "x", "rw"),
    "no mode": lambda k, p: k(p / "x", ""),
    "both": lambda k, p: k(p / "x", "rbt"),
    "mode is no text": lambda k, p: k(p / "x", 5),
    "binary encoding": lambda k, p: k(p / "x", "rb", encoding="utf-8"),
    "binary errors": lambda k, p: k(p / "x", "rb", errors="strict"),
    "binary newline": lambda k, p: k(p / "x", "wb", newline=""),
    "unbuffered text": lambda k, p: k(p / "x", "w", 0),
    "buffering": lambda k, p: k(p / "x", "wb", "x"),
    "newline": lambda k, p: k(p / "x", "w", newline="x"),
    "encoding": lambda k, p: k(p / "x", "w", encoding="nonsense"),
    "encoding's type": lambda k, p: k(p / "x", "w", encoding=3),
    "closefd of a path": lambda k, p: k(p / "x", "w", closefd=False),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("name", ["posix", "thread", "block"])
def test_what_is_wrong_gets_the_same_error(what, name, hub, tmp_path):
    found = []
    for kind in (open, KINDS[name]):
        with pytest.raises(Exception) as caught:
            WRONG[what](kind, tmp_path)
        found.append((caught.type, str(caught.value)))
    assert found[0] == found[1]


def test_line_buffering_of_binary_files_is_a_warning(kind, path):
    with pytest.warns(RuntimeWarning, match="line buffering"), kind(path, "wb", 1) as file:
        file.write(b"x\n")


def test_a_file_that_is_open_already(hub, path):
    for kind in (FileObjectPosix, FileObjectThread, FileObjectBlock):
        with open(path, "w+") as given:
            given.write("one\ntwo\n")
            given.flush()
            given.seek(0)
            with kind(given, "rb", closefd=False) as file:
                assert file.read() == b"one\ntwo\n"
            assert not given.closed
            given.seek(0)
            file = kind(given, "r")
            assert file.readline() == "one\n"
            file.close()
            assert given.closed
        given = path.open("wb")
        given.write(b"first ")  # it is in its buffer
        with kind(given, "wb") as file:
            file.write(b"second")
        assert given.closed
        assert path.read_bytes() == b"first second"


def test_threads_take_any_binary_file(hub):
    given = io.BytesIO(b"one\ntwo\n")
    with FileObjectThread(given, "r+b") as file:
        assert file.readline() == b"one\n"
        file.seek(0)
        file.write(b"ONE")
        file.seek(0)
        assert file.read() == b"ONE\ntwo\n"
        assert file.io.seekable()
    assert given.closed
    with FileObjectThread(io.BytesIO(b"x\r\ny"), "r", encoding="ascii", lock=False, threadpool=None) as file:
        assert list(file) == ["x\n", "y"]


@pytest.mark.parametrize("cls", [FileObjectPosix, FileObjectThread, FileObjectBlock])
def test_gevents_names_of_two_arguments(cls, path, hub):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    with cls(fd, "wb", close=False, bufsize=0) as file:
        assert isinstance(file.io, io.RawIOBase), "it has a buffer"
        file.write(b"abc")
        assert path.read_bytes() == b"abc"
    os.fstat(fd)
    with cls(fd, "wb", bufsize=100) as file:
        file.write(b"d")
        assert path.read_bytes() == b"abc"
    assert path.read_bytes() == b"abcd"
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


@pytest.mark.parametrize("cls", [FileObjectPosix, FileObjectThread, FileObjectBlock])
@pytest.mark.parametrize(
    ("both", "said"),
    [
        ({"closefd": True, "close": True}, "closefd and close are two names of one argument"),
        ({"closefd": True, "close": False}, "closefd and close"),
        ({"buffering": -1, "bufsize": -1}, "buffering and bufsize"),
        ({"buffering": 0, "bufsize": 5}, "buffering and bufsize"),
    ],
)
def test_both_names_of_an_argument(cls, both, said, path, hub):
    with pytest.raises(TypeError, match=said):
        cls(path, "wb", **both)
    assert not path.exists()


def test_what_is_no_file(hub):
    for kind in (FileObjectPosix, FileObjectBlock):
        with pytest.raises(TypeError, match="takes a path, an fd or a file"):
            kind(object())
    with pytest.raises(io.UnsupportedOperation):
        FileObjectPosix(io.BytesIO())
    with pytest.raises(TypeError, match="binary file"):
        FileObjectThread(io.StringIO())


def test_what_it_is_made_of(hub, path):
    path.write_text("x\n")
    for kind in (FileObjectPosix, FileObjectThread, FileObjectBlock):
        with kind(path) as file:
            assert isinstance(file.io, io.TextIOWrapper)
            assert isinstance(file.io.buffer, io.BufferedReader)
            assert file.next() == "x\n"
            assert kind.__name__ in repr(file)
            assert "closed" not in repr(file)
            assert file.default_bufsize == io.DEFAULT_BUFFER_SIZE
            with pytest.raises(AttributeError):
                file.nonsense
        assert "closed" in repr(file)
    assert issubclass(FileObjectClosed, ValueError)


def test_which_class_fileobject_is(hub):
    choose = fileobject.file_object_class
    assert fileobject.FileObject is choose() is choose("posix") is FileObjectPosix
    assert choose("thread") is FileObjectThread
    assert choose("block") is FileObjectBlock
    assert choose("io:FileIO") is io.FileIO
    assert choose(io.BytesIO) is io.BytesIO
    with pytest.raises(ValueError, match=r"'thred'.*posix, thread, block"):
        choose("thred")


def test_the_environment_chooses():
    done = run_python(
        "from hubcore.fileobject import FileObject; print(FileObject.__name__)", env={"HUBCORE_FILE": "thread"}
    )
    assert done.stdout == "FileObjectThread\n"


def test_files_of_a_thread_without_a_hub(hub, path):
    import threading

    def work():
        with FileObjectThread(path, "w") as file:
            file.write("x")
        with FileObjectPosix(path) as file:
            got.append(file.read())
        got.append(hubcore.hub.get_hub_if_any())

    got = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert got == ["x", None]
