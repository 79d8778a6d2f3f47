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


cdef class Source:
    cpdef hand_back(self, Place place, value)
    cpdef bint serve(self, Place place, Waiter waiter, bint stay) except -1
    cpdef conclude(self, Place place, value)


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
    cpdef bint overrule(self, exception) except -1
    cpdef bint fall_asleep(self) noexcept
    cdef resume(self)
    cpdef abandon(self)
    cdef _hand_back(self)
    @cython.locals(place=Place)
    cdef bint _claim(self, int outcome) noexcept
    cdef _make_ready(self)


@cython.final
@cython.freelist(64)
cdef class Place:
    cdef readonly Source on
    cdef readonly object item
    cdef readonly object purpose
    cdef readonly Waiter waiter
    cdef readonly bint won
    cdef Place _before
    cdef Place _after
    cdef WaitQueue _queue
    cdef Py_ssize_t _number

    cdef _set(self, Source on, item, purpose)
    cdef bint win(self, Waiter waiter, value) noexcept
    @cython.locals(queue=WaitQueue)
    cdef leave(self)


cdef class Places:
    cpdef hand_back(self, value)


@cython.final
cdef class WaitQueue:
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _added
    cdef Place _first
    cdef Place _last

    @cython.locals(last=Place)
    cdef add(self, Place place, Waiter waiter)
    @cython.locals(before=Place, after=Place)
    cdef remove(self, Place place)
    @cython.locals(waiter=Waiter)
    cdef Waiter claim(self, Place place, value)
    @cython.locals(waiter=Waiter)
    cdef bint wake(self, Place place, value) except -1
    @cython.locals(place=Place, waiter=Waiter)
    cdef Place first_but(self, Waiter own)
    cdef bint wake_first(self, value) except -1
    @cython.locals(last=Py_ssize_t)
    cdef wake_all(self, value)
    @cython.locals(place=Place)
    cpdef list places(self)


@cython.final
cdef class WaiterList:
    cdef readonly Py_ssize_t count
    cdef Waiter _first
    cdef Waiter _last

    cdef link(self, Waiter waiter)
    cdef unlink(self, Waiter waiter)
    @cython.locals(found=list, waiter=Waiter)
    cpdef list snapshot(self)

@cython.locals(waiter=Waiter)
cdef Waiter new_waiter(ReadyQueue ready, greenlet greenlet, object waiting_on, double since)

@cython.locals(place=Place)
cdef Place new_place(Source on, item, purpose)
