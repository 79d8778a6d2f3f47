"""hubcore on libev by way of pyev: `HUB_BACKEND=pyev`.

Facts: libev aborts the process when the kernel refuses a watched fd, and it registers the fd with the kernel at its
next run; libev 4.33 also aborts when it gets no fd to be woken by. Consequence: new watches are checked before each
run, and free file descriptors before a loop is made. pyev gives up the GIL for a whole run, so between check and run
another thread can still close a watched fd behind the loop's back; only a binding that keeps the GIL, as hubcore's own,
closes that gap.

Fact: of the files that are open, the kernel refuses only epoll objects: libev's own, and those that contain it.
Consequence: these are tried on a duplicate of the fd of libev's epoll object. pyev does not give its number; the
backend finds it by an fd that no other epoll object watches, and does that only once a program watches an epoll object.

Fact: a file that is open elsewhere stays in the epoll object when its number is closed. libev notices an event of such
a file, makes a new epoll object and registers all its fds there. Consequence: a fork watcher, which libev calls before
that, drops the watches that the kernel refuses by now.

Fact: a callback in Python can run a signal handler, while libev's run is on the C stack. Consequence: the callback of
each event is a method in C, `dict.__setitem__`; what fired is delivered after the run.
"""

from __future__ import annotations

import errno
import os

import pyev

from hubcore.backends.native import WakePipe, check_fds_left, check_open, original
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


def _is_epoll(fd: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:[eventpoll]"
    except OSError:
        return False


def _watcher_of(probe: int) -> int | None:
    """The number of the epoll object that watches `probe`."""
    for name in os.listdir("/proc/self/fdinfo"):
        if _is_epoll(int(name)):
            with open(f"/proc/self/fdinfo/{name}") as lines:
                for line in lines:
                    words = line.split()
                    if words[0] == "tfd:" and int(words[1]) == probe:
                        return int(name)
    return None


class PyevFdWatch(FdWatch):
    """One pyev.Io for all watchers of an fd."""

    loop: PyevLoop

    def __init__(self, loop: PyevLoop, fd: int) -> None:
        super().__init__(loop, fd)
        self.io = pyev.Io(fd, 0, loop.ev, loop.fired.__setitem__)

    def set_mask(self, mask: int) -> None:
        """As FdWatch.set_mask."""
        error = self.loop.why_not(self.fd)
        if error:
            raise OSError(error, f"cannot watch fd {self.fd}: {os.strerror(error)}")
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
        self.kernel: Any = None  # a duplicate of libev's epoll object, once it is needed and known
        self.number: int | None = None  # and its own fd
        self.finding = False  # the number is being looked for
        self.watches_epolls = False  # a program has watched an epoll object
        check_fds_left(_FDS)
        # With `debug`, an exception in a callback ends the run and is raised by it.
        self.ev: Any = pyev.Loop(debug=True)
        self.limit = pyev.Timer(0.0, 0.0, self.ev, self.fired.__setitem__)
        self.waker: Any = pyev.Async(self.ev, self.fired.__setitem__)
        self.waker.start()
        self.forked: Any = pyev.Fork(self.ev, self._before_new_epoll)
        self.forked.start()

    def why_not(self, fd: int) -> int:
        """The errno with which the kernel refuses to watch `fd`; 0 if it does not refuse, or libev copes with it."""
        try:
            check_open(fd)
        except OSError as error:
            return error.errno or errno.EBADF
        if not _is_epoll(fd):
            return 0
        self.watches_epolls = True
        self._find_epoll()
        return self._ask(fd)

    def _ask(self, fd: int) -> int:
        """The errno with which libev's epoll object refuses `fd`; 0 also where that object is not known."""
        if self.kernel is None:
            return 0
        try:
            self.kernel.register(fd, 0)
        except FileExistsError:
            return 0
        except OSError as error:
            return error.errno or errno.EBADF
        self.kernel.unregister(fd)  # libev registers it with data of its own
        return 0

    def _find_epoll(self) -> None:
        """Find libev's epoll object by a pipe that only that one watches. Its number is new for each new object."""
        if self.kernel is not None or self.finding or self.backend != "epoll":
            return
        try:
            probe = WakePipe()
        except OSError:
            return  # no fds are left; the next call tries again
        self.finding = True
        io = pyev.Io(probe.fileno(), READ, self.ev, self.fired.__setitem__)
        io.start()
        try:
            self._check_new()
            self._run(pyev.EVRUN_NOWAIT)
            number = _watcher_of(probe.fileno())
            if number is not None:
                self.kernel = original("select", "epoll").fromfd(os.dup(number))
                self.number = number
        except OSError:
            pass  # as above
        finally:
            self.finding = False
            io.stop()
            probe.close()

    def _forget_epoll(self) -> None:
        self.number = None
        kernel, self.kernel = self.kernel, None
        if kernel is not None:
            kernel.close()

    def _before_new_epoll(self, watcher: Any, events: int) -> None:
        """libev's callback: it is about to register all that is watched in a new epoll object."""
        for fd, watch in tuple(self.fd_watches.items()):
            try:
                check_open(fd)
                error = self._ask(fd) if self.watches_epolls and _is_epoll(fd) else 0
            except OSError as refusal:
                error = refusal.errno or errno.EBADF
            if error:
                watch.refuse(error)
                self.wake()  # this run must not sleep: a greenlet may be ready now
        self._forget_epoll()

    def poll(self, timeout: float) -> None:
        """As Loop.poll."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        if self.watches_epolls:
            self._find_epoll()
        self._check_new()
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

    def _check_new(self) -> None:
        """Drop the new watches whose fd the kernel refuses by now, because the number was closed or reused since."""
        new, self.unregistered = self.unregistered, []
        held: list[PyevFdWatch] = []
        for watch in new:
            if not watch.mask:
                continue
            try:
                check_open(watch.fd)
            except OSError as refusal:
                watch.refuse(refusal.errno or errno.EBADF)
                continue
            if _is_epoll(watch.fd):
                watch.io.stop()  # the run that finds libev's epoll object must not register it
                held.append(watch)
        if self.finding:
            self.unregistered = held
            return
        for watch in held:
            error = self.why_not(watch.fd)
            if error:
                watch.refuse(error)
            else:
                watch.io.start()

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
        self._forget_epoll()
        self.ev.reset()
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self.ev.start(pyev.EVRUN_NOWAIT)
        self.fired.clear()

    def release(self) -> None:
        """As Loop.release."""
        self._forget_epoll()
        self.waker.stop()
        self.forked.stop()
        self.unregistered.clear()
        # libev's loop is destroyed with the last object that refers to it.
        self.waker = self.forked = self.limit = self.ev = None

    def fileno(self) -> int | None:
        """The fd that is readable when there are events; None if the kernel's interface has none."""
        if self.ev is not None:
            self._find_epoll()
        return self.number

    @property
    def backend(self) -> str:
        """The kernel's interface that libev uses."""
        number = self.ev.backend if self.ev is not None else 0
        return _INTERFACES[number.bit_length() - 1] if number else ""
