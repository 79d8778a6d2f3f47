cimport cython

from hubcore._park cimport Waiter
from hubcore._rawgreenlet cimport FINISHED, RawGreenlet
from hubcore._thread_ident cimport get_ident


cdef class DirectLink:
    cpdef notify(self, source)


cdef class Linkable(RawGreenlet):
    cdef list _links
    cdef int _lookers

    @cython.locals(fresh=list)
    cdef _add_link(self, link)
    @cython.locals(links=list, i=Py_ssize_t)
    cdef _drop_link(self, link)
    @cython.locals(links=list, others=list, direct=DirectLink, waiter=Waiter)
    cdef _notify(self)
