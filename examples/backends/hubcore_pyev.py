"""hubcore on libev by way of pyev: `HUB_BACKEND=pyev`.

Facts: libev aborts the process when the kernel refuses a watched fd, and it tells the kernel at its next run; libev
4.33 also aborts when it gets no fd to be woken by. Consequence: new watches are checked before each run, and free file
descriptors before a loop is made. pyev gives up the GIL for a whole run, so between check and run another thread can
still close a watched fd behind the loop's back; only a binding that keeps the GIL, as hubcore's own, closes that gap.

Fact: a callback in Python can run a signal handler, while libev's run is on the C stack. Consequence: the callback is a
method in C, `dict.__setitem__`; what fired is delivered after the run.
"""

from __future__ import annotations

import pyev

from hubcore.backends.native import check_fds_left, check_open
from hubcore.loop import Loop
from hubcore.watchers import READ, WRITE, FdWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What `hubcore info` shows: the libev that runs.
library_version = "{}.{}".format(*pyev.abi_version())

_LONGEST = 86400.0  # seconds; the caller asks again after a wait that was too short
_FDS = 4  # an epoll object, an eventfd or a pipe, and one more that libev opens at times
_INTERFACES = ("select", "poll", "epoll", "kqueue", "devpoll", "port", "linuxaio", "io_uring")  # by libev's bit


class PyevFdWatch(FdWatch):
    """One pyev.Io for all watchers of an fd."""

    loop: PyevLoop

    def __init__(self, loop: PyevLoop, fd: int) -> None:
        super().__init__(loop, fd)
        self.io = pyev.Io(fd, 0, loop.ev, loop.fired.__setitem__)

    def set_mask(self, mask: int) -> None:
        """As FdWatch.set_mask."""
        check_open(self.fd)
        # Stopped, set and started, libev asks the kernel again, also for events that it believes to be watched already.
        self.io.stop()
        self.io.set(self.fd, mask)  # READ and WRITE are EV_READ and EV_WRITE
        self.io.start()
        self.loop.unregistered.append(self)

    def release(self) -> None:
        """As FdWatch.release."""
        self.io.stop()


class PyevLoop(Loop):
    """A loop on a pyev.Loop of its own."""

    name = "pyev"
    protocol_version = 1

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        super().__init__(flags, default)
        self.fired: dict[Any, int] = {}  # by pyev's watcher, its events; filled in C while libev runs
        self.unregistered: list[PyevFdWatch] = []  # watches that libev will register with the kernel at its next run
        check_fds_left(_FDS)
        # With `debug`, an exception in a callback ends the run and is raised by it.
        self.ev: Any = pyev.Loop(debug=True)
        self.limit = pyev.Timer(0.0, 0.0, self.ev, self.fired.__setitem__)
        self.waker: Any = pyev.Async(self.ev, self.fired.__setitem__)
        self.waker.start()

    def poll(self, timeout: float) -> None:
        """As Loop.poll."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        self._report_closed()
        if timeout == 0.0 or self.fired or self.pendingcnt:
            self._run(pyev.EVRUN_NOWAIT)
        else:
            if timeout > 0.0:
                self.ev.update()  # a timer counts from what libev believes to be now
                self.limit.set(min(timeout, _LONGEST), 0.0)
                self.limit.start()
            try:
                self._run(pyev.EVRUN_ONCE)
            finally:
                self.limit.stop()
        self._deliver()

    def _run(self, how: int) -> None:
        try:
            self.ev.start(how)
        except OSError:
            # libev has found an fd closed and stopped its watcher: those who wait get the error from their own call.
            for watch in tuple(self.fd_watches.values()):
                if not watch.io.active:  # type: ignore[attr-defined]
                    watch.on_event(watch.mask)

    def _deliver(self) -> None:
        # One by one: a signal handler that raises here leaves the rest for the next poll.
        while self.fired:
            watcher, events = self.fired.popitem()
            if isinstance(watcher, pyev.Io):
                watch = self.fd_watches.get(watcher.fd)
                if watch is not None and watch.io is watcher:  # type: ignore[attr-defined]
                    watch.on_event(events & (READ | WRITE))

    def _report_closed(self) -> None:
        """Fail the waits for new watches whose fd was closed before libev has registered it."""
        while self.unregistered:
            watch = self.unregistered.pop()
            if watch.mask:
                try:
                    check_open(watch.fd)
                except OSError:
                    self.closing_fd(watch.fd)

    def wake(self) -> None:
        """As Loop.wake."""
        waker = self.waker
        if waker is not None:
            waker.send()  # it keeps libev's loop alive, also where the loop is being closed meanwhile

    def make_fd_watch(self, fd: int) -> PyevFdWatch:
        """As Loop.make_fd_watch."""
        return PyevFdWatch(self, fd)

    def reinit(self) -> None:
        """As Loop.reinit."""
        # libev makes itself a new epoll object before it unregisters anything, so the parent's is not touched.
        self.ev.reset()
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self.ev.start(pyev.EVRUN_NOWAIT)
        self.fired.clear()

    def release(self) -> None:
        """As Loop.release."""
        self.waker.stop()
        self.unregistered.clear()
        # libev's loop is destroyed with the last object that refers to it.
        self.waker = self.limit = self.ev = None

    def fileno(self) -> int | None:
        """None: libev does not tell."""
        return None

    @property
    def backend(self) -> str:
        """The kernel's interface that libev uses."""
        number = self.ev.backend if self.ev is not None else 0
        return _INTERFACES[number.bit_length() - 1] if number else ""
