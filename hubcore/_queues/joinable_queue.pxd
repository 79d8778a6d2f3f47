cimport cython

from hubcore._sync.waitable cimport park, waiter_at
from hubcore._core.waiter cimport WaitEntry, Waiter, WaitQueue, new_entry
from hubcore._queues.simple_queue cimport SimpleQueue
from hubcore._capi.public_names cimport publish


cdef class UnboundQueue(SimpleQueue):
    pass


cdef class Queue(SimpleQueue):
    cdef WaitQueue _joiners

    cpdef task_done(self)
    cdef _finish_one(self)
    cdef _tell_joiners(self)
    cdef _shut_and_tell(self, bint immediate)
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cpdef bint join(self, timeout=*) except -1
    cdef bint _join_joiners(self, WaitEntry entry, Waiter waiter) except -1


cdef class JoinableQueue(Queue):
    pass


cdef class LifoQueue(Queue):
    cpdef _create_queue(self, items=*)
    cpdef _put(self, item)
    cpdef _get(self)
    cpdef _peek(self)
    cpdef _restore(self, item)


cdef class PriorityQueue(Queue):
    cpdef _create_queue(self, items=*)
    cpdef _put(self, item)
    cpdef _get(self)
    cpdef _peek(self)
    cpdef _restore(self, item)
