# cython: annotation_typing=True, binding=True
"""The compiled path of recv, recv_into, send and sendall: call the kernel first, wait only if the call would block.

The functions are methods of `hubcore.socket.socket`, whose `_fd_waits` is its FdWaits. Where this module is not
built, that class does the same through the standard library's socket.

Facts: greenlet copies the C stack between a task's entry and its switch, so nothing large may lie there. A buffer that
a greenlet holds during a wait is memory that every idle connection costs. Consequence: reads go into one scratch
buffer of the module, used only while the GIL is held; the bytes object is made when its size is known.

Fact: the non-blocking flag belongs to the open file, not to the fd. A duplicate of the fd shares the open file, and
`detach`, or another process that has the duplicate, may make it blocking. Consequence: each call passes MSG_DONTWAIT.
"""

from hubcore._base import uncompiled as cython

if not cython.compiled:
    raise cython.not_built("hubcore._sockets.stream_calls")

from _socket import socket as _native

from cython.cimports.cpython.buffer import (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cython.cimports.cpython.mem import PyMem_RawMalloc
from cython.cimports.hubcore._io.fd_waits import FdWaits
from cython.cimports.hubcore._sockets import system_calls as sys
from cython.cimports.hubcore._sockets.slot import hubcore_find_slot, hubcore_in_slot, waits_of
from cython.cimports.hubcore._sync.steps import count_try_if_patched
from cython.cimports.hubcore.hub import Hub, hub_here

from hubcore._sockets.call_timeout import seconds_of, timeout_default

# For more bytes than this, the kernel's copy takes longer than releasing and retaking the GIL.
_LARGE = cython.declare(cython.Py_ssize_t, 65536)
_WOULD_BLOCK = cython.declare(cython.Py_ssize_t, -2)
_scratch = cython.declare(cython.p_char, cython.cast(cython.p_char, PyMem_RawMalloc(65536)))
_native_close = cython.declare(object, _native.close)
_timeout_default = cython.declare(object, timeout_default)
_seconds_of = cython.declare(object, seconds_of)
_native_fileno = cython.declare(object, _native.fileno)
if _scratch == cython.NULL:
    raise MemoryError


def methods_of(cls: object) -> None:
    """Find the slot of `cls` that holds the FdWaits; the functions here then serve `cls` and its subclasses."""
    hubcore_find_slot(cls, cls.__dict__["_fd_waits"])
    cls.close = close
    cls._real_close = _real_close
    cls.fileno = fileno


@cython.cfunc
@cython.exceptval(-1)
def _recv(
    waits: FdWaits, fd: cython.int, buffer: cython.p_char, size: cython.Py_ssize_t, flags: cython.int
) -> cython.Py_ssize_t:
    """Call recv(2) once on `fd`, the socket's own or its last. Return the number of bytes, or _WOULD_BLOCK."""
    n: cython.Py_ssize_t
    error: cython.int
    while True:
        if size > _LARGE:
            with cython.nogil:
                n = sys.recv(fd, buffer, size, flags | sys.MSG_DONTWAIT)
                error = sys.errno
        else:
            n = sys.recv(fd, buffer, size, flags | sys.MSG_DONTWAIT)
            error = sys.errno
        if n >= 0:
            return n
        if error == sys.EAGAIN:
            return 0 if waits.at_end() else _WOULD_BLOCK
        if error == sys.ECONNRESET and waits.cut:
            return 0  # the peer's answer to the shutdown that woke this reader came first
        if error != sys.EINTR:
            _raise(error)


@cython.cfunc
@cython.exceptval(-1)
def _send(fd: cython.int, buffer: cython.p_char, size: cython.Py_ssize_t, flags: cython.int) -> cython.Py_ssize_t:
    """Call send(2) once. Return the number of bytes, or _WOULD_BLOCK."""
    n: cython.Py_ssize_t
    error: cython.int
    while True:
        if size > _LARGE:
            with cython.nogil:
                n = sys.send(fd, buffer, size, flags | sys.MSG_DONTWAIT)
                error = sys.errno
        else:
            n = sys.send(fd, buffer, size, flags | sys.MSG_DONTWAIT)
            error = sys.errno
        if n >= 0:
            return n
        if error == sys.EAGAIN:
            return _WOULD_BLOCK
        if error != sys.EINTR:
            _raise(error)


@cython.cfunc
def _raise(error: cython.int):
    import os

    raise OSError(error, os.strerror(error))


@cython.cfunc
def _would_block():
    count_try_if_patched()
    _raise(sys.EAGAIN)


@cython.cfunc
@cython.inline
def _may_wait(waits: FdWaits, flags: cython.int) -> cython.bint:
    """Return whether a call that would block waits. As in the standard library, a timeout overrides MSG_DONTWAIT."""
    return waits.timeout > 0.0 or (waits.timeout < 0.0 and not flags & sys.MSG_DONTWAIT)


@cython.cfunc
def _before_read(waits: FdWaits, flags: cython.int):
    """Wait first if the last read was short: an immediate read would find nothing."""
    if waits.short_read:
        waits.short_read = False
        if flags == 0 and waits.timeout != 0.0:
            waits.wait_read(waits.timeout)


@cython.locals(bufsize=cython.Py_ssize_t, flags=cython.int)
def recv(self: object, bufsize, flags=0) -> bytes:
    """Like socket.recv: return up to `bufsize` bytes as soon as any arrive. Switches if no data is ready."""
    waits: FdWaits = waits_of(self)
    if bufsize <= 0:
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        return b""  # a call for no bytes must not wait for data
    if flags & sys.MSG_TRUNC:
        return self._recv_any(bufsize, flags)  # the kernel may return a size larger than what it put into the buffer
    if waits.short_read:
        _before_read(waits, flags)
    elif waits.timeout != 0.0:
        waits._spend()
    n: cython.Py_ssize_t
    fd: cython.int = waits.fd
    while True:
        if bufsize <= _LARGE:
            n = _recv(waits, fd, _scratch, bufsize, flags)
            if n >= 0:
                data = PyBytes_FromStringAndSize(_scratch, n)
                break
        else:
            data = PyBytes_FromStringAndSize(cython.NULL, bufsize)
            n = _recv(waits, fd, PyBytes_AS_STRING(data), bufsize, flags)
            if n >= 0:
                data = data[:n]
                break
            data = None  # so that the wait holds no buffer
        if not _may_wait(waits, flags):
            _would_block()
        fd = waits.wait_read(waits.timeout)
    if 0 < n < bufsize and flags == 0 and waits.stream:
        waits.short_read = True
    return data


@cython.cfunc
def _get_writable(buffer: object, view: cython.pointer[cython.Py_buffer]):
    try:
        PyObject_GetBuffer(buffer, view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    except (BufferError, TypeError):
        kind = type(buffer).__name__
        raise TypeError(f"recv_into() argument 1 must be read-write bytes-like object, not {kind}") from None


@cython.locals(nbytes=cython.Py_ssize_t, flags=cython.int)
def recv_into(self: object, buffer: object, nbytes=0, flags=0) -> int:
    """Like socket.recv_into. Switches if no data is ready."""
    waits: FdWaits = waits_of(self)
    view: cython.Py_buffer
    n: cython.Py_ssize_t
    size: cython.Py_ssize_t
    fd: cython.int
    _get_writable(buffer, cython.address(view))
    try:
        if nbytes < 0:
            raise ValueError("negative buffersize in recv_into")
        size = nbytes if nbytes else view.len
        if size > view.len:
            raise ValueError("buffer too small for requested bytes")
        if size == 0:
            return 0
        if waits.short_read:
            _before_read(waits, flags)
        elif waits.timeout != 0.0:
            waits._spend()
        fd = waits.fd
        while True:
            n = _recv(waits, fd, cython.cast(cython.p_char, view.buf), size, flags)
            if n >= 0:
                break
            if not _may_wait(waits, flags):
                _would_block()
            fd = waits.wait_read(waits.timeout)
    finally:
        PyBuffer_Release(cython.address(view))
    if 0 < n < size and flags == 0 and waits.stream:
        waits.short_read = True
    return n


@cython.locals(flags=cython.int)
def send(self: object, data: object, flags=0, timeout: object = _timeout_default) -> int:
    """Like socket.send: return how many bytes of `data` the kernel accepted. Switches if it accepts none.

    `timeout`, in seconds, replaces the socket's for this call; 0 forbids the wait, None waits without limit.
    """
    waits: FdWaits = waits_of(self)
    limit: cython.double = waits.timeout if timeout is _timeout_default else _seconds_of(timeout)
    if limit != 0.0:
        waits._spend()
    view: cython.Py_buffer
    n: cython.Py_ssize_t
    PyObject_GetBuffer(data, cython.address(view), PyBUF_SIMPLE)
    try:
        while True:
            n = _send(waits.fd, cython.cast(cython.p_char, view.buf), view.len, flags)
            if n >= 0:
                return n
            if limit == 0.0 or (limit < 0.0 and flags & sys.MSG_DONTWAIT):
                _would_block()
            waits.wait_write(limit)
    finally:
        PyBuffer_Release(cython.address(view))


@cython.locals(flags=cython.int)
def sendall(self: object, data: object, flags=0) -> None:
    """Like socket.sendall. Switches when the kernel accepts no more; the timeout covers the whole call."""
    waits: FdWaits = waits_of(self)
    if waits.timeout != 0.0:
        waits._spend()
    view: cython.Py_buffer
    n: cython.Py_ssize_t
    sent: cython.Py_ssize_t = 0
    end: cython.double = -1.0
    PyObject_GetBuffer(data, cython.address(view), PyBUF_SIMPLE)
    try:
        while True:
            n = _send(waits.fd, cython.cast(cython.p_char, view.buf) + sent, view.len - sent, flags)
            if n >= 0:
                sent += n
                if sent >= view.len:
                    return
                continue
            if not _may_wait(waits, flags):
                _would_block()
            end = _wait_to_send_more(waits, end)
    finally:
        PyBuffer_Release(cython.address(view))


@cython.cfunc
@cython.exceptval(-2.0, check=True)
def _wait_to_send_more(waits: FdWaits, end: cython.double) -> cython.double:
    """Wait until the socket is writable, or until `end`. Return `end`; the first wait sets it."""
    if waits.timeout < 0.0:
        waits.wait_write(-1.0)
        return end
    from hubcore.hub import get_hub

    now: cython.double = get_hub().loop.update_now()
    if end < 0.0:
        end = now + waits.timeout
    if now >= end:
        raise TimeoutError("timed out")
    waits.wait_write(end - now)
    return end


def fileno(self: object) -> int:
    """Like socket.fileno. From then on the fd blocks where the standard library's would. Never switches."""
    if hubcore_in_slot(self) == cython.NULL:
        return _native_fileno(self)  # __init__ has not run
    waits: FdWaits = waits_of(self)
    if not waits.lent:
        from hubcore._sockets.lending import lend

        lend(self)
    return waits.fd


def close(self: object) -> None:
    """Like socket.close: the fd is closed once every file from makefile() is closed. Never switches."""
    self._closed = True
    if self._io_refs <= 0:
        self._real_close()


def _real_close(self: object, _ss: object = None) -> None:
    """Close the fd. Greenlets that wait for it get OSError (EBADF), unless a shutdown woke them. Never switches."""
    waits: FdWaits = waits_of(self)
    waits.before_close()
    if waits.fd >= 0:
        hub: Hub = hub_here()
        if hub is not None and not hub.loop.closed and waits.fd in hub.loop.fd_watches:
            hub.loop.closing_fd(waits.fd)  # for greenlets that wait by other means, such as select
    waits.fd = -1
    _native_close(self)


def recv_ready(waits, size):
    """Return up to `size` bytes, at most 64 KiB, of the data that is ready; None if there is none. Never switches."""
    fd: cython.int = waits.fd
    if fd < 0:
        fd = waits.last_fd
        if fd < 0:
            return waits.recv_without_fd(size)
    n: cython.Py_ssize_t = _recv(waits, fd, _scratch, size if size < _LARGE else _LARGE, 0)
    if n < 0:
        return None
    return PyBytes_FromStringAndSize(_scratch, n)


def send_ready(waits, data, start):
    """Send `data` from `start` on. Return how many bytes the kernel accepted, maybe 0. Never switches."""
    if waits.fd < 0:
        return waits.send_without_fd(data, start)
    n: cython.Py_ssize_t = _send(waits.fd, PyBytes_AS_STRING(data) + start, len(data) - start, 0)
    return n if n >= 0 else 0


@cython.locals(fd=cython.int)
def close_unread(fd) -> None:
    """Read the pending input of the socket `fd`, then close it. Never switches.

    If input is left unread at close, the kernel resets the connection and drops the data that is still to be sent.
    """
    # The GIL is held from the read to the close: the peer may be a thread of this process that is about to send.
    sys.recv(fd, _scratch, _LARGE, sys.MSG_DONTWAIT)
    if sys.close(fd):
        _raise(sys.errno)
