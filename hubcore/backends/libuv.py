# cython: annotation_typing=True
"""The libuv backend: the alternate.

Fact: libuv has no hook around the system call that waits. Consequence: `poll` releases the GIL around all of `uv_run`.
The callbacks use no Python object; they only chain the handles that fired, in C, and `poll` reads the chain once it has
the GIL again.

Facts: libuv frees a handle's memory only after an asynchronous close, and allows one handle per fd. Consequence: a
handle is a C allocation of its own, which outlives the Python object; its close callback frees it.

Fact: libuv aborts the process if the kernel refuses to watch an fd. Consequence: `poll` asks the kernel about new
watches before the run that registers them, and makes that a separate run with the GIL held, so that no other Python
thread closes an fd in between.

Facts: a file that is open elsewhere, by a dup or in another process, stays in the epoll object when its number is
closed. Its events go on to come under that number; libuv gives them to the watch that the number has by then, or runs
in circles. Consequence: a watch that ends takes its fd out of the epoll object itself. If the kernel does not find the
fd there, its number is *stale*, and the loop gets a new epoll object: before the number is watched again, soon if few
fds have to move, or else after the first event that belongs to no watch.
"""

from hubcore._base import uncompiled as cython

if not cython.compiled:
    raise cython.not_built("hubcore.backends.libuv", "libuv", "libuv1-dev")

import os

from cython.cimports.cpython.mem import PyMem_RawFree, PyMem_RawMalloc
from cython.cimports.hubcore._capi.thread_state import get_ident
from cython.cimports.hubcore.backends import _clock
from cython.cimports.hubcore.backends import _epoll_calls as _epoll
from cython.cimports.hubcore.backends import _uv as uv
from cython.cimports.hubcore.loop import Loop
from cython.cimports.hubcore.watchers import FdWatch
from cython.cimports.libc.errno import EBADF, EEXIST, EPERM

from hubcore._base.originals import get_blocking, set_blocking

#: The versions of libuv that the module was compiled with, and that runs.
header_version: str = f"{uv.UV_VERSION_MAJOR}.{uv.UV_VERSION_MINOR}.{uv.UV_VERSION_PATCH}"
library_version: str = uv.uv_version_string().decode()

# Whether libuv has made the pipe that all loops of the process share.
_has_shared_pipe = cython.declare(cython.bint, False)

# So many fds may have to move to a new epoll object for each stale number.
_FEW = cython.declare(cython.Py_ssize_t, 64)

# One handle per fd. `watch` is the LibuvFdWatch while there is one; `next` chains the handles that fired.
Poll = cython.struct(
    handle=uv.uv_poll_t,
    watch=cython.p_void,
    next=cython.p_void,
    events=cython.int,
    fired=cython.bint,
    failed=cython.bint,
    fd=cython.int,
)
# The state of the callbacks: the first and the last handle that fired, and whether `wake` was called.
Fired = cython.struct(first=cython.pointer[Poll], last=cython.pointer[Poll], woken=cython.bint)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _on_poll(handle: cython.pointer[uv.uv_poll_t], status: cython.int, events: cython.int) -> cython.void:
    poll: cython.pointer[Poll] = cython.cast(cython.pointer[Poll], handle)
    fired: cython.pointer[Fired] = cython.cast(cython.pointer[Fired], handle.data)
    # The waiter gets an error from its own system call.
    if status == 0:
        poll.events |= events
    else:
        poll.events |= uv.UV_READABLE | uv.UV_WRITABLE
        poll.failed = True  # libuv has stopped the handle
    if not poll.fired:
        poll.fired = True
        poll.next = cython.NULL
        if fired.first == cython.NULL:
            fired.first = poll
        else:
            fired.last.next = poll
        fired.last = poll


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _on_closed(handle: cython.pointer[uv.uv_handle_t]) -> cython.void:
    PyMem_RawFree(handle)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _close_handle(handle: cython.pointer[uv.uv_handle_t], argument: cython.p_void) -> cython.void:
    if not uv.uv_is_closing(handle):
        # Only handles of fds are allocations of their own; the others are part of the loop object.
        if uv.uv_handle_get_type(handle) == uv.UV_POLL:
            uv.uv_close(handle, _on_closed)
        else:
            uv.uv_close(handle, cython.NULL)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _on_timer(handle: cython.pointer[uv.uv_timer_t]) -> cython.void:
    # The timer only has to end the wait; the loop's own heap has the deadlines. libuv also runs timers before it waits.
    # If this thread loses the processor between the start of the timer and the wait, the timer fires there, and libuv
    # would then wait for ever without one.
    uv.uv_stop(handle.loop)


@cython.cfunc
@cython.nogil
@cython.exceptval(check=False)
def _on_async(handle: cython.pointer[uv.uv_async_t]) -> cython.void:
    # The wake-up only has to end the wait, in this run or, if this one does not wait, in the next.
    cython.cast(cython.pointer[Fired], handle.data).woken = True


@cython.cfunc
@cython.exceptval(check=False)
def _milliseconds(timeout: cython.double) -> cython.ulonglong:
    """Return the number of whole milliseconds that is more than `timeout` seconds, at most a day."""
    return cython.cast(cython.ulonglong, min(timeout, 86400.0) * 1e3) + 1


@cython.cfunc
def _check(status: cython.int, what: object) -> cython.int:
    """Return `status`; raise the OSError for a negative one."""
    if status < 0:
        raise OSError(-status, f"{what}: {uv.uv_strerror(status).decode()}")
    return status


@cython.final
@cython.cclass
class LibuvFdWatch(FdWatch):
    """The watch of an fd by a uv_poll_t. A file that the kernel cannot watch (a regular file) is always ready."""

    _poll: cython.pointer[Poll]
    _loop: LibuvLoop
    _asked: cython.bint  # libuv has just asked the kernel about the fd
    _registered: cython.bint  # libuv has registered the fd with the kernel

    def __init__(self, loop: LibuvLoop, fd: cython.int):
        FdWatch.__init__(self, loop, fd)
        self._loop = loop
        self._poll = cython.NULL
        self._registered = False
        if not _clock.is_open(fd):
            raise OSError(EBADF, f"cannot watch fd {fd}: {os.strerror(EBADF)}")
        self._open()
        self._asked = True

    @cython.cfunc
    def _open(self):
        fd: cython.int = self.fd
        poll: cython.pointer[Poll] = cython.cast(cython.pointer[Poll], PyMem_RawMalloc(cython.sizeof(Poll)))
        if poll == cython.NULL:
            raise MemoryError
        # libuv makes the fd non-blocking. It does not need that, and other processes that share the file would notice.
        blocking = get_blocking(fd)
        status: cython.int = uv.uv_poll_init(cython.address(self._loop._uv), cython.address(poll.handle), fd)
        if blocking and not get_blocking(fd):
            set_blocking(fd, True)
        if status < 0:
            PyMem_RawFree(poll)
            if status == uv.UV_EPERM:
                return  # for select() and poll(), such a file is always ready
            _check(status, f"cannot watch fd {fd}")
        poll.handle.data = cython.address(self._loop._fired)
        poll.watch = cython.cast(cython.p_void, self)
        poll.next = cython.NULL
        poll.events = 0
        poll.fired = poll.failed = False
        poll.fd = fd
        self._poll = poll

    @cython.ccall
    def set_mask(self, mask: cython.int):
        if not self._asked:
            error: cython.int = self._check()
            if error:
                raise OSError(error, f"cannot watch fd {self.fd}: {os.strerror(error)}")
        self._asked = False
        self._start(mask)
        self._registered = False  # to start a handle anew, libuv takes its fd out of the epoll object
        if self.fd in self._loop._stale:
            self._loop._renew_now = True
        if self._poll != cython.NULL:
            self._loop._unregistered.append(self)

    @cython.cfunc
    def _check(self) -> cython.int:
        """Ask the kernel whether it will watch the fd; return 0, or the errno if not.

        By now the number may stand for another file, also for one of a kind that is always ready, or no longer is.
        """
        error: cython.int = _epoll.kernel_add(self._loop._epoll(), self.fd)
        if error == EPERM:
            self._close()
            self._loop._always_ready.add(self)
            return 0
        if error and error != EEXIST:
            return error
        if not error:
            _epoll.kernel_remove(self._loop._epoll(), self.fd)  # libuv registers it with data of its own
            if self._registered:
                self._registered = False
                self._loop._stale.add(self.fd)
        if self._poll == cython.NULL:
            self._loop._always_ready.discard(self)
            self._open()
            self._start(self.mask)
        return 0

    @cython.cfunc
    def _start_again(self):
        try:
            self.set_mask(self.mask)
        except OSError:
            pass  # the fd was closed meanwhile; the remaining watchers find that out by themselves

    @cython.cfunc
    def _start(self, mask: cython.int):
        if self._poll == cython.NULL:
            self._loop._always_ready.add(self)
            return
        # READ and WRITE are UV_READABLE and UV_WRITABLE.
        _check(uv.uv_poll_start(cython.address(self._poll.handle), mask, _on_poll), f"cannot watch fd {self.fd}")

    @cython.ccall
    def release(self):
        self._loop._always_ready.discard(self)
        self._close()

    @cython.cfunc
    def _close(self):
        poll: cython.pointer[Poll] = self._poll
        self._poll = cython.NULL
        if poll != cython.NULL:
            poll.watch = cython.NULL
            if self._loop._open:
                if self._registered and _epoll.kernel_remove(self._loop._epoll(), self.fd):
                    self._loop._stale.add(self.fd)
                uv.uv_close(cython.cast(cython.pointer[uv.uv_handle_t], poll), _on_closed)
        self._registered = False


@cython.cclass
class LibuvLoop(Loop):
    """A loop on a libuv loop of its own. It waits in whole milliseconds, rounded up."""

    name = "libuv"
    protocol_version = 1
    approx_timer_resolution = 0.001

    _uv: uv.uv_loop_t
    _async: uv.uv_async_t
    _timer: uv.uv_timer_t
    _fired: Fired
    _open: cython.bint
    _always_ready: set
    _unregistered: list  # watches that libuv registers with the kernel at its next run
    _stale: set  # numbers of fds that the epoll object may know for files that they no longer stand for
    _renew_now: cython.bint  # the next poll begins with a new epoll object

    def __cinit__(self, flags: object = None, default: object = None):
        self._always_ready = set()
        self._unregistered = []
        self._stale = set()
        self._renew_now = False
        self._start()

    def __dealloc__(self):
        self._stop()

    @cython.cfunc
    def _start(self):
        self._fired.first = self._fired.last = cython.NULL
        self._fired.woken = False
        # A loop takes an epoll object, a pipe and an eventfd; the first loop also makes the pipe that all loops share.
        # libuv aborts the process if it gets no fds for the shared pipe, and loses the epoll object if it gets none for
        # the rest.
        global _has_shared_pipe
        error: cython.int = _clock.why_no_fds(2 if _has_shared_pipe else 3)
        if error:
            raise OSError(error, f"libuv could not make a loop: {os.strerror(error)}")
        _check(uv.uv_loop_init(cython.address(self._uv)), "libuv could not make a loop")
        _has_shared_pipe = True
        _check(uv.uv_timer_init(cython.address(self._uv), cython.address(self._timer)), "libuv could not make a timer")
        # This handle is always active: without an active handle, libuv would return at once and not wait.
        _check(
            uv.uv_async_init(cython.address(self._uv), cython.address(self._async), _on_async),
            "libuv could not make its wake-up fd",
        )
        self._async.data = cython.address(self._fired)
        self._open = True

    @cython.cfunc
    def _stop(self):
        if not self._open:
            return
        self._open = False
        uv.uv_walk(cython.address(self._uv), _close_handle, cython.NULL)
        # Runs the close callbacks, which free the handles.
        uv.uv_run(cython.address(self._uv), uv.UV_RUN_DEFAULT)
        uv.uv_loop_close(cython.address(self._uv))

    @cython.ccall
    def poll(self, timeout: cython.double):
        if not self._open:
            raise ValueError(f"{self!r} is closed")
        if self.thread_ident != get_ident():
            self.check_thread()
        if self._unregistered or self._stale:
            if self._stale and (self._renew_now or len(self._stale) * _FEW >= len(self.fd_watches)):
                self._renew()
            else:
                self._register_with_kernel(self._unregistered)
            if self._fired.first != cython.NULL or self._fired.woken or self.ready.count:
                timeout = 0.0
        if self._always_ready:
            timeout = 0.0
        if timeout == 0.0:
            uv.uv_run(cython.address(self._uv), uv.UV_RUN_NOWAIT)
        elif self._stale:
            self._wait_warily(timeout)
        else:
            if timeout > 0.0:
                uv.uv_update_time(cython.address(self._uv))  # a timer counts from libuv's cached time
                uv.uv_timer_start(cython.address(self._timer), _on_timer, _milliseconds(timeout), 0)
            with cython.nogil:
                uv.uv_run(cython.address(self._uv), uv.UV_RUN_ONCE)
            if timeout > 0.0:
                uv.uv_timer_stop(cython.address(self._timer))
        self._fired.woken = False
        self._deliver()
        if self._always_ready:
            for watch in tuple(self._always_ready):
                cython.cast(LibuvFdWatch, watch).on_event(cython.cast(LibuvFdWatch, watch).mask)

    @cython.cfunc
    def _register_with_kernel(self, watches: list):
        """Have libuv register `watches` while no other thread runs; close those whose fd the kernel refuses by now."""
        self._unregistered = []
        self._check_all(watches)
        uv.uv_run(cython.address(self._uv), uv.UV_RUN_NOWAIT)

    @cython.cfunc
    def _check_all(self, watches: list):
        for entry in watches:
            watch: LibuvFdWatch = entry
            if not watch.ios:
                continue
            error: cython.int = watch._check()
            if error:
                watch.refuse(error)
            elif watch._poll != cython.NULL:
                watch._registered = True

    @cython.cfunc
    def _renew(self):
        """Replace the epoll object. What it knew of stale numbers goes with it."""
        # First a run, because libuv forgets a wake-up that it has not seen, and then ignores later ones.
        self._register_with_kernel(self._unregistered)
        # Its events may be those of stale numbers. The new object reports what is still ready.
        poll: cython.pointer[Poll] = self._fired.first
        self._fired.first = self._fired.last = cython.NULL
        while poll != cython.NULL:
            poll.fired = False
            poll.events = 0
            if poll.failed and poll.watch != cython.NULL:
                poll.failed = False
                cython.cast(LibuvFdWatch, poll.watch)._start_again()
            poll = cython.cast(cython.pointer[Poll], poll.next)
        # The new objects of libuv take numbers that are free, also those of watched fds that the program has closed.
        self._check_all(list(self.fd_watches.values()))
        _check(uv.uv_loop_fork(cython.address(self._uv)), "libuv could not make a new epoll object")
        self._stale.clear()
        self._renew_now = False
        uv.uv_run(cython.address(self._uv), uv.UV_RUN_NOWAIT)

    @cython.cfunc
    def _wait_warily(self, timeout: cython.double):
        """Wait for events while there are stale numbers: libuv does not return from the events of such a number."""
        epoll: cython.int = self._epoll()
        milliseconds: cython.int = -1 if timeout < 0.0 else cython.cast(cython.int, _milliseconds(timeout))
        ready: cython.bint
        with cython.nogil:
            ready = _epoll.wait_readable(epoll, milliseconds)
        uv.uv_run(cython.address(self._uv), uv.UV_RUN_NOWAIT)
        if ready and self._fired.first == cython.NULL and not self._fired.woken:
            self._renew_now = True

    @cython.cfunc
    def _epoll(self) -> cython.int:
        """Return the fd of the epoll object."""
        return uv.uv_backend_fd(cython.address(self._uv))

    @cython.cfunc
    def _deliver(self):
        poll: cython.pointer[Poll] = self._fired.first
        self._fired.first = self._fired.last = cython.NULL
        while poll != cython.NULL:
            # The next handle is read before the event is delivered: its receiver may stop watching.
            after: cython.pointer[Poll] = cython.cast(cython.pointer[Poll], poll.next)
            events: cython.int = poll.events
            poll.fired = False
            poll.events = 0
            # A later run frees a handle that is being closed, so the handles further on in the chain still exist.
            if poll.watch != cython.NULL:
                watch: LibuvFdWatch = cython.cast(LibuvFdWatch, poll.watch)
                if poll.failed:
                    # The waiter may find data before the error, and then wait once more.
                    poll.failed = False
                    watch._start_again()
                watch.on_event(events)
            poll = after

    def wake(self):
        """As Loop.wake."""
        if self._open:
            uv.uv_async_send(cython.address(self._async))

    def make_fd_watch(self, fd: cython.int):
        return LibuvFdWatch(self, fd)

    @cython.ccall
    @cython.exceptval(check=False)
    def clock(self) -> cython.double:
        return _clock.monotonic()

    def reinit(self):
        """As Loop.reinit."""
        if not self._open:
            raise ValueError(f"{self!r} is closed")
        self.check_at_rest()
        # The child gets a kernel object of its own first: until then, to stop a watch would stop it in the parent, too.
        _check(uv.uv_loop_fork(cython.address(self._uv)), "libuv could not be made usable in a forked child")
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self._stale.clear()  # the child's object never knew them
        self._renew_now = False

    def release(self):
        self._stop()

    def fileno(self) -> int:
        """Return the fd that is readable when there are events."""
        return uv.uv_backend_fd(cython.address(self._uv))

    @property
    def backend(self) -> str:
        """The kernel interface that libuv uses."""
        return "epoll" if os.uname().sysname == "Linux" else "kqueue"
