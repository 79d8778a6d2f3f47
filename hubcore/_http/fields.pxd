cimport cython

cdef enum Kind:
    ORDINARY
    HOST
    LENGTH
    CODING
    CONNECTION
    EXPECT
    UPGRADE
    UNDERSCORE
    DROPPED

cdef enum HeaderMap:
    DROP
    REFUSE
    DANGEROUS


@cython.final
cdef class Field:
    cdef readonly str key
    cdef readonly int kind


cdef dict _known, _nothing


@cython.final
cdef class Head:
    cdef readonly dict environ
    cdef readonly bytes target
    cdef readonly bytes host
    cdef readonly bytes length
    cdef readonly bytes coding
    cdef readonly str connection
    cdef readonly str expect
    cdef readonly str upgrade
    cdef readonly int complete
    cdef readonly int status
    cdef readonly str reason
    cdef int header_map
    cdef bint _noted

    cpdef begin(self, dict environ, int header_map)
    cpdef end(self)
    cpdef on_url(self, bytes target)
    cpdef on_headers_complete(self)
    @cython.locals(field=Field, size=Py_ssize_t, environ=dict, text=str, earlier=object)
    cpdef on_header(self, bytes name, bytes value)
    cdef bint _note(self, int kind, bytes name, bytes value, str text) except -1
    cdef _refuse(self, int status, str reason)
