cimport cython

from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport FINISHED, RawGreenlet
from hubcore._capi.thread_state cimport get_ident
from hubcore._capi.public_names cimport publish
from hubcore._capi.frames cimport running_code, running_instruction


cdef class DirectLink:
    cpdef notify(self, source)


cdef class GroupLink(DirectLink):
    cpdef notify_last(self, source)


@cython.final
cdef class HubLink:
    cdef readonly object callback
    cdef readonly object hub
    cdef Py_ssize_t number
    cdef bint queued


@cython.locals(link=HubLink)
cdef key_of(entry)


cdef class LinkTable:
    cdef list _entries
    cdef dict _pairs
    cdef bint _taken
    cdef bint all_queued

    @cython.locals(found=list, times=Py_ssize_t)
    cpdef list entries(self)
    @cython.locals(pair=list, there=list, entries=list)
    cpdef bint add(self, entry) except -1
    @cython.locals(entries=list, i=Py_ssize_t)
    cpdef bint remove(self, entry) except -1
    @cython.locals(entries=list, entry=HubLink, i=Py_ssize_t)
    cpdef bint remove_direct(self, DirectLink callback) except -1
    cpdef list take(self)
    @cython.locals(there=list)
    cdef bint _remove_key(self, key) except -1
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
    cdef bint _drop_link(self, link) except -1
    @cython.locals(table=LinkTable, groups=list, group=GroupLink)
    cdef _notify(self)
    @cython.locals(group=GroupLink)
    cdef _notify_late(self, link)
    cdef _queue_link(self, link)
