cimport cython

from hubcore._tls.wire cimport Wire


cdef Py_ssize_t _RECORD
cdef Py_ssize_t _BATCH
cdef str _LATE_READ
cdef str _LATE_WRITE
cdef str _LATE_HANDSHAKE


cdef class Tls(Wire):
    cdef bytes _ahead
    cdef bint _ended
    cdef bint _failed
    cdef bytes _tried
    cdef bint _untouched

    cpdef read(self, Py_ssize_t size=*, buffer=*)
    @cython.locals(count=Py_ssize_t)
    cdef _read(self, Py_ssize_t size, buffer, double end, str late)
    cdef _from_ahead(self, Py_ssize_t size, buffer)
    @cython.locals(end=double)
    cpdef write(self, data)
    cdef bint _push_encrypted(self) except -1
    @cython.locals(size=Py_ssize_t, sent=Py_ssize_t, count=Py_ssize_t, batch=Py_ssize_t)
    cdef _write_in_parts(self, octets, double end)
    cdef double _encrypt(self, data, double end) except? -2.0
    @cython.locals(end=double)
    cpdef do_handshake(self)
    @cython.locals(end=double)
    cpdef shutdown(self)
    @cython.locals(end=double)
    cdef double _exchange(self, step, str late) except? -2.0
    cdef _send_tickets(self, double end)
