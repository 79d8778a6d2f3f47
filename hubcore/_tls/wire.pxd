cimport cython

from hubcore._sync.locks cimport Semaphore
from hubcore._sockets.stream_calls cimport recv_ready, send_ready
from hubcore._io.fd_waits cimport FdWaits
from hubcore.hub cimport get_hub


cdef Py_ssize_t _AT_ONCE
cdef Py_ssize_t _HEADER


cdef class Wire:
    cdef FdWaits _fd_waits
    cdef Wire _outer
    cdef object _incoming
    cdef object _outgoing
    cdef object _native
    cdef Semaphore _lock
    cdef bytes _unsent
    cdef Py_ssize_t _start
    cdef Py_ssize_t _head
    cdef Py_ssize_t _body
    cdef Py_ssize_t _length
    cdef Py_ssize_t _records
    cdef bint _more
    cdef bint _carries
    cdef bint _asked

    @cython.locals(waits=FdWaits, data=bytes, size=Py_ssize_t)
    cdef double _fill(self, double end, str late, bint ahead) except? -2.0
    cdef Py_ssize_t _to_come(self) except -1
    @cython.locals(size=Py_ssize_t, at=Py_ssize_t, skipped=Py_ssize_t)
    cdef _take_in(self, bytes data)
    cdef bytes _decrypted(self, double end, str late, Py_ssize_t size)
    cdef _read(self, Py_ssize_t size, buffer, double end, str late)
    cdef bint _push(self) except -1
    cdef bint _push_unsent(self) except -1
    cdef double _drain(self, double end, str late) except? -2.0
    cdef double _flush(self, double end, str late) except? -2.0
    @cython.locals(now=double, timeout=double)
    cdef double _acquire(self, double end, str late) except? -2.0
    cdef _release(self)
    @cython.locals(done=bint)
    cdef _answer(self)
    @cython.locals(waits=FdWaits, now=double, timeout=double)
    cdef double _wait(self, bint to_write, double end, str late) except? -2.0
