"""The parent's ends of a child's pipes: files like those of the standard library's Popen, with waits in the hub."""

from __future__ import annotations

import io
import os
import stat
import warnings
from fcntl import F_GETFL, fcntl
from select import POLLIN, POLLOUT

from hubcore._base.originals import close_fd, get_blocking, set_blocking
from hubcore._io.fd_calls import seems_blocking
from hubcore._io.fd_waits import FdWaits
from hubcore._io.native_poll import wait_natively
from hubcore._io.posix_file import PosixFile
from hubcore.fileobject import FileObjectPosix
from hubcore.hub import get_hub_if_any
from hubcore.lock import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _ChildWaits(FdWaits):
    """The waits for a child's input and output, which take real time. In a thread without a hub, the thread blocks."""

    def wait_read(self, timeout: float) -> int:
        self._wait_outside(super().wait_read, POLLIN, timeout)
        return self.fd

    def wait_write(self, timeout: float) -> None:
        self._wait_outside(super().wait_write, POLLOUT, timeout)

    def _wait_outside(self, wait: Callable[[float], object], events: int, timeout: float) -> None:
        hub = get_hub_if_any()
        if hub is None:
            wait_natively(self.fd, events)
            return
        loop = hub.loop
        loop.begin_external(False)
        try:
            wait(timeout)
        finally:
            loop.end_external(False)


class PipeFile(PosixFile):
    """A raw file on one end of a pipe; it makes the fd non-blocking."""

    def __init__(self, fd: int, mode: str) -> None:
        self._given: bytes | None = None
        io.FileIO.__init__(self, fd, mode)
        self._fd_waits = _ChildWaits(fd, False, -1.0)
        self._write_waits = False
        self._key = None
        set_blocking(fd, False)
        seems_blocking[fd] = True

    def give(self, data: bytes) -> None:
        """Make later reads return `data` and then the end, instead of reading the fd."""
        self._given = data

    def readinto(self, buffer: Any) -> int:
        """Like io.FileIO.readinto. Switches if no data is ready."""
        if self._given is None:
            return super().readinto(buffer)
        data = self._given[: len(buffer)]
        self._given = self._given[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """Like io.FileIO.read. Switches if no data is ready."""
        if self._given is None:
            return super().read(size)
        if size is None or size < 0:
            return self.readall()
        data, self._given = self._given[:size], self._given[size:]
        return data

    def readall(self) -> bytes:
        """Like io.FileIO.readall. Switches if no data is ready."""
        if self._given is None:
            return super().readall()
        data, self._given = self._given, b""
        return data

    def close(self) -> None:
        """Like io.FileIO.close."""
        if not self.closed:
            seems_blocking.pop(self.fileno(), None)
        super().close()


class Pipe(FileObjectPosix):
    """A pipe to or from a child. It passes isinstance tests for the io class that the standard library uses here."""

    def __init__(self, raw: PipeFile, file: Any) -> None:
        self._given = None
        self._close_given = False
        self._raw = raw
        self._io = file
        self._closing = False
        self._reading = self._writing = RLock()

    def finish(self, data: bytes) -> Any:
        """Return the buffered data and then `data`, the rest that was read from the fd; close the file. May switch."""
        self._raw.give(data)
        try:
            return self._call("read")
        finally:
            self.close()


class _RawPipe(Pipe):
    pass


class _BinaryPipe(Pipe):
    pass


class _TextPipe(Pipe):
    pass


io.RawIOBase.register(_RawPipe)
io.BufferedIOBase.register(_BinaryPipe)
io.TextIOBase.register(_TextPipe)


def open_pipe(fd: int, mode: str, bufsize: int, text: bool, encoding: str | None, errors: str | None) -> Pipe:
    """Return a file for this process's end `fd` of a pipe, to read ("rb") or to write ("wb"). `bufsize` is Popen's.

    On failure it closes the fd, unlike io.open, because the fd has no other owner.
    """
    try:
        raw = PipeFile(fd, mode)
    except BaseException:
        close_fd(fd)
        raise
    try:
        line_buffering = text and bufsize == 1
        if line_buffering:
            bufsize = -1
        if bufsize == 1:
            warnings.warn(
                "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used",
                RuntimeWarning,
                stacklevel=4,
            )
            bufsize = -1
        kind: type[Pipe] = _BinaryPipe
        file: Any = raw
        if bufsize == 0:
            kind = _RawPipe
        else:
            size = bufsize if bufsize > 0 else max(os.fstat(fd).st_blksize, io.DEFAULT_BUFFER_SIZE)
            file = io.BufferedReader(raw, size) if mode == "rb" else io.BufferedWriter(raw, size)
        if text:
            kind = _TextPipe
            file = (
                io.TextIOWrapper(file, encoding, errors)
                if mode == "rb"
                else io.TextIOWrapper(file, encoding, errors, line_buffering=line_buffering, write_through=True)
            )
        return kind(raw, file)
    except BaseException:
        raw.close()
        raise


def blocking_again(fd: int) -> int:
    """Return the fd to give a child for `fd`: a new blocking fd of the same pipe, which the caller closes, or `fd`.

    Fact: O_NONBLOCK belongs to the open file, which a child shares, and few programs expect a non-blocking standard
    input. Consequence: a Popen's pipe is opened anew for the child, by its name in /proc.
    """
    if not seems_blocking.get(fd) or get_blocking(fd) or not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return fd
    access = fcntl(fd, F_GETFL) & os.O_ACCMODE
    try:
        # Without O_NONBLOCK, open waits until a process has the other end open.
        again = os.open(f"/proc/self/fd/{fd}", access | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return fd  # the other end is closed (ENXIO), or there is no /proc
    set_blocking(again, True)
    return again
