cimport cython

from hubcore._http.body cimport EMPTY, Input
from hubcore._http.exchange cimport LOG, ONE_REQUEST, READ_REQUEST, Exchange
from hubcore._http.rules cimport Rules
from hubcore._sockets.stream_calls cimport recv_ready
from hubcore._io.fd_waits cimport FdWaits
from hubcore.hub cimport Hub, get_hub

cdef Py_ssize_t _AT_ONCE
cdef double _LINGER, _MOMENT


cdef class Connection(Exchange):
    cdef bint _idle
    cdef double _idle_since
    cdef long long _in_a_row
    cdef object _tls_waits
    cdef object __weakref__

    cdef bint _hooked_request(self) except -1
    @cython.locals(rules=Rules, end=Py_ssize_t)
    cdef bint _one_request(self) except -1
    @cython.locals(data=bytes, end=Py_ssize_t, end_of_time=double)
    cdef Py_ssize_t _await_head(self) except -2
    @cython.locals(data=bytes, timeout=double, left=double)
    cdef bytes _await_rest(self, double end_of_time)
    @cython.locals(rules=Rules, waits=FdWaits, data=bytes, timeout=double)
    cdef bytes _await_bytes(self)
    @cython.locals(waits=FdWaits, data=bytes)
    cdef bytes _await_idle(self, double timeout)
    cdef bytes _await_idle_any(self, double timeout)
    cdef double _grace(self) except? -1.0
    cpdef look_again(self)
    cpdef end_idle(self)
    cdef _hooked_read(self, Py_ssize_t end)
    cdef _refuse(self, error)
    @cython.locals(body=Input)
    cdef bint _after_request(self) except -1
    cdef bint _finish_input(self, Input body) except -1
    @cython.locals(data=bytes, end_of_time=double, time_left=double, left=cython.longlong)
    cdef _linger(self)
    cpdef _hand_over(self)
    cdef _end(self)
