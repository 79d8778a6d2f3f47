cimport cython

from hubcore._http.body cimport EMPTY, Input
from hubcore._http.response cimport Response
from hubcore._http.rules cimport Rules
from hubcore._http.upgrade cimport HandOver

cdef Py_ssize_t _AT_ONCE

cdef enum Hook:
    FINALIZE = 1
    ONE_REQUEST = 2
    READ_REQUEST = 4
    ENVIRON = 8
    ONE_RESPONSE = 16
    RUN = 32
    PROCESS = 64
    WRITE = 128
    LOG = 256
    FORMAT = 512


cdef class Exchange(Response):
    cdef public object application
    cdef public double time_start
    cdef public double time_finish
    cdef public object wsgi_input
    cdef HandOver _handover

    @cython.locals(rules=Rules, environ=dict, body=Input)
    cdef _run_request(self)
    cdef _run_guarded(self)
    cdef _run_in_time(self)
    cdef _run(self)
    cdef _process(self)
    @cython.locals(total=cython.longlong)
    cdef _send_whole(self, result)
    @cython.locals(size=cython.longlong)
    cdef bint _send_file(self, wrapper) except -1
    @cython.locals(left=cython.longlong)
    cdef _send_read(self, wrapper)
    cdef _close_result(self)
    cdef _failed(self, error)
    cdef _write_error(self, text)
    cdef _say(self, int status)
    cdef _note_request(self)
