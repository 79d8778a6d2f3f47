cimport cython


cdef class Deadline:
    cdef readonly double at
    cdef readonly bint ref
    cdef long long _order
    cdef Py_ssize_t _place      # index in the heap plus one: the zero of a new object means "in no heap"

    cpdef _fire(self, double now)


cdef class TimeLimit(BaseException):
    pass


cpdef ended_by(timeout, otherwise)


@cython.final
cdef class DeadlineHeap:
    cdef readonly Py_ssize_t refs
    cdef list _heap
    cdef long long _next_order

    cpdef add(self, Deadline deadline, double at)
    @cython.locals(i=Py_ssize_t, last=Deadline)
    cpdef remove(self, Deadline deadline)
    cpdef set_ref(self, Deadline deadline, bint ref)
    @cython.locals(first=Deadline)
    cpdef double earliest(self) except? -1
    @cython.locals(found=list)
    cpdef list snapshot(self)
    @cython.locals(last=cython.longlong, first=Deadline)
    cpdef fire_due(self, double now)
    @cython.locals(heap=list, parent=Py_ssize_t, other=Deadline)
    cdef _rise(self, Deadline deadline, Py_ssize_t i)
    @cython.locals(heap=list, n=Py_ssize_t, child=Py_ssize_t, end=Py_ssize_t, best=Py_ssize_t, candidate=Deadline, chosen=Deadline)
    cdef _sink(self, Deadline deadline, Py_ssize_t i)
