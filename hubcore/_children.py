"""Children: a watcher of one child process's end.

Facts: a pidfd is readable when its process has ended, so it is watched like any fd: no SIGCHLD handler, which would be
the program's to set, and no reaping of children that others wait for; it works in every thread. Linux has it since 5.3.
Consequence: where it is missing, a thread sleeps in waitid until the child has ended, without reaping it.
"""

from __future__ import annotations

import os

from hubcore._originals import waitpid
from hubcore.watchers import READ, Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.loop import Loop
    from hubcore.watchers import Io


class Child(Watcher):
    """Calls back once the child `pid` has ended; it is then reaped, and `rpid` and `rstatus` are waitpid's answer."""

    def __init__(self, loop: Loop, pid: int, ref: bool = True) -> None:
        super().__init__(loop, ref)
        if not isinstance(pid, int) or pid <= 0:
            raise ValueError(f"cannot watch process {pid!r}; it takes the pid of one child, a positive number")
        self.pid = pid
        self.rpid = 0
        self.rstatus = 0
        self._io: Io | None = None
        self._watching = False
        self._reaped: tuple[int, int] | None = None
        self.elsewhere = False  # whether somebody else has reaped it

    def reaped_elsewhere(self, status: int) -> None:
        """Somebody else has just reaped the child, and this is its status. Never switches."""
        self.elsewhere = True
        self._reaped = (self.pid, status)

    def _begin(self) -> None:
        try:
            fd = os.pidfd_open(self.pid)
        except AttributeError:
            fd = -1
        except OSError as error:
            if isinstance(error, ProcessLookupError):
                raise ChildProcessError(error.errno, f"there is no process {self.pid} to watch") from None
            fd = -1
        self.loop.begin_outside(False)
        self._watching = True
        if fd >= 0:
            self._io = self.loop.io(fd, READ, False)
            self._io.start(self._ended)
        else:
            from hubcore._workers import start_thread

            start_thread(self._wait_in_thread, ())

    def _end(self) -> None:
        if self._watching:
            self._watching = False
            self.loop.end_outside(False)
        if self._io is not None:
            fd = self._io.fd
            self._io.close()
            self._io = None
            os.close(fd)

    def _wait_in_thread(self) -> None:
        try:
            if hasattr(os, "waitid"):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            else:  # macOS before Python 3.13: only a wait that reaps
                self._reaped = waitpid(self.pid, 0)
        except ChildProcessError:
            pass  # somebody else reaped it: it has ended all the same
        self.loop.run_callback_threadsafe(self._ended)

    def _ended(self) -> None:
        if not self._started:
            return
        try:
            self.rpid, self.rstatus = self._reaped or waitpid(self.pid, os.WNOHANG)
            if self.rpid == 0:
                return
        except ChildProcessError:
            # Somebody else reaped it, and with it the status is gone.
            self.elsewhere = True
            self.rpid, self.rstatus = self.pid, 0
        callback, args = self.callback, self.args or ()
        self.stop()
        if callback is not None:
            callback(*args)

    def _describe(self) -> str:
        return f" pid={self.pid} rstatus={self.rstatus}"
