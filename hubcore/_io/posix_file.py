"""Pipes, ttys and FIFOs as raw files: calls that would block wait in the hub."""

from __future__ import annotations

import atexit
import io
import os
import stat
from fcntl import F_GETFL, fcntl

from hubcore._base.originals import close_fd, get_blocking, set_blocking
from hubcore._io.fd_waits import FdWaits
from hubcore._io.threaded_file import ThreadCall
from hubcore._io.wait_any_fd import spend
from hubcore._io.wait_fd import closing_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CHUNK = 65536

# By terminal, or another open file that outlives its fds: the fds of the files here that have made it non-blocking.
# The flag affects every process that shares the open file, for example the shell. Hence it is reset when the last of
# these files is closed, or the process ends.
_shared: dict[tuple[int, int, int], list[int]] = {}


def make_nonblocking(fd: int) -> bool:
    """Make `fd` non-blocking. Return whether it was blocking."""
    if not get_blocking(fd):
        return False
    set_blocking(fd, False)
    return True


def open_path(path: Any, flags: int) -> int:
    """Call os.open as io.open does. Opening a FIFO waits for the other end, so a worker thread does it. May switch."""
    try:
        waits = stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        waits = False
    if not waits:
        return os.open(path, flags, 0o666)
    fd: int = ThreadCall(os.open, path, flags, 0o666, late=close_fd).wait()
    return fd


class PosixFile(io.FileIO):
    """io.FileIO on a non-blocking fd: `read` and `write` wait in the hub. For regular files they never wait.

    One greenlet may read while another writes. `close` raises OSError (EBADF) in both. `write` writes all of its data.
    """

    def __init__(self, file: Any, mode: str = "r", closefd: bool = True) -> None:
        super().__init__(file, mode, closefd, open_path)
        fd = self.fileno()
        self._fd_waits = FdWaits(fd, False, -1.0)
        self._write_waits = False
        self._key: tuple[int, int, int] | None = None
        status = os.fstat(fd)
        outlives = not closefd or stat.S_ISCHR(status.st_mode)
        key = (status.st_dev, status.st_ino, fcntl(fd, F_GETFL) & os.O_ACCMODE)
        if (make_nonblocking(fd) or key in _shared) and outlives:
            _shared.setdefault(key, []).append(fd)
            self._key = key

    def interrupt(self) -> bool:
        """Raise OSError (EBADF) in the waiters. Return whether one waited to write. Any thread; never switches."""
        self._fd_waits.close()
        return self._write_waits

    def readinto(self, buffer: Any) -> int:
        """Like io.FileIO.readinto. Switches if no data is ready."""
        spend()
        while (n := super().readinto(buffer)) is None:
            self._fd_waits.wait_read(-1.0)
        return n

    def read(self, size: int | None = -1) -> bytes:
        """Like io.FileIO.read. Switches if no data is ready."""
        if size is None or size < 0:
            return self.readall()
        spend()
        while (data := super().read(size)) is None:
            self._fd_waits.wait_read(-1.0)
        return data

    def readall(self) -> bytes:
        """Like io.FileIO.readall. Switches if no data is ready."""
        parts = []
        while data := self.read(_CHUNK):
            parts.append(data)
        return b"".join(parts)

    def write(self, data: Any) -> int:
        """Like io.FileIO.write, but write all of `data`. Switches while there is no room."""
        spend()
        with memoryview(data) as view, view.cast("B") as octets:
            done = 0
            while True:
                n = super().write(octets[done:])
                if n is not None:
                    done += n
                    if done == len(octets):
                        return done
                    continue
                self._write_waits = True
                try:
                    self._fd_waits.wait_write(-1.0)
                finally:
                    self._write_waits = False

    def close(self) -> None:
        """Like io.FileIO.close."""
        if not self.closed:
            fd = self.fileno()
            waits = getattr(self, "_fd_waits", None)  # not set if __init__ failed
            if waits is not None:
                waits.close()
                waits.fd = -1
                self._give_up(fd)
            if self.closefd:
                closing_fd(fd)
        super().close()

    def _give_up(self, fd: int) -> None:
        if self._key is None:
            return
        users = _shared[self._key]
        users.remove(fd)
        if not users:
            del _shared[self._key]
            try:
                set_blocking(fd, True)
            except OSError:
                pass  # other code has closed it


@atexit.register
def _restore() -> None:
    for fds in _shared.values():
        for fd in fds:
            try:
                set_blocking(fd, True)
            except OSError:
                pass
    _shared.clear()
