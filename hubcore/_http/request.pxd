cimport cython

from hubcore._http.fields cimport Head
from hubcore._http.parser cimport Parser
from hubcore._http.rules cimport Rules
from hubcore._http.wire cimport Wire

cdef int _CR, _LF, _SPACE, _TAB, _DELETE, _SLASH
cdef list _spare


@cython.final
cdef class _Pair:
    cdef Parser parser
    cdef Head head


cdef class Request(Wire):
    cdef public object client_address
    cdef public object server
    cdef public object environ
    cdef public str command
    cdef public str path
    cdef public object content_length
    cdef tuple _remote
    cdef bytes _head
    cdef bytes _host
    cdef int _minor
    cdef bint _chunked
    cdef bint _expect
    cdef bint _keep
    cdef bint _upgrade
    cdef object _fault
    cdef Py_ssize_t _scanned
    cdef Py_ssize_t _start
    cdef Py_ssize_t _line_start
    cdef Py_ssize_t _line_end
    cdef Py_ssize_t _lines

    cpdef _forget(self)
    cdef _scan_from_the_start(self)
    @cython.locals(data=bytes, size=Py_ssize_t, at=Py_ssize_t, byte=int)
    cpdef Py_ssize_t _find_end(self) except -2
    @cython.locals(rules=Rules)
    cdef _check_lengths(self, Py_ssize_t at)
    @cython.locals(data=bytes, line_end=Py_ssize_t)
    cpdef _take_head(self, Py_ssize_t end)
    @cython.locals(rules=Rules, data=bytes, environ=dict, pair=_Pair, parser=Parser, head=Head, method=bytes, size=Py_ssize_t, remote=tuple, clean=bint)
    cdef _parse(self, Py_ssize_t line_end)
    cdef _check(self, bytes method, Head head, dict environ)
    @cython.locals(target=bytes, text=str, mark=Py_ssize_t)
    cdef _set_target(self, Head head, dict environ)
    cdef str _other_target(self, bytes target, Head head, dict environ)
    cdef _check_coding(self, Head head)
    cdef _check_length(self, bytes length)
    cdef _set_connection(self, str text, Head head)
    cdef _refused(self, Head head, bytes line, error)

cdef bytes _VERSION_1

@cython.locals(start=Py_ssize_t, i=Py_ssize_t)
cdef bint _is_version_1(bytes data, Py_ssize_t line_end) except -1
