"""os.open of a FIFO: the greenlet waits for the other end, and others run.

Fact: open(2) of a FIFO waits for the other end, and there is no event for that. Consequence: a worker thread opens it.
If the greenlet is interrupted, the thread waits on, and closes the fd when the other end comes.
"""

from __future__ import annotations

import os
import stat

from hubcore._base.hints import Any
from hubcore._base.originals import allocate_lock, close_fd
from hubcore._io.fd_calls import may_wait
from hubcore._threads.job import Job

_open = os.open
_NO_WAIT = os.O_NONBLOCK | getattr(os, "O_PATH", 0)


def open_fd(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """As os.open. Switches while `path` is a FIFO whose other end is not open, unless O_NONBLOCK is set."""
    if _waits(path, flags, dir_fd) and may_wait():
        return _Opening(path, flags, mode, dir_fd).wait()
    return _open(path, flags, mode, dir_fd=dir_fd)


open_fd.__name__ = "open"


def _waits(path: Any, flags: Any, dir_fd: Any) -> bool:
    if not isinstance(flags, int) or flags & _NO_WAIT or flags & os.O_ACCMODE == os.O_RDWR:
        return False
    try:
        return stat.S_ISFIFO(os.stat(path, dir_fd=dir_fd).st_mode)
    except (OSError, TypeError, ValueError):
        return False  # the call itself raises the right error


class _Opening:
    """One open(2) of a FIFO in a worker thread."""

    def __init__(self, *args: Any) -> None:
        self._args = args
        self._lock = allocate_lock()
        self._fd = -1
        self._unwanted = False

    def wait(self) -> int:
        job: Job[None] = Job(None, self._open, (), {})
        job.submit()
        try:
            job.get()
        except BaseException:
            job.drop()
            with self._lock:
                self._unwanted = True
                if self._fd >= 0:
                    close_fd(self._fd)
            raise
        return self._fd

    def _open(self) -> None:
        path, flags, mode, dir_fd = self._args
        fd = _open(path, flags, mode, dir_fd=dir_fd)
        with self._lock:
            if not self._unwanted:
                self._fd = fd
                return
        close_fd(fd)
