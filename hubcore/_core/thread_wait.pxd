cimport cython

from hubcore._capi.greenlet cimport getcurrent, import_greenlet
from hubcore._core.waiter cimport FAILED, TIMED_OUT, WOKEN, Waiter
from hubcore._core.ready_queue cimport ReadyQueue
from hubcore._capi.thread_state cimport a_thread_begins, process_ends


cdef class Bell:
    cdef readonly object lock
    cdef readonly ReadyQueue ready

    cpdef wake(self)

@cython.locals(bell=Bell)
cpdef Waiter thread_waiter(waiting_on)
@cython.locals(bell=Bell)
cpdef bint park_thread(Waiter waiter, timeout=*) except -1
cdef _sleep(Waiter waiter, Bell bell, end)
cpdef bint any_beginning() except -1
