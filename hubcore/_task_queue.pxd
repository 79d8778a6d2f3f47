cimport cython

from hubcore._awaitable cimport park, waiter_at
from hubcore._park cimport Place, Waiter, WaitQueue, new_place
from hubcore._simple_queue cimport SimpleQueue


cdef class UnboundQueue(SimpleQueue):
    pass


cdef class Queue(SimpleQueue):
    cdef WaitQueue _joiners

    cpdef task_done(self)
    cdef _finish_one(self)
    cdef _tell_joiners(self)
    cdef _shut_and_tell(self, bint immediate)
    @cython.locals(place=Place, waiter=Waiter)
    cpdef bint join(self, timeout=*) except -1
    cdef bint _join_joiners(self, Place place, Waiter waiter) except -1


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
