# cython: annotation_typing=True, binding=True
"""The compiled path of accept, recvfrom and sendto, as `_sockets.stream_calls` is for calls without an address.

For IPv4, IPv6 and Unix sockets. The functions are methods of `hubcore.socket.socket`. For cases that they do not handle
they call its methods `_accept_any`, `_recvfrom_any` and `_sendto_any`.
"""

from hubcore._base import uncompiled as cython

if not cython.compiled:
    raise cython.not_built("hubcore._sockets.address_calls")

import os
import socket as _stdlib
from _socket import socket as _native

from cython.cimports.cpython.buffer import PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cython.cimports.cpython.bytes import PyBytes_FromStringAndSize
from cython.cimports.cpython.mem import PyMem_RawMalloc
from cython.cimports.cpython.ref import PyObject
from cython.cimports.hubcore._io.fd_waits import FdWaits
from cython.cimports.hubcore._sockets import system_calls as sys
from cython.cimports.hubcore._sockets.layout import (
    hubcore_blank,
    hubcore_copy_socket,
    hubcore_learn_layout,
    hubcore_may_copy_socket,
)
from cython.cimports.hubcore._sockets.slot import hubcore_find_slot, waits_of
from cython.cimports.hubcore._sync.steps import count_try_if_patched
from cython.cimports.libc.string import memset, strlen

from hubcore._base.originals import close_fd

_LARGEST = cython.declare(cython.Py_ssize_t, 65536)
_scratch = cython.declare(cython.p_char, cython.cast(cython.p_char, PyMem_RawMalloc(65536)))
# The address of the current call. Valid only while the GIL is held, and never across a switch.
_address = cython.declare(sys.hubcore_address)
_socket_class = cython.declare(object, None)
# IPv4 addresses recur. These caches hold the tuples of recent senders, each at an index computed from the address
# alone, and the last target. Sharing a tuple is safe: a tuple of a str and an int is immutable.
_KNOWN = cython.declare(cython.uint, 64)
_known = cython.declare(list, [None] * 64)
_known_keys = cython.declare(cython.ulonglong[64])
_recent = cython.declare(object, None)
_recent_key = cython.declare(cython.ulonglong, 0)
_target = cython.declare(object, None)
_target_key = cython.declare(cython.ulonglong, 0)
_default_timeout = cython.declare(object, _stdlib.getdefaulttimeout)
_initialise = cython.declare(object, _native.__init__)
_native_class = cython.declare(object, _native)
_no_args = cython.declare(tuple, ())
if _scratch == cython.NULL:
    raise MemoryError


def methods_of(cls: object) -> None:
    """Find the slot of `cls` that holds the FdWaits; the functions here then serve `cls` and its subclasses."""
    hubcore_find_slot(cls, cls.__dict__["_fd_waits"])


def accepted_are(cls: object) -> None:
    """Set the class of the sockets that accept() returns."""
    global _socket_class
    _socket_class = cls


@cython.cfunc
def _raise(error: cython.int):
    raise OSError(error, os.strerror(error))


@cython.cfunc
def _refuse(error: cython.int):
    if error == sys.EAGAIN:
        count_try_if_patched()
    _raise(error)


@cython.cfunc
@cython.inline
def _may_wait(waits: FdWaits, flags: cython.int) -> cython.bint:
    return waits.timeout > 0.0 or (waits.timeout < 0.0 and not flags & sys.MSG_DONTWAIT)


@cython.cfunc
@cython.inline
@cython.exceptval(check=False)
def _key() -> cython.ulonglong:
    """Return the IPv4 address and port in `_address` as one number, never 0."""
    return (cython.cast(cython.ulonglong, _address.v4.sin_addr.s_addr) << 17) | (_address.v4.sin_port << 1) | 1


@cython.cfunc
def _new_ipv4():
    # inet_ntop(3) calls printf, which takes a seventh of the time of accept() and close() outside the kernel.
    text: cython.char[16]
    length: cython.Py_ssize_t = sys.hubcore_ipv4_text(_address.v4.sin_addr.s_addr, text)
    return (text[:length].decode("ascii"), sys.ntohs(_address.v4.sin_port))


@cython.cfunc
def _peer(length: sys.socklen_t):
    """Return a datagram's sender, like `_read_address`; for a recent sender, the same tuple as before."""
    global _recent, _recent_key
    if length == 0 or _address.any.sa_family != sys.AF_INET:
        return _read_address(length)
    key: cython.ulonglong = _key()
    place: cython.uint = (sys.ntohs(_address.v4.sin_port) ^ sys.ntohl(_address.v4.sin_addr.s_addr)) % _KNOWN
    if _known_keys[place] == key:
        found = _known[place]
    else:
        found = _new_ipv4()
        _known[place] = found
        _known_keys[place] = key
    _recent = found
    _recent_key = key
    return found


@cython.cfunc
def _read_address(length: sys.socklen_t):
    """Return the address in `_address` in the standard library's form."""
    text: cython.char[64]
    family: cython.int = _address.any.sa_family
    if length == 0:
        return None  # the kernel returned none, as for a connected stream
    if family == sys.AF_INET:
        return _new_ipv4()
    if family == sys.AF_INET6:
        if sys.inet_ntop(family, cython.address(_address.v6.sin6_addr), text, 64) == cython.NULL:
            _raise(sys.errno)
        return (
            text[: strlen(text)].decode("ascii"),
            sys.ntohs(_address.v6.sin6_port),
            sys.ntohl(_address.v6.sin6_flowinfo),
            _address.v6.sin6_scope_id,
        )
    size: cython.Py_ssize_t = cython.cast(cython.Py_ssize_t, length) - sys.hubcore_path_offset
    if size > 0 and _address.un.sun_path[0] == 0:
        return PyBytes_FromStringAndSize(_address.un.sun_path, size)  # an abstract address
    if size <= 0:
        return ""
    return os.fsdecode(PyBytes_FromStringAndSize(_address.un.sun_path, size).partition(b"\0")[0])


@cython.cfunc
@cython.exceptval(check=False)
def _put_ipv4(key: cython.ulonglong) -> cython.void:
    memset(cython.address(_address), 0, cython.sizeof(sys.sockaddr_in))
    _address.v4.sin_family = sys.AF_INET
    _address.v4.sin_port = cython.cast(cython.ushort, (key >> 1) & 0xFFFF)
    _address.v4.sin_addr.s_addr = cython.cast(cython.uint, key >> 17)


@cython.cfunc
def _note_target(address: object):
    global _target, _target_key
    _target = address
    _target_key = _key()


@cython.cfunc
@cython.exceptval(-1)
def _write_address(family: cython.int, address: object) -> cython.int:
    """Put `address` into `_address` and return its length; 0 if that takes more, such as a look-up."""
    if family == sys.AF_INET and (address is _recent or address is _target):
        _put_ipv4(_recent_key if address is _recent else _target_key)
        return cython.sizeof(sys.sockaddr_in)
    if type(address) is not tuple or not 2 <= len(address) <= (2 if family == sys.AF_INET else 4):
        return 0
    host = address[0]
    port = address[1]
    if type(host) is not str or type(port) is not int or not 0 <= port <= 65535:
        return 0
    name: cython.p_const_char = sys.PyUnicode_AsUTF8(host)
    if strlen(name) != cython.cast(cython.size_t, len(host)):
        return 0  # not ASCII, or it contains a NUL
    memset(cython.address(_address), 0, cython.sizeof(sys.hubcore_address))
    if family == sys.AF_INET:
        if sys.inet_pton(family, name, cython.address(_address.v4.sin_addr)) != 1:
            return 0
        _address.v4.sin_family = family
        _address.v4.sin_port = sys.htons(port)
        _note_target(address)
        return cython.sizeof(sys.sockaddr_in)
    for number in address[2:]:
        if type(number) is not int or not 0 <= number < (1 << 20):
            return 0
    if sys.inet_pton(family, name, cython.address(_address.v6.sin6_addr)) != 1:
        return 0
    _address.v6.sin6_family = family
    _address.v6.sin6_port = sys.htons(port)
    _address.v6.sin6_flowinfo = sys.htonl(address[2] if len(address) > 2 else 0)
    _address.v6.sin6_scope_id = address[3] if len(address) > 3 else 0
    return cython.sizeof(sys.sockaddr_in6)


@cython.cfunc
@cython.inline
def _is_ours(waits: FdWaits) -> cython.bint:
    return waits.family == sys.AF_INET or waits.family == sys.AF_INET6 or waits.family == sys.AF_UNIX


def accept(self: object) -> tuple:
    """Like socket.accept: return a connection and its address. Switches if no connection is pending."""
    waits: FdWaits = waits_of(self)
    if not _is_ours(waits):
        return self._accept_any()
    if waits.timeout != 0.0:
        waits._spend()
    length: sys.socklen_t = 0
    listener: cython.int = waits.fd
    fd: cython.int
    error: cython.int
    while True:
        length = cython.sizeof(sys.hubcore_address)
        fd = sys.hubcore_accept(listener, cython.address(_address.any), cython.address(length))
        if fd >= 0:
            break
        error = sys.errno
        if error == sys.EINTR:
            continue
        if error != sys.EAGAIN or waits.timeout == 0.0:
            _refuse(error)
        if waits.ended and waits.family == sys.AF_UNIX:
            _raise(sys.EINVAL)  # what the kernel answers to an accept(2) that blocks
        listener = waits.wait_read(waits.timeout)
    try:
        address = _read_address(length)
        return _accepted(self, waits, fd), address
    except BaseException:
        close_fd(fd)
        raise


@cython.cfunc
def _accepted(listener: object, waits: FdWaits, fd: cython.int):
    """Return the socket of `fd`, a connection of `listener`. If this fails, the caller must close the fd."""
    timeout = _default_timeout()
    own: FdWaits = FdWaits.__new__(FdWaits)
    own._begin(fd, waits.stream, -1.0 if timeout is None else timeout)
    own.family = waits.family
    own.kind = waits.kind
    own.proto = waits.proto
    sock = hubcore_blank(_native_class, _socket_class, _no_args)
    # The attributes that the standard library's class adds to the C class.
    sock._io_refs = 0
    sock._closed = False
    sock._fd_waits = own
    # With this flag in the type the C class makes no system call to set non-blocking mode.
    kind: cython.int = waits.kind | sys.SOCK_NONBLOCK
    if hubcore_may_copy_socket():
        sys.PySys_Audit(
            "socket.__new__", "Oiii", cython.cast(cython.pointer[PyObject], sock), waits.family, kind, waits.proto
        )
        if hubcore_copy_socket(_native_class, listener, sock, fd):
            return sock
    _initialise(sock, waits.family, kind, waits.proto, fd)
    hubcore_learn_layout(_native_class, listener, waits.fd, sock, fd)
    return sock


def connect_again(self: object, address: object) -> int:
    """Call connect(2) once more, for the outcome of an attempt; return the error's number or 0, -1 if that takes more.

    Never switches, and raises no audit event: the first call raised it.
    """
    waits: FdWaits = waits_of(self)
    if not (waits.family == sys.AF_INET or waits.family == sys.AF_INET6):
        return -1
    length: cython.int = _write_address(waits.family, address)
    if length == 0:
        return -1
    while sys.connect(waits.fd, cython.address(_address.any), length):
        if sys.errno != sys.EINTR:
            return sys.errno
    return 0


@cython.locals(bufsize=cython.Py_ssize_t, flags=cython.int)
def recvfrom(self: object, bufsize, flags=0) -> tuple:
    """Like socket.recvfrom: return the data and the sender's address. Switches if no data is ready."""
    waits: FdWaits = waits_of(self)
    if bufsize < 0:
        raise ValueError("negative buffersize in recvfrom")
    if bufsize > _LARGEST or flags & sys.MSG_TRUNC or not _is_ours(waits):
        return self._recvfrom_any(bufsize, flags)
    if waits.timeout != 0.0:
        waits._spend()
    length: sys.socklen_t = 0
    n: cython.Py_ssize_t
    error: cython.int
    fd: cython.int = waits.fd
    while True:
        length = cython.sizeof(sys.hubcore_address)
        n = sys.recvfrom(
            fd,
            _scratch,
            bufsize,
            flags | sys.MSG_DONTWAIT,
            cython.address(_address.any),
            cython.address(length),
        )
        if n >= 0:
            # `_address` is read before the result tuple is made: making a tuple may run other code (the collector's).
            data = PyBytes_FromStringAndSize(_scratch, n)
            return data, _peer(length)
        error = sys.errno
        if error == sys.EINTR:
            continue
        if error == sys.EAGAIN and waits.at_end():
            return b"", None
        if error == sys.ECONNRESET and waits.cut:
            return b"", None
        if error != sys.EAGAIN or not _may_wait(waits, flags):
            _refuse(error)
        fd = waits.wait_read(waits.timeout)


def sendto(self: object, data: object, *args: object) -> int:
    """Like socket.sendto. Looks up a host name cooperatively. Switches if the kernel accepts no data."""
    waits: FdWaits = waits_of(self)
    count: cython.Py_ssize_t = len(args)
    if not 1 <= count <= 2 or not (waits.family == sys.AF_INET or waits.family == sys.AF_INET6):
        return self._sendto_any(data, *args)
    flags: cython.int = args[0] if count == 2 else 0
    address = args[count - 1]
    length: cython.int = _write_address(waits.family, address)
    if length == 0:
        return self._sendto_any(data, *args)
    sys.PySys_Audit(
        "socket.sendto",
        "OO",
        cython.cast(cython.pointer[PyObject], self),
        cython.cast(cython.pointer[PyObject], address),
    )
    if waits.timeout != 0.0:
        waits._spend()
    view: cython.Py_buffer
    n: cython.Py_ssize_t
    error: cython.int
    PyObject_GetBuffer(data, cython.address(view), PyBUF_SIMPLE)
    try:
        while True:
            # Other greenlets may have changed `_address` while this one yielded or waited.
            length = _write_address(waits.family, address)
            n = sys.sendto(waits.fd, view.buf, view.len, flags | sys.MSG_DONTWAIT, cython.address(_address.any), length)
            if n >= 0:
                return n
            error = sys.errno
            if error == sys.EINTR:
                continue
            if error != sys.EAGAIN or not _may_wait(waits, flags):
                _refuse(error)
            waits.wait_write(waits.timeout)
    finally:
        PyBuffer_Release(cython.address(view))
