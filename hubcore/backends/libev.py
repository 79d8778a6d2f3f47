# cython: annotation_typing=True
"""The libev backend: the primary one.

Facts: libev calls back only from inside `ev_run`, and offers a pair of hooks around the system call that waits.
Consequence: hubcore calls `ev_run` with the GIL held, so that callbacks can use Python objects directly, and the hooks
release the GIL for the wait alone. Another thread that changes a watcher meanwhile holds the GIL, so it never does so
while libev reads the watcher.

Facts: libev registers an fd with the kernel only at its next run, and aborts the process if the kernel refuses it.
Consequence: hubcore adds the fd to libev's epoll object itself when it is watched, and raises what the kernel answers;
just before the run it removes the fd again, which succeeds only if the number still stands for the same file. That run
registers the fd while the GIL is held.

Facts: a file that is open elsewhere, by a dup or in another process, stays in the epoll object when its number is
closed. libev notices an event of such a file, makes a new epoll object, and registers all its fds there; one that the
kernel refuses by then aborts the process. Consequence: an ev_fork watcher, which libev calls before that, drops it.
"""

from hubcore._base import uncompiled as cython

if not cython.compiled:
    raise cython.not_built("hubcore.backends.libev", "libev", "libev-dev")

import os

from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawMalloc
from cython.cimports.hubcore._capi.thread_state import get_ident
from cython.cimports.hubcore.backends import _clock
from cython.cimports.hubcore.backends import _epoll_calls as _epoll
from cython.cimports.hubcore.backends import _ev as ev
from cython.cimports.hubcore.backends._python import PyEval_RestoreThread, PyEval_SaveThread, PyThreadState
from cython.cimports.hubcore.loop import Loop
from cython.cimports.hubcore.watchers import FdWatch
from cython.cimports.libc.errno import EBADF, EEXIST, EPERM

#: The versions of libev that the module was compiled with, and that runs.
header_version: str = f"{ev.EV_VERSION_MAJOR}.{ev.EV_VERSION_MINOR}"
library_version: str = f"{ev.ev_version_major()}.{ev.ev_version_minor()}"

_KERNEL_INTERFACES = dict(
    enumerate(("select", "poll", "epoll", "kqueue", "devpoll", "port", "linuxaio", "io_uring"))
)  # by the number of libev's bit for it

# The state of the hooks around the wait; C code reaches it without a Python object.
_Wait = cython.struct(saved=cython.pointer[PyThreadState], release=cython.bint)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _before_wait(loop: cython.pointer[ev.ev_loop]) -> cython.void:
    wait = cython.cast(cython.pointer[_Wait], ev.ev_userdata(loop))
    # A poll that does not wait keeps the GIL: to release it and compete for it again would cost more than the poll.
    if wait.release:
        wait.saved = PyEval_SaveThread()


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _after_wait(loop: cython.pointer[ev.ev_loop]) -> cython.void:
    wait = cython.cast(cython.pointer[_Wait], ev.ev_userdata(loop))
    if wait.saved != cython.NULL:
        saved: cython.pointer[PyThreadState] = wait.saved
        wait.saved = cython.NULL
        PyEval_RestoreThread(saved)


@cython.cfunc
@cython.exceptval(check=False)
def _on_io(loop: cython.pointer[ev.ev_loop], w: cython.pointer[ev.ev_io], revents: cython.int) -> cython.void:
    watch: LibevFdWatch = cython.cast(LibevFdWatch, w.data)
    if revents & ev.EV_ERROR:
        # libev has found the fd closed and stopped the watcher; the waiter gets the error from its own system call.
        revents = ev.EV_READ | ev.EV_WRITE
    watch.on_event(revents & (ev.EV_READ | ev.EV_WRITE))


@cython.cfunc
@cython.exceptval(check=False)
def _on_timer(loop: cython.pointer[ev.ev_loop], w: cython.pointer[ev.ev_timer], revents: cython.int) -> cython.void:
    pass  # the timer only has to end the wait; the loop's own heap has the deadlines


@cython.cfunc
@cython.exceptval(check=False)
def _on_async(loop: cython.pointer[ev.ev_loop], w: cython.pointer[ev.ev_async], revents: cython.int) -> cython.void:
    pass  # the wake-up only has to end the wait; the inbox has the entries


@cython.cfunc
@cython.exceptval(check=False)
def _on_probe(loop: cython.pointer[ev.ev_loop], w: cython.pointer[ev.ev_io], revents: cython.int) -> cython.void:
    pass  # the probe is never readable


@cython.cfunc
@cython.exceptval(check=False)
def _on_new_epoll(loop: cython.pointer[ev.ev_loop], w: cython.pointer[ev.ev_fork], revents: cython.int) -> cython.void:
    cython.cast(LibevLoop, w.data)._before_new_epoll()


@cython.final
@cython.cclass
class LibevFdWatch(FdWatch):
    """The watch of an fd by an ev_io. The ev_io is part of this object: libev holds its address only while the loop's
    table holds the object."""

    _w: ev.ev_io
    _loop: LibevLoop
    _unregistered: cython.bint  # libev registers it with the kernel at its next run
    _added: cython.bint  # until then hubcore's own registration is in place

    def __init__(self, loop: LibevLoop, fd: cython.int):
        FdWatch.__init__(self, loop, fd)
        self._loop = loop
        self._unregistered = self._added = False
        ev.ev_io_init(cython.address(self._w), _on_io, fd, 0)
        self._w.data = cython.cast(cython.p_void, self)

    @cython.ccall
    def set_mask(self, mask: cython.int):
        loop: LibevLoop = self._loop
        error: cython.int = loop._why_not(self.fd)
        if error and error != EEXIST:
            raise OSError(error, f"cannot watch fd {self.fd}: {os.strerror(error)}")
        if not error:
            self._added = loop._epoll >= 0
        ev.ev_io_stop(loop._ptr, cython.address(self._w))
        # After a new initialisation, libev registers the fd again, even for events that it believes to be watched.
        ev.ev_io_init(cython.address(self._w), _on_io, self.fd, mask)
        ev.ev_io_start(loop._ptr, cython.address(self._w))
        if not self._unregistered:
            self._unregistered = True
            loop._unregistered.append(self)

    @cython.cfunc
    def _check(self) -> cython.int:
        """Remove hubcore's own registration, for libev's; return 0, or the errno if the kernel refuses the fd now."""
        loop: LibevLoop = self._loop
        self._unregistered = False
        if self._added:
            self._added = False
            if not _epoll.kernel_remove(loop._epoll, self.fd):
                return 0
        # The number stands for another file by now, or is closed; or libev had registered the fd before.
        error: cython.int = loop._why_not(self.fd)
        if not error and loop._epoll >= 0:
            _epoll.kernel_remove(loop._epoll, self.fd)
        return 0 if error == EEXIST else error

    @cython.ccall
    def release(self):
        loop: LibevLoop = self._loop
        if loop._ptr != cython.NULL:
            ev.ev_io_stop(loop._ptr, cython.address(self._w))
            if self._added and loop._epoll >= 0:
                _epoll.kernel_remove(loop._epoll, self.fd)
        self._added = False


@cython.cclass
class LibevLoop(Loop):
    """A loop on a libev loop of its own, which uses the best interface that the kernel offers."""

    name = "libev"
    protocol_version = 1
    approx_timer_resolution = 0.001

    _ptr: cython.pointer[ev.ev_loop]
    _wait: cython.pointer[_Wait]
    _async: ev.ev_async
    _timer: ev.ev_timer
    _fork: ev.ev_fork
    _epoll: cython.int  # libev's epoll object; -1 if it uses another interface, -2 if the number is not known
    _guess: cython.int  # what that number will probably be
    _unregistered: list  # watches that libev registers with the kernel at its next run

    def __cinit__(self, flags: object = None, default: object = None):
        self._unregistered = []
        self._wait = cython.cast(cython.pointer[_Wait], PyMem_RawMalloc(cython.sizeof(_Wait)))
        if self._wait == cython.NULL:
            raise MemoryError
        self._wait.saved = cython.NULL
        self._wait.release = False
        self._open()

    def __dealloc__(self):
        self._destroy()
        PyMem_RawFree(self._wait)

    @cython.cfunc
    def _open(self):
        # libev aborts the process if it gets no fd for wake-ups, and falls back to poll(2) if it gets none for epoll.
        error: cython.int = _clock.why_no_fds(1)
        self._guess = _epoll.lowest_free_fd()
        if error:
            raise OSError(error, f"libev could not make a loop: {os.strerror(error)}")
        # The environment variable LIBEV_FLAGS is ignored: here HUB_BACKEND is the choice.
        self._ptr = ev.ev_loop_new(ev.EVFLAG_AUTO | ev.EVFLAG_NOENV)
        if self._ptr == cython.NULL:
            raise OSError("libev could not make a loop; are there file descriptors left (ulimit -n)?")
        ev.ev_set_userdata(self._ptr, self._wait)
        ev.ev_set_loop_release_cb(self._ptr, _before_wait, _after_wait)
        ev.ev_timer_init(cython.address(self._timer), _on_timer, 0.0, 0.0)
        ev.ev_async_init(cython.address(self._async), _on_async)
        ev.ev_async_start(self._ptr, cython.address(self._async))
        ev.ev_fork_init(cython.address(self._fork), _on_new_epoll)
        self._fork.data = cython.cast(cython.p_void, self)
        ev.ev_fork_start(self._ptr, cython.address(self._fork))
        self._find_epoll()

    @cython.cfunc
    def _find_epoll(self):
        """Find the number of libev's epoll object, which libev does not tell, by an fd that only that one watches."""
        self._epoll = -1
        if ev.ev_backend(self._ptr) != ev.EVBACKEND_EPOLL:
            return
        self._epoll = -2
        probe: cython.int = _epoll.new_probe()
        if probe < 0:
            return  # there are no fds left; the next poll tries again
        w: ev.ev_io
        ev.ev_io_init(cython.address(w), _on_probe, probe, ev.EV_READ)
        ev.ev_io_start(self._ptr, cython.address(w))
        ev.ev_run(self._ptr, ev.EVRUN_NOWAIT)
        found: cython.int = _epoll.find_epoll(probe, self._guess)
        ev.ev_io_stop(self._ptr, cython.address(w))
        _epoll.close_fd(probe)
        if found >= 0:
            self._epoll = found

    @cython.cfunc
    def _before_new_epoll(self):
        """Drop the watches whose fd the kernel refuses by now: libev is about to register all in a new epoll object."""
        for watch in list(self.fd_watches.values()):
            error: cython.int = self._why_not(watch.fd)
            if error and error != EEXIST:
                watch.refuse(error)
                self.wake()  # this run must not sleep: a greenlet may be ready now
        if self._epoll >= 0:
            lowest: cython.int = _epoll.lowest_free_fd()
            self._guess = self._epoll if lowest < 0 else min(self._epoll, lowest)
            self._epoll = -2

    @cython.cfunc
    def _why_not(self, fd: cython.int) -> cython.int:
        """Add `fd` to the epoll object; return 0, or the errno if the kernel refuses it, also EEXIST.

        0 for a file that is always ready: libev copes with those.
        """
        if self._epoll < 0:
            return 0 if _clock.is_open(fd) else EBADF
        error: cython.int = _epoll.kernel_add(self._epoll, fd)
        return 0 if error == EPERM else error

    @cython.cfunc
    def _destroy(self):
        if self._ptr != cython.NULL:
            ev.ev_async_stop(self._ptr, cython.address(self._async))
            ev.ev_fork_stop(self._ptr, cython.address(self._fork))
            ev.ev_loop_destroy(self._ptr)
            self._ptr = cython.NULL

    @cython.ccall
    def poll(self, timeout: cython.double):
        if self._ptr == cython.NULL:
            raise ValueError(f"{self!r} is closed")
        if self.thread_ident != get_ident():
            self.check_thread()
        if self._epoll == -2:
            self._find_epoll()
        if self._unregistered:
            self._check_new()
        if self.ready.count:
            timeout = 0.0
        if timeout == 0.0:
            ev.ev_run(self._ptr, ev.EVRUN_NOWAIT)
            return
        if timeout > 0.0:
            ev.ev_now_update(self._ptr)  # a timer counts from libev's cached time
            self._timer.repeat = timeout
            ev.ev_timer_again(self._ptr, cython.address(self._timer))
        self._wait.release = True
        ev.ev_run(self._ptr, ev.EVRUN_ONCE)
        self._wait.release = False
        if timeout > 0.0:
            ev.ev_timer_stop(self._ptr, cython.address(self._timer))

    @cython.cfunc
    def _check_new(self):
        """Drop the new watches whose fd the kernel refuses by now, because the number was closed or reused since."""
        unregistered = self._unregistered
        self._unregistered = []
        for entry in unregistered:
            watch: LibevFdWatch = entry
            if watch.mask:
                error: cython.int = watch._check()
                if error:
                    watch.refuse(error)
            else:
                watch._unregistered = False

    def wake(self):
        """As Loop.wake."""
        if self._ptr != cython.NULL:
            ev.ev_async_send(self._ptr, cython.address(self._async))

    def make_fd_watch(self, fd: cython.int):
        return LibevFdWatch(self, fd)

    @cython.ccall
    @cython.exceptval(check=False)
    def clock(self) -> cython.double:
        return _clock.monotonic()

    def reinit(self):
        """As Loop.reinit."""
        if self._ptr == cython.NULL:
            raise ValueError(f"{self!r} is closed")
        self.check_at_rest()
        self._epoll = -1  # the parent's, too: to remove an fd there would stop its watch in the parent
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        # ev_loop_fork() would watch the parent's fds again, which a child must not watch.
        self._destroy()
        self._open()

    def release(self):
        self._destroy()

    def fileno(self) -> object:
        """Return the fd that is readable when there are events; None if the kernel's interface has none."""
        return self._epoll if self._epoll >= 0 else None

    @property
    def backend(self) -> str:
        """The kernel interface that libev uses."""
        number: cython.uint = ev.ev_backend(self._ptr) if self._ptr != cython.NULL else 0
        return _KERNEL_INTERFACES.get(int(number).bit_length() - 1, str(number))
