cimport cython

from hubcore._deadlines cimport Deadline
from hubcore._greenlet cimport greenlet
from hubcore._ready cimport ReadyQueue
from hubcore._thread_ident cimport get_ident

cdef enum Outcome:
    WAITING
    WOKEN
    TIMED_OUT
    FAILED


@cython.final
cdef class Waiter(Deadline):
    cdef readonly ReadyQueue ready
    cdef readonly greenlet greenlet
    cdef readonly int outcome
    cdef readonly object value
    cdef readonly object waiting_on
    cdef readonly double since
    cdef bint parked
    cdef Waiter _next
    cdef Waiter _previous

    cdef _begin(self, ReadyQueue ready, greenlet greenlet, object waiting_on, double since)
    cpdef bint wake(self, object value=*) except -1
    cpdef bint fail(self, object exception) except -1
    cpdef bint fall_asleep(self) noexcept
    cpdef abandon(self)
    cdef bint _claim(self, int outcome) noexcept
    cdef _make_ready(self)


@cython.final
cdef class WaiterList:
    cdef readonly Py_ssize_t count
    cdef Waiter _first
    cdef Waiter _last

    cdef link(self, Waiter waiter)
    cdef unlink(self, Waiter waiter)

@cython.locals(waiter=Waiter)
cdef Waiter new_waiter(ReadyQueue ready, greenlet greenlet, object waiting_on, double since)
