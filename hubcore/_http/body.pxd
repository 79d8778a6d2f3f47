cimport cython

from hubcore._capi.public_names cimport publish
from hubcore._http.request cimport Request
from hubcore._http.rules cimport Rules

cdef enum State:
    DONE
    LENGTH
    SIZE
    DATA
    DATA_END
    TRAILERS

cdef int _MOST_EXTENSIONS, _LONGEST_LINE
cdef Input EMPTY


cdef class Input:
    cdef Request _request
    cdef int _state
    cdef long long _left
    cdef long long _counted
    cdef bytes _ready
    cdef Py_ssize_t _at
    cdef Py_ssize_t _extra
    cdef Py_ssize_t _trailers
    cdef double _waited
    cdef object _failure

    cdef _begin(self, Request request)
    @cython.locals(wanted=Py_ssize_t, found=Py_ssize_t, rest=Py_ssize_t, piece=bytes, parts=list)
    cpdef bytes read(self, size=*)
    @cython.locals(found=Py_ssize_t)
    cpdef bytes read1(self, size=*)
    @cython.locals(wanted=Py_ssize_t, found=Py_ssize_t, end=Py_ssize_t, part=bytes, parts=list)
    cpdef bytes readline(self, size=*)
    @cython.locals(at=Py_ssize_t, data=bytes)
    cdef bytes _take(self, Py_ssize_t size)
    cdef bytes _more(self)
    @cython.locals(request=Request, piece=bytes)
    cdef bytes _data(self)
    @cython.locals(request=Request, line=bytes)
    cdef _read_size(self)
    @cython.locals(request=Request)
    cdef _read_data_end(self)
    @cython.locals(request=Request, line=bytes)
    cdef _read_trailer(self)
    @cython.locals(request=Request, data=bytes, line=bytes, end=Py_ssize_t, looked=Py_ssize_t)
    cdef bytes _line(self, long long longest, str what)
    @cython.locals(request=Request, rules=Rules, data=bytes, start=double)
    cdef bytes _come(self)
    @cython.locals(request=Request, rules=Rules)
    cdef _received(self, Py_ssize_t size)
    @cython.locals(request=Request)
    cdef _fail(self, int status, str reason)
    cpdef bint _discard(self, long long limit) except -1
    cpdef _over(self)
