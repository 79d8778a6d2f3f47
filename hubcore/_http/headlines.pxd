cimport cython

cdef enum Kind:
    ORDINARY
    LENGTH
    CODING
    CONNECTION
    DATE
    SERVER
    UPGRADE
    IGNORED


@cython.final
cdef class Line:
    cdef readonly bytes data
    cdef readonly int kind
    cdef readonly str value
    cdef readonly long long number


@cython.final
cdef class StatusLine:
    cdef readonly bytes data
    cdef readonly int code


cdef dict _lines
cdef dict _statuses
cdef dict _lengths
cdef bytes _date
cdef long long _date_second

cdef Line line_of(pair)
cdef StatusLine status_line_of(status)
cdef bytes length_line(long long size)
@cython.locals(second=cython.longlong, moment=double)
cdef bytes date_line()
