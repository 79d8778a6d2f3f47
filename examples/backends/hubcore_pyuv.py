"""hubcore on libuv by way of pyuv: `HUB_BACKEND=pyuv`.

Facts: libuv aborts the process when the kernel refuses a watched fd, also for a regular file that got the fd's number,
and it registers the fd with the kernel at its next run. Consequence: the backend has a duplicate of the fd of libuv's
epoll object, and tries new watches there before each run. pyuv gives up the GIL for a whole run, so between try and run
another thread can still close a watched fd behind the loop's back; only a binding that keeps the GIL, as hubcore's own,
closes that gap.

Facts: a file that is open elsewhere stays in the epoll object when its number is closed, and libuv does not return from
a run because of its events, but turns until its limit. Consequence: such a number is *stale*; while there are any, the
backend waits for the epoll object by poll(2), and where it finds events and libuv has none it makes a new libuv loop.

Fact: before libuv 1.45 a run looks at timers first and then sleeps, without a limit if the only timer was due by then.
Consequence: the timer that limits a sleep repeats every millisecond after its time.

Fact: pyuv has no uv_loop_fork. Consequence: in a forked child another epoll object gets the number of the shared one;
after that the handles can be closed without a word to the parent's.
"""

from __future__ import annotations

import errno
import os
import select
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
_FDS = 8  # an epoll object and its duplicate, an eventfd or pipe, a pipe for signals, and another for the first loop

_FEW = 16  # so many fds may have to move to a new libuv loop for each stale number
_nothing = deque[object](maxlen=0).append  # a callback that does nothing, in C: no signal handler runs in it


def _milliseconds(timeout: float) -> int:
    """The number of whole milliseconds that is more than `timeout` seconds."""
    return int(min(timeout, _LONGEST) * 1000) + 1


class PyuvFdWatch(FdWatch):
    """One pyuv.Poll for all watchers of an fd, or for what the kernel cannot watch an entry in `always_ready`."""

    loop: PyuvLoop
    handle: Any = None
    registered = False  # libuv has registered the fd with the kernel

    def set_mask(self, mask: int) -> None:
        """As FdWatch.set_mask."""
        error = self.loop.why_not(self.fd)
        if error not in (0, errno.EPERM):
            raise OSError(error, f"cannot watch fd {self.fd}: {os.strerror(error)}")
        # Only the making of a handle asks the kernel whether it can watch the fd.
        self.release()
        if error:
            self.loop.always_ready.add(self)  # a regular file, which the kernel does not watch
            return
        if self.fd in self.loop.stale:
            self.loop.renew_now = True
        blocking = get_blocking(self.fd)
        try:
            self.handle = pyuv.Poll(self.loop.uv, self.fd)
        except pyuv.error.PollError as refusal:
            error = -refusal.args[0]  # another thread has closed the number since, or given it to another file
            raise OSError(error, f"cannot watch fd {self.fd}: {os.strerror(error)}") from None
        if blocking:
            set_blocking(self.fd, True)  # libuv makes it non-blocking, which others who share the file would notice
        self.handle.start(mask, self.loop.note)  # READ and WRITE are UV_READABLE and UV_WRITABLE
        self.loop.handles[self.handle] = self
        self.loop.unregistered.add(self)

    def release(self) -> None:
        """As FdWatch.release."""
        self.loop.always_ready.discard(self)
        handle, self.handle = self.handle, None
        if handle is not None:
            self.loop.handles.pop(handle, None)
            if self.registered and not self.loop.unregister(self.fd):
                self.loop.stale.add(self.fd)
            handle.close()
        self.registered = False


class PyuvLoop(Loop):
    """A loop on a pyuv.Loop of its own. It waits in whole milliseconds, rounded up."""

    name = "pyuv"
    protocol_version = 1
    backend = "epoll" if os.uname().sysname == "Linux" else "kqueue"

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        super().__init__(flags, default)
        self.always_ready: set[PyuvFdWatch] = set()
        self.handles: dict[Any, PyuvFdWatch] = {}  # the open ones
        self.unregistered: set[PyuvFdWatch] = set()  # watches that libuv will register with the kernel at its next run
        self.fired: dict[PyuvFdWatch, tuple[int, bool]] = {}  # events, and whether the handle was stopped by an error
        self.raised: list[BaseException] = []
        self.woken: deque[object] = deque(maxlen=1)  # filled in C by the waker's callback
        self.stale: set[int] = set()  # numbers that the epoll object may know for files that they no longer stand for
        self.renew_now = False  # the next poll begins with a new libuv loop
        self._open()

    def _open(self) -> None:
        check_fds_left(_FDS)
        self.uv: Any = pyuv.Loop()
        self.kernel: Any = original("select", "epoll").fromfd(os.dup(self.uv.fileno()))
        self.uv.excepthook = self._keep
        self.limit = pyuv.Timer(self.uv)
        # Always active, so that a wait without a limit is one, and is not refused for want of anything to wait for.
        self.waker: Any = pyuv.Async(self.uv, self.woken.append)

    def why_not(self, fd: int) -> int:
        """The errno with which the kernel refuses to watch `fd`, EPERM for a regular file; 0 if it does not refuse."""
        try:
            check_open(fd)
            self.kernel.register(fd, 0)
        except FileExistsError:
            return 0
        except OSError as error:
            return error.errno or errno.EBADF
        self.kernel.unregister(fd)  # libuv registers it with data of its own
        watch = self.fd_watches.get(fd)
        if watch is not None and watch.registered:  # type: ignore[attr-defined]
            watch.registered = False  # type: ignore[attr-defined]
            self.stale.add(fd)  # what libuv has registered was another file
        return 0

    def unregister(self, fd: int) -> bool:
        """Take `fd` out of the epoll object; whether it was there."""
        try:
            self.kernel.unregister(fd)
        except OSError:
            return False
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
        if self.stale and (self.renew_now or len(self.stale) * _FEW >= len(self.fd_watches)):
            self._renew()
            timeout = 0.0
        self._check_new()
        if timeout == 0.0 or self.always_ready or self.fired or self.pendingcnt:
            self.uv.run(pyuv.UV_RUN_NOWAIT)
        elif self.stale:
            self._wait_warily(timeout)
        else:
            if timeout > 0.0:
                self.uv.update_time()  # a timer counts from what libuv believes to be now
                self.limit.start(_nothing, _milliseconds(timeout) / 1000 + 0.0001, 0.001)
            try:
                self.uv.run(pyuv.UV_RUN_ONCE)
            finally:
                self.limit.stop()
        self.woken.clear()
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

    def _check_new(self) -> None:
        """Drop the new watches whose fd the kernel refuses by now, because the number was closed or reused since."""
        while self.unregistered:
            watch = self.unregistered.pop()
            if watch.handle is None:
                continue
            error = self.why_not(watch.fd)
            if error == errno.EPERM:
                watch.renew()  # it stands for a regular file by now, which is always ready
            elif error:
                watch.refuse(error)
            else:
                watch.registered = True

    def _wait_warily(self, timeout: float) -> None:
        """Wait for events while there are stale numbers, from whose events libuv does not return."""
        self.uv.run(pyuv.UV_RUN_NOWAIT)  # libuv registers new watches in a run
        if self.fired or self.woken or self.raised:
            return
        poll = original("select", "poll")()
        poll.register(self.kernel, select.POLLIN)
        ready = poll.poll(None if timeout < 0.0 else _milliseconds(timeout))
        self.uv.run(pyuv.UV_RUN_NOWAIT)
        if ready and not self.fired and not self.woken:
            self.renew_now = True

    def _renew(self) -> None:
        """Replace libuv's loop: what its epoll object knew of stale numbers goes with it.

        The caller does not sleep afterwards: a wake-up that came meanwhile went to the old loop.
        """
        try:
            check_fds_left(_FDS)
        except OSError:
            return  # the next poll tries again
        # The new loop takes numbers that are free, also those of watched fds that the program has closed.
        for fd, each in tuple(self.fd_watches.items()):
            error = self.why_not(fd)
            if error not in (0, errno.EPERM):
                each.refuse(error)
        self.release()
        self.stale.clear()
        self.renew_now = False
        self._open()
        for each in tuple(self.fd_watches.values()):
            each.renew()

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
        self.kernel.close()
        os.dup2(other.fileno(), self.uv.fileno(), inheritable=False)
        self.kernel = other
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self.release()
        self.stale.clear()
        self.renew_now = False
        self._open()

    def release(self) -> None:
        """As Loop.release."""
        uv, self.waker = self.uv, None
        for watch in tuple(self.handles.values()):
            watch.handle = None
            watch.registered = False
        self.handles.clear()
        for handle in uv.handles:
            if not handle.closed:
                handle.close()
        uv.run(pyuv.UV_RUN_DEFAULT)  # a handle is closed by a run
        self.unregistered.clear()
        self.fired.clear()
        del uv.excepthook
        # libuv's loop is destroyed with the last object that refers to it.
        self.uv = self.limit = None
        self.kernel.close()

    def fileno(self) -> int:
        """The fd that is readable when there are events."""
        number: int = self.uv.fileno()
        return number
