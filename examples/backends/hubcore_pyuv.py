"""hubcore on libuv by way of pyuv: `HUB_BACKEND=pyuv`.

Facts: libuv aborts the process when the kernel refuses a watched fd, also for a regular file that got the fd's number,
and it tells the kernel at its next run. Consequence: new watches are tried on an epoll object of the backend's own
before each run. pyuv gives up the GIL for a whole run, so between try and run another thread can still close a watched
fd behind the loop's back; only a binding that keeps the GIL, as hubcore's own, closes that gap.

Fact: before libuv 1.45 a run looks at timers first and then sleeps, without a limit if the only timer was due by then.
Consequence: the timer that limits a sleep repeats every millisecond after its time.

Fact: pyuv has no uv_loop_fork. Consequence: in a forked child another epoll object gets the number of the shared one;
after that the handles can be closed without a word to the parent's.
"""

from __future__ import annotations

import os
from collections import deque

import pyuv

from hubcore.backends.native import check_fds_left, check_open, get_blocking, original, set_blocking
from hubcore.loop import Loop
from hubcore.watchers import READ, WRITE, FdWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

#: What `hubcore info` shows: the libuv that runs.
library_version = pyuv.LIBUV_VERSION

_LONGEST = 86400.0  # seconds; the caller asks again after a wait that was too short
_FDS = 8  # two epoll objects, an eventfd or pipe, a pipe for signals, and for the first loop of the process another one

_nothing = deque[object](maxlen=0).append  # a callback that does nothing, in C: no signal handler runs in it


class PyuvFdWatch(FdWatch):
    """One pyuv.Poll for all watchers of an fd, or for what the kernel cannot watch an entry in `always_ready`."""

    loop: PyuvLoop
    handle: Any = None

    def set_mask(self, mask: int) -> None:
        """As FdWatch.set_mask."""
        check_open(self.fd)
        # Only the making of a handle asks the kernel whether it can watch the fd.
        self.release()
        if not self.loop.can_watch(self.fd):
            self.loop.always_ready.add(self)
            return
        blocking = get_blocking(self.fd)
        self.handle = pyuv.Poll(self.loop.uv, self.fd)
        if blocking:
            set_blocking(self.fd, True)  # libuv makes it non-blocking, which others who share the file would notice
        self.handle.start(mask, self.loop.note)  # READ and WRITE are UV_READABLE and UV_WRITABLE
        self.loop.handles[self.handle] = self
        self.loop.unregistered.append(self)

    def release(self) -> None:
        """As FdWatch.release."""
        self.loop.always_ready.discard(self)
        handle, self.handle = self.handle, None
        if handle is not None:
            self.loop.handles.pop(handle, None)
            handle.close()


class PyuvLoop(Loop):
    """A loop on a pyuv.Loop of its own. It waits in whole milliseconds, rounded up."""

    name = "pyuv"
    protocol_version = 1
    backend = "epoll" if os.uname().sysname == "Linux" else "kqueue"

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        super().__init__(flags, default)
        self.always_ready: set[PyuvFdWatch] = set()
        self.handles: dict[Any, PyuvFdWatch] = {}  # the open ones
        self.unregistered: list[PyuvFdWatch] = []  # watches that libuv will register with the kernel at its next run
        self.fired: dict[PyuvFdWatch, tuple[int, bool]] = {}  # events, and whether the handle was stopped by an error
        self.raised: list[BaseException] = []
        self._open()

    def _open(self) -> None:
        check_fds_left(_FDS)
        self.trial: Any = original("select", "epoll")()
        self.uv: Any = pyuv.Loop()
        self.uv.excepthook = self._keep
        self.limit = pyuv.Timer(self.uv)
        # Always active, so that a wait without a limit is one, and is not refused for want of anything to wait for.
        self.waker: Any = pyuv.Async(self.uv, _nothing)

    def can_watch(self, fd: int) -> bool:
        """Whether the kernel can watch `fd`; False also for one that is not open."""
        try:
            self.trial.register(fd, 0)
        except OSError:
            return False
        self.trial.unregister(fd)
        return True

    def note(self, handle: Any, events: int | None, error: int | None) -> None:
        """libuv's callback: keep what fired until its run is over."""
        watch = self.handles.get(handle)
        if watch is not None:
            # After an error there may still be data, and those who wait get the error from their own call.
            self.fired[watch] = (READ | WRITE, True) if error else (events or 0, False)

    def _keep(self, kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        """libuv's callbacks cannot raise: keep what a signal handler raised in one until its run is over."""
        self.raised.append(value)

    def poll(self, timeout: float) -> None:
        """As Loop.poll."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        self._report_closed()
        if timeout == 0.0 or self.always_ready or self.fired or self.pendingcnt:
            self.uv.run(pyuv.UV_RUN_NOWAIT)
        else:
            if timeout > 0.0:
                self.uv.update_time()  # a timer counts from what libuv believes to be now
                milliseconds = int(min(timeout, _LONGEST) * 1000) + 1
                self.limit.start(_nothing, milliseconds / 1000 + 0.0001, 0.001)
            try:
                self.uv.run(pyuv.UV_RUN_ONCE)
            finally:
                self.limit.stop()
        if self.raised:
            raise self.raised.pop()
        self._deliver()

    def _deliver(self) -> None:
        # One by one: a signal handler that raises here leaves the rest for the next poll.
        while self.fired:
            watch, (events, failed) = self.fired.popitem()
            if watch.handle is None:
                continue
            if failed:
                try:
                    watch.set_mask(watch.mask)
                except OSError:
                    pass  # closed meanwhile; the event below tells those who wait
            watch.on_event(events)
        for watch in tuple(self.always_ready):
            watch.on_event(watch.mask)

    def _report_closed(self) -> None:
        """Fail the waits for new watches whose fd was closed before libuv has registered it.

        By now a number may also stand for another file, one that the kernel cannot watch.
        """
        while self.unregistered:
            watch = self.unregistered.pop()
            if watch.handle is not None and not self.can_watch(watch.fd):
                try:
                    watch.set_mask(watch.mask)
                except OSError:
                    self.closing_fd(watch.fd)

    def wake(self) -> None:
        """As Loop.wake."""
        waker = self.waker
        if waker is not None:
            try:
                waker.send()
            except pyuv.error.HandleClosedError:
                pass  # the loop was closed by its own thread meanwhile, which sleeps no more

    def make_fd_watch(self, fd: int) -> PyuvFdWatch:
        """As Loop.make_fd_watch."""
        return PyuvFdWatch(self, fd)

    def reinit(self) -> None:
        """As Loop.reinit."""
        other = original("select", "epoll")()
        os.dup2(other.fileno(), self.uv.fileno(), inheritable=False)
        other.close()
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self.release()
        self._open()

    def release(self) -> None:
        """As Loop.release."""
        uv, self.waker = self.uv, None
        for handle in uv.handles:
            if not handle.closed:
                handle.close()
        uv.run(pyuv.UV_RUN_DEFAULT)  # a handle is closed by a run
        self.unregistered.clear()
        self.fired.clear()
        del uv.excepthook
        # libuv's loop is destroyed with the last object that refers to it.
        self.uv = self.limit = None
        self.trial.close()

    def fileno(self) -> int:
        """The fd that is readable when there are events."""
        number: int = self.uv.fileno()
        return number
