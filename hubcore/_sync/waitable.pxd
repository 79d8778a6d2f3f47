cimport cython

from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._sync.links cimport DirectLink, HubLink, LinkTable, entries_of, notified
from hubcore._core.thread_wait cimport park_thread, thread_waiter
from hubcore._core.waiter cimport WOKEN, WaitEntry, Source, Waiter, WaitQueue, new_entry
from hubcore._capi.thread_state cimport process_ends
from hubcore.hub cimport Hub, hub_here


cdef class Waitable(Source):
    cdef WaitQueue _waiters
    cdef LinkTable _links
    cdef object __weakref__

    cdef _set_up(self)
    @cython.final
    @cython.locals(entry=WaitEntry)
    cdef Waiter _queue_up(self, item)
    cdef Waiter _join(self, WaitEntry entry, Waiter waiter)
    @cython.locals(fresh=LinkTable)
    cdef _add_link(self, HubLink link)
    @cython.locals(at=Py_ssize_t, links=list, link=HubLink, waiter=Waiter)
    cdef _notify_links(self, list claimed=*)
    cdef _notify_link(self, HubLink link)
    cdef bint _drop_link(self, HubLink link) except -1
    cpdef _call_link(self, HubLink link)

@cython.locals(hub=Hub)
cpdef Waiter waiter_at(entry)
@cython.locals(hub=Hub)
cpdef bint park(Waiter waiter, timeout) except -1
cdef bint _is_over(Waiter waiter, timeout) except -1
cpdef check_timeout(timeout)
@cython.locals(hub=Hub)
cpdef double now() except? -1
