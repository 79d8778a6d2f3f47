cimport cython

from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport FINISHED, RawGreenlet
from hubcore._capi.thread_state cimport get_ident
from hubcore._capi.public_names cimport publish


cdef class DirectLink:
    cpdef notify(self, source)


cdef key_of(entry)


cdef class LinkTable:
    cdef list _entries
    cdef dict _pairs
    cdef bint _taken

    @cython.locals(found=list, times=Py_ssize_t)
    cpdef list entries(self)
    @cython.locals(pair=list, there=list, entries=list)
    cpdef bint add(self, entry) except -1
    @cython.locals(entries=list, i=Py_ssize_t)
    cpdef remove(self, entry)
    @cython.locals(entries=list, entry=tuple, i=Py_ssize_t)
    cpdef remove_direct(self, DirectLink callback)
    cpdef list take(self)
    @cython.locals(there=list)
    cdef _remove_key(self, key)
    @cython.locals(before=list, copy=list, pairs=dict, pair=list, there=list, i=Py_ssize_t)
    cdef _make_pairs(self)


@cython.locals(waiter=Waiter, direct=DirectLink)
cdef bint notified(link, source) except -1
cdef list entries_of(LinkTable links)


cdef class Linkable(RawGreenlet):
    cdef LinkTable _links
    cdef int _observers

    @cython.locals(fresh=LinkTable)
    cdef _add_link(self, link)
    cdef _drop_link(self, link)
    @cython.locals(links=LinkTable, others=LinkTable, added=LinkTable)
    cdef _notify(self)
