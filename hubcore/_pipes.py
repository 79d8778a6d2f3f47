"""The parent's ends of a child's pipes: files as the standard library's Popen has them, which wait in the hub."""

from __future__ import annotations

import io
import os
import stat
import warnings
from fcntl import F_GETFL, fcntl
from select import POLLIN, POLLOUT

from hubcore._fdcalls import seems_blocking
from hubcore._fileposix import PosixFile
from hubcore._nativepoll import wait_natively
from hubcore._originals import close_fd, get_blocking, set_blocking
from hubcore._sockwait import FdWaits
from hubcore.fileobject import FileObjectPosix
from hubcore.hub import get_hub_if_any
from hubcore.lock import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _ChildWaits(FdWaits):
    """The waits for what a child does, which takes real time. A thread without a hub itself waits."""

    def wait_read(self, timeout: float) -> None:
        self._wait_outside(super().wait_read, POLLIN, timeout)

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
    """A raw file on one end of a pipe, which becomes non-blocking."""

    def __init__(self, fd: int, mode: str) -> None:
        self._given: bytes | None = None
        io.FileIO.__init__(self, fd, mode)
        self._fd_waits = _ChildWaits(fd, False, -1.0)
        self._write_waits = False
        self._key = None
        set_blocking(fd, False)
        seems_blocking[fd] = True

    def give(self, data: bytes) -> None:
        """From now on `data` is what there is to read, and then the end."""
        self._given = data

    def readinto(self, buffer: Any) -> int:
        """As io.FileIO.readinto. Switches when nothing is there."""
        if self._given is None:
            return super().readinto(buffer)
        data = self._given[: len(buffer)]
        self._given = self._given[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """As io.FileIO.read. Switches when nothing is there."""
        if self._given is None:
            return super().read(size)
        if size is None or size < 0:
            return self.readall()
        data, self._given = self._given[:size], self._given[size:]
        return data

    def readall(self) -> bytes:
        """As io.FileIO.readall. Switches when nothing is there."""
        if self._given is None:
            return super().readall()
        data, self._given = self._given, b""
        return data

    def close(self) -> None:
        """As io.FileIO.close."""
        if not self.closed:
            seems_blocking.pop(self.fileno(), None)
        super().close()


class Pipe(FileObjectPosix):
    """A pipe to or from a child. An instance of the io module's class that the standard library would have here."""

    def __init__(self, raw: PipeFile, file: Any) -> None:
        self._given = None
        self._close_given = False
        self._raw = raw
        self._io = file
        self._closing = False
        self._reading = self._writing = RLock()

    def finish(self, data: bytes) -> Any:
        """What is in the buffers, then `data`, which was read from the fd to its end: bytes or text. Closes it."""
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
    """This process's end `fd` of a pipe, to read ("rb") or to write ("wb"), with Popen's meaning of `bufsize`.

    Closes the fd where it fails, as io.open does not: nobody else has it.
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
    """What to give a child as `fd`: an fd of the same pipe that blocks, for the caller to close; else `fd` itself.

    Fact: O_NONBLOCK belongs to the open file, which a child shares, and hardly any program expects it of its standard
    input. Consequence: a pipe of ours is opened anew for a child, by its name in /proc.
    """
    if not seems_blocking.get(fd) or get_blocking(fd) or not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return fd
    access = fcntl(fd, F_GETFL) & os.O_ACCMODE
    try:
        # Without O_NONBLOCK, open waits for somebody at the other end.
        again = os.open(f"/proc/self/fd/{fd}", access | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return fd  # the other end is closed (ENXIO), or there is no /proc
    set_blocking(again, True)
    return again
