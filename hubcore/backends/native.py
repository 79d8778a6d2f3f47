"""For authors of backends: calls that stay the system's own in a patched process, and checks that every backend needs.

Fact: `monkey.patch_all()` makes `os.read`, `os.write`, `os.close`, `select.poll`, `select.epoll`, `threading.Lock` and
others cooperative: they wait in the hub, or call it. Consequence: a backend that calls one of them polls the loop
inside its own poll, which is BlockingSwitchOutError. What is here is the same before and after a patch.

`os.pipe`, `os.fstat`, `os.dup2` and `time.monotonic` are never patched.
"""

from __future__ import annotations

import errno
import os

from hubcore._base.originals import close_fd, get_blocking, original, read_fd, set_blocking, write_fd

__all__ = [
    "WakePipe",
    "check_fds_left",
    "check_open",
    "close_fd",
    "get_blocking",
    "original",
    "read_fd",
    "set_blocking",
    "write_fd",
]

_fcntl, _GET_FLAGS = original("fcntl", "fcntl"), original("fcntl", "F_GETFL")
_O_PATH = getattr(os, "O_PATH", 0)
_READ_SIZE = 65536  # bytes: all that a pipe holds by default


def check_open(fd: int) -> None:
    """OSError (EBADF) unless `fd` is open and can be read or written. Never switches.

    A file opened with O_PATH counts as not open: the kernel refuses to watch it with the same error.
    """
    try:
        watchable = not _fcntl(fd, _GET_FLAGS) & _O_PATH
    except OSError:
        watchable = False
    if not watchable:
        raise OSError(errno.EBADF, f"cannot watch fd {fd}: {os.strerror(errno.EBADF)}")


def check_fds_left(number: int) -> None:
    """OSError (EMFILE, ENFILE) unless `number` more file descriptors can be opened now. Never switches.

    For C libraries that abort the process, or raise an error of their own, where none is left.
    """
    opened: list[int] = []
    try:
        while len(opened) < number:
            opened += os.pipe()
    finally:
        for fd in opened:
            close_fd(fd)


class WakePipe:
    """A pipe that ends a poll: the poll watches `fileno()`, and other threads `send()`.

    For a backend whose event loop has nothing of that kind.
    """

    __slots__ = ("_read", "_write")

    def __init__(self) -> None:
        """OSError (EMFILE, ENFILE) where no file descriptors are left."""
        self._read, self._write = os.pipe()
        set_blocking(self._read, False)
        set_blocking(self._write, False)

    def fileno(self) -> int:
        """The end to watch for reading; -1 once it is closed."""
        return self._read

    def send(self) -> None:
        """Make `fileno()` readable. Any thread; never waits; does nothing once it is closed."""
        try:
            write_fd(self._write, b"w")
        except BlockingIOError:
            pass  # full, and so readable
        except OSError as error:
            # The loop's own thread has closed it meanwhile, and sleeps no more.
            if error.errno != errno.EBADF:
                raise

    def clear(self) -> None:
        """Make `fileno()` not readable until the next `send`. The loop's thread only."""
        try:
            while len(read_fd(self._read, _READ_SIZE)) == _READ_SIZE:
                pass
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Close both ends; closing twice is harmless. The loop's thread only."""
        read, write = self._read, self._write
        # Forgotten first: a late `send` must not write to the file that gets the number next.
        self._read = self._write = -1
        if read >= 0:
            close_fd(read)
            close_fd(write)
