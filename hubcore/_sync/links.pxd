cimport cython

from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport FINISHED, RawGreenlet
from hubcore._capi.thread_state cimport get_ident


cdef class DirectLink:
    cpdef notify(self, source)


cdef key_of(entry)
@cython.locals(some=list)
cdef with_link(links, entry, pair)
@cython.locals(some=list, i=Py_ssize_t)
cdef without_link(links, entry)
@cython.locals(there=list)
cdef add_to(dict table, list pair)
@cython.locals(there=list)
cdef drop_from(dict table, key)
@cython.locals(found=list, times=Py_ssize_t)
cdef list entries_of(links)
@cython.locals(copy=list, table=dict, i=Py_ssize_t)
cdef lengthened(list links)


cdef class Linkable(RawGreenlet):
    cdef object _links
    cdef int _observers

    @cython.locals(fresh=list)
    cdef _add_link(self, link)
    cdef _drop_link(self, link)
    @cython.locals(links=list, others=list, direct=DirectLink, waiter=Waiter)
    cdef _notify(self)
