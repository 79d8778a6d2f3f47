# cython: annotation_typing=True, binding=True
"""The compiled path of recv, recv_into, send and sendall: straight to the system call, a wait only when it would block.

The functions are methods of `hubcore.socket.socket`, whose `_fd_waits` is its FdWaits. Where this module is not
built, that class does the same by way of the standard library's socket.

Facts: greenlet copies the C stack between a task's entry and its switch, so nothing large may lie there; and a buffer
that a greenlet holds while it waits is memory that every idle connection costs. Consequence: reads go into one scratch
buffer of the module, used only while the GIL is held, and the bytes object is made when its size is known.

Fact: whether an fd is non-blocking belongs to the open file, which it may share with a duplicate that somebody has
made blocking, such as `detach`, or a process that got it. Consequence: each call says itself that it must not block.
"""

import cython

if not cython.compiled:
    raise ImportError("hubcore._sockio is not built; run: pip install -e .")

from _socket import socket as _native

from cython.cimports.cpython.buffer import (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cython.cimports.cpython.bytes import PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cython.cimports.cpython.mem import PyMem_RawMalloc
from cython.cimports.hubcore import _sysio as sys
from cython.cimports.hubcore._sockslot import hubcore_find_slot, waits_of
from cython.cimports.hubcore._sockwait import FdWaits
from cython.cimports.hubcore.hub import Hub, hub_here

# Copying more than this takes the kernel longer than giving up the GIL and taking it back.
_LARGE = cython.declare(cython.Py_ssize_t, 65536)
_WOULD_BLOCK = cython.declare(cython.Py_ssize_t, -2)
_scratch = cython.declare(cython.p_char, cython.cast(cython.p_char, PyMem_RawMalloc(65536)))
_native_close = cython.declare(object, _native.close)
if _scratch == cython.NULL:
    raise MemoryError


def methods_of(cls: object) -> None:
    """The functions here are methods of `cls`, and of what inherits it, from now on."""
    hubcore_find_slot(cls, cls.__dict__["_fd_waits"])


@cython.cfunc
@cython.exceptval(-1)
def _recv(fd: cython.int, buffer: cython.p_char, size: cython.Py_ssize_t, flags: cython.int) -> cython.Py_ssize_t:
    """One recv(2): how many bytes it got, or that it would block."""
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
            return _WOULD_BLOCK
        if error != sys.EINTR:
            _raise(error)


@cython.cfunc
@cython.exceptval(-1)
def _send(fd: cython.int, buffer: cython.p_char, size: cython.Py_ssize_t, flags: cython.int) -> cython.Py_ssize_t:
    """One send(2): how many bytes it took, or that it would block."""
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
    _raise(sys.EAGAIN)


@cython.cfunc
@cython.inline
def _may_wait(waits: FdWaits, flags: cython.int) -> cython.bint:
    """Whether a call that would block waits; as in the standard library MSG_DONTWAIT does not end a timeout early."""
    return waits.timeout > 0.0 or (waits.timeout < 0.0 and not flags & sys.MSG_DONTWAIT)


@cython.cfunc
def _before_read(waits: FdWaits, flags: cython.int):
    """After a short read the next would find nothing: wait first."""
    if waits.short_read:
        waits.short_read = False
        if flags == 0 and waits.timeout != 0.0:
            waits.wait_read(waits.timeout)


def recv(self: object, bufsize: cython.Py_ssize_t, flags: cython.int = 0) -> bytes:
    """socket.recv, cooperatively: up to `bufsize` bytes, as soon as there are any. Switches when there are none."""
    waits: FdWaits = waits_of(self)
    if bufsize <= 0:
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        return b""  # there may be nothing to read, and nothing is what was asked for
    if flags & sys.MSG_TRUNC:
        return self._recv_any(bufsize, flags)  # the kernel may tell of more than it has put into the buffer
    if waits.short_read:
        _before_read(waits, flags)
    elif waits.timeout != 0.0:
        waits._spend()
    n: cython.Py_ssize_t
    while True:
        if bufsize <= _LARGE:
            n = _recv(waits.fd, _scratch, bufsize, flags)
            if n >= 0:
                data = PyBytes_FromStringAndSize(_scratch, n)
                break
        else:
            data = PyBytes_FromStringAndSize(cython.NULL, bufsize)
            n = _recv(waits.fd, PyBytes_AS_STRING(data), bufsize, flags)
            if n >= 0:
                data = data[:n]
                break
            data = None  # not to be held while waiting
        if not _may_wait(waits, flags):
            _would_block()
        waits.wait_read(waits.timeout)
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


def recv_into(self: object, buffer: object, nbytes: cython.Py_ssize_t = 0, flags: cython.int = 0) -> int:
    """socket.recv_into, cooperatively. Switches when there is nothing to read."""
    waits: FdWaits = waits_of(self)
    view: cython.Py_buffer
    n: cython.Py_ssize_t
    size: cython.Py_ssize_t
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
        while True:
            n = _recv(waits.fd, cython.cast(cython.p_char, view.buf), size, flags)
            if n >= 0:
                break
            if not _may_wait(waits, flags):
                _would_block()
            waits.wait_read(waits.timeout)
    finally:
        PyBuffer_Release(cython.address(view))
    if 0 < n < size and flags == 0 and waits.stream:
        waits.short_read = True
    return n


def send(self: object, data: object, flags: cython.int = 0) -> int:
    """socket.send, cooperatively: as much of `data` as the kernel takes. Switches when it takes nothing."""
    waits: FdWaits = waits_of(self)
    if waits.timeout != 0.0:
        waits._spend()
    view: cython.Py_buffer
    n: cython.Py_ssize_t
    PyObject_GetBuffer(data, cython.address(view), PyBUF_SIMPLE)
    try:
        while True:
            n = _send(waits.fd, cython.cast(cython.p_char, view.buf), view.len, flags)
            if n >= 0:
                return n
            if not _may_wait(waits, flags):
                _would_block()
            waits.wait_write(waits.timeout)
    finally:
        PyBuffer_Release(cython.address(view))


def sendall(self: object, data: object, flags: cython.int = 0) -> None:
    """socket.sendall, cooperatively: all of `data`. Switches when the kernel takes no more; the timeout is for all."""
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
    """Wait within the time that is left until `end`; return `end`, which is set at the first wait."""
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


def close(self: object) -> None:
    """socket.close: the fd is closed when no file made of the socket is open any more. Never switches."""
    self._closed = True
    if self._io_refs <= 0:
        self._real_close()


def _real_close(self: object, _ss: object = None) -> None:
    """Close the fd; whoever waits for it gets OSError (EBADF)."""
    waits: FdWaits = waits_of(self)
    waits.close()
    if waits.fd >= 0:
        hub: Hub = hub_here()
        if hub is not None and not hub.loop.closed and waits.fd in hub.loop.fd_watches:
            hub.loop.closing_fd(waits.fd)  # for those who wait in other ways, such as select
    waits.fd = -1
    _native_close(self)


def recv_ready(waits, size):
    """Up to `size` bytes, at most 64 KiB, of what is there; None where there is nothing. Never switches."""
    n: cython.Py_ssize_t = _recv(waits.fd, _scratch, size if size < _LARGE else _LARGE, 0)
    if n < 0:
        return None
    return PyBytes_FromStringAndSize(_scratch, n)


def send_ready(waits, data, start):
    """How many bytes of `data` from `start` on the kernel takes now. Never switches."""
    n: cython.Py_ssize_t = _send(waits.fd, PyBytes_AS_STRING(data) + start, len(data) - start, 0)
    return n if n >= 0 else 0


def close_unread(fd: cython.int) -> None:
    """Close `fd`, of a socket, and what has come in with it: unread, it would make the kernel reset the
    connection, and drop what is still to be sent.
    """
    # Not without the GIL: the peer may be in another thread of this process, about to send.
    sys.recv(fd, _scratch, _LARGE, sys.MSG_DONTWAIT)
    if sys.close(fd):
        _raise(sys.errno)
