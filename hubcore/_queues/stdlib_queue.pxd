from hubcore._core.waiter cimport WaitQueue
from hubcore._sync.steps cimport count_step_if_patched
from hubcore._queues.joinable_queue cimport Queue as _Queue


cdef class Queue(_Queue):
    cdef object _given
    cdef object _own_flag

    cpdef _init(self, maxsize)
    cdef Py_ssize_t _bound_for(self, maxsize) except? -2


cdef class LifoQueue(Queue):
    cpdef _create_queue(self, items=*)
    cpdef _get(self)
    cpdef _peek(self)
    cpdef _restore(self, item)


cdef class PriorityQueue(Queue):
    cpdef _create_queue(self, items=*)
    cpdef _put(self, item)
    cpdef _get(self)
    cpdef _restore(self, item)
