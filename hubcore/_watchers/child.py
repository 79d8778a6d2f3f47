"""Watchers of the end of one child process.

Facts: a pidfd becomes readable when its process ends, and works in every thread; Linux has it since 5.3. Consequences:
the loop watches it like any fd. That needs no SIGCHLD handler, which belongs to the program, and reaps no child that
other code waits for. Where pidfds are missing, a thread sleeps in waitid until the child has ended, without reaping it.
"""

from __future__ import annotations

import os

from hubcore._base.originals import close_fd, waitpid
from hubcore.watchers import READ, Io, Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._core.base_loop import BaseLoop


def sleep_until_ended(pid: int) -> None:
    """Block the thread until the child `pid` has ended. Does not reap it; returns if other code has reaped it."""
    if hasattr(os, "waitid"):
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            pass
        return
    from importlib import import_module

    select: Any = import_module("select")  # macOS has no waitid before Python 3.13
    queue = select.kqueue()
    try:
        event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        queue.control([event], 1, None)
    except ProcessLookupError:
        pass
    finally:
        queue.close()


class ChildEnd(Watcher):
    """Calls back once the child `pid` has ended. Does not reap it: that is up to the user of the watcher.

    `start` raises ChildProcessError if there is no such process, because other code has reaped it.
    """

    def __init__(self, loop: BaseLoop, pid: int, ref: bool = True) -> None:
        super().__init__(loop, ref)
        if not isinstance(pid, int) or pid <= 0:
            raise ValueError(f"pid must be that of one child, a positive number, not {pid!r}")
        self.pid = pid
        self._io: Io | None = None
        self._watching = False

    def _begin(self) -> None:
        try:
            fd = os.pidfd_open(self.pid)
        except AttributeError:
            fd = -1
        except OSError as error:
            if isinstance(error, ProcessLookupError):
                raise ChildProcessError(error.errno, f"there is no process {self.pid} to watch") from None
            fd = -1
        self.loop.begin_external(False)
        self._watching = True
        if fd >= 0:
            self._io = Io(self.loop, fd, READ, False, None)
            self._io.start(self._ended)
        else:
            from hubcore._base.worker_threads import start_thread

            start_thread(self._wait_in_thread, ())

    def _end(self) -> None:
        if self._watching:
            self._watching = False
            self.loop.end_external(False)
        if self._io is not None:
            fd = self._io.fd
            self._io.close()
            self._io = None
            close_fd(fd)

    def _wait_in_thread(self) -> None:
        sleep_until_ended(self.pid)
        self.loop.run_callback_threadsafe(self._ended)

    def _ended(self) -> None:
        if self._started and self._look():
            callback, args = self.callback, self.args or ()
            self.stop()
            if callback is not None:
                callback(*args)

    def _look(self) -> bool:
        """Return whether the child has really ended, after an event."""
        return True

    def _describe(self) -> str:
        return f" pid={self.pid}"


class Child(ChildEnd):
    """Calls back once the child `pid` has ended, and reaps it first: `rpid` and `rstatus` are the result of waitpid."""

    def __init__(self, loop: BaseLoop, pid: int, ref: bool = True) -> None:
        super().__init__(loop, pid, ref)
        self.rpid = 0
        self.rstatus = 0
        self.elsewhere = False  # whether other code has reaped it
        self._reaped: tuple[int, int] | None = None

    def reaped_elsewhere(self, status: int) -> None:
        """Take over `status`, with which other code has just reaped the child. Never switches."""
        self.elsewhere = True
        self._reaped = (self.pid, status)

    def _look(self) -> bool:
        try:
            self.rpid, self.rstatus = self._reaped or waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            # Other code has reaped it, so its status is lost.
            self.elsewhere = True
            self.rpid, self.rstatus = self.pid, 0
        return self.rpid != 0

    def _describe(self) -> str:
        return f" pid={self.pid} rstatus={self.rstatus}"
