cimport cython

from hubcore._capi.callables cimport may_be_async
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._capi.mutable_types cimport make_mutable
from hubcore._capi.refcount cimport hide_from_collector
from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport RawGreenlet
from hubcore._core.scheduler cimport Scheduler
from hubcore._capi.thread_state cimport get_ident


cdef class Hub(Scheduler):
    cdef public object name
    cdef public object exception_stream
    cdef public object periodic_monitoring_thread
    cdef readonly list _joiners
    cdef bint _orphaned
    cdef int _status

    @cython.locals(waiter=Waiter, joiner=Waiter)
    cpdef _nothing_left(self)

cdef Hub _cached_hub

@cython.locals(hub=Hub)
cpdef Hub get_hub()
@cython.locals(hub=Hub)
cdef Hub hub_here()
@cython.locals(hub=Hub)
cdef _sleep(seconds, ref)


cdef class _Cleaner:
    cdef unsigned long ident
