cimport cython

from hubcore._http.headlines cimport (
    CODING,
    CONNECTION,
    DATE,
    IGNORED,
    LENGTH,
    SERVER,
    UPGRADE,
    Line,
    StatusLine,
    date_line,
    length_line,
    line_of,
    status_line_of,
)
from hubcore._http.request cimport Request
from hubcore._http.rules cimport Rules

cdef Py_ssize_t _AT_ONCE


cdef class Response(Request):
    cdef public object result
    cdef public long long response_length
    cdef public bint headers_sent
    cdef public bint close_connection
    cdef public bint connection_upgraded
    cdef public object status
    cdef public int code
    cdef public object response_headers
    cdef public bint response_use_chunked
    cdef public bint provided_date
    cdef public bint provided_server
    cdef public object provided_content_length
    cdef bytes _status_line
    cdef list _head_lines
    cdef long long _declared
    cdef long long _left
    cdef bint _has_body
    cdef bint _complete
    cdef int _hooks
    cdef long long _served

    cdef _no_response(self)
    cdef _no_head(self)
    @cython.locals(line=StatusLine, lines=list, found=Line)
    cdef _begin(self, status, headers)
    cdef _note(self, Line line, int code, list lines)
    @cython.locals(code=int, rules=Rules, head_only=bint, ends=bint, framing=bytes)
    cdef bytes _settle(self, long long total)
    @cython.locals(framing=bytes, lines=list)
    cdef bytes _head_bytes(self, long long total)
    cdef bytes _hooked_head(self, long long total)
    cdef _write(self, data)
    @cython.locals(head=bytes)
    cdef _send_first(self, bytes data, long long total)
    cdef _send_more(self, bytes data)
    @cython.locals(size=bytes)
    cdef _send_joined(self, bytes head, bytes data)
    cdef bytes _cut(self, bytes data)
    cpdef _end_body(self)
