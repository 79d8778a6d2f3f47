cimport cython

from hubcore._http.rules cimport Rules
from hubcore._sockets.stream_calls cimport recv_ready, send_ready
from hubcore._io.fd_waits cimport FdWaits
from hubcore.hub cimport Hub, get_hub

cdef Py_ssize_t _AT_ONCE


cdef class Wire:
    cdef readonly object socket
    cdef readonly Rules rules
    cdef bytes _buffer
    cdef bint _gone
    cdef FdWaits _waits

    cdef bytes _receive(self, double timeout)
    @cython.locals(waits=FdWaits, data=bytes)
    cdef bytes _receive_plain(self, double timeout)
    cdef bytes _receive_any(self, double timeout)
    @cython.locals(sent=Py_ssize_t)
    cdef _send(self, bytes data)
    @cython.locals(waits=FdWaits)
    cdef _send_rest(self, bytes data, Py_ssize_t sent)
    @cython.locals(sent=Py_ssize_t)
    cdef _send_any(self, bytes data)
    @cython.locals(small=list, size=Py_ssize_t, part=bytes)
    cdef _send_parts(self, parts)
    cdef _lost(self, error)
    cdef _end_tls(self)
    @cython.locals(hub=Hub)
    cdef double _now(self) except? -1.0
