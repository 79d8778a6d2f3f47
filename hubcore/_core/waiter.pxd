cimport cython

from hubcore._core.deadlines cimport Deadline
from hubcore._capi.greenlet cimport greenlet
from hubcore._core.ready_queue cimport ReadyQueue
from hubcore._capi.thread_state cimport get_ident

cdef enum Outcome:
    WAITING
    WOKEN
    TIMED_OUT
    FAILED


cdef class Source:
    cpdef _hand_back(self, WaitEntry entry, value)
    cpdef bint _serve(self, WaitEntry entry, Waiter waiter, bint stay) except -1
    cpdef _conclude(self, WaitEntry entry, value)


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
    @cython.locals(entry=WaitEntry)
    cdef bint _claim(self, int outcome) noexcept
    cdef _make_ready(self)


@cython.final
@cython.freelist(64)
cdef class WaitEntry:
    cdef readonly Source on
    cdef readonly object item
    cdef readonly object purpose
    cdef readonly Waiter waiter
    cdef readonly bint claimed
    cdef WaitEntry _before
    cdef WaitEntry _after
    cdef WaitQueue _queue
    cdef Py_ssize_t _number

    cdef _set(self, Source on, item, purpose)
    cdef bint claim(self, Waiter waiter, value) noexcept
    @cython.locals(queue=WaitQueue)
    cdef leave(self)


cdef class MultiWait:
    cpdef _hand_back(self, value)


@cython.final
cdef class WaitQueue:
    cdef readonly Py_ssize_t count
    cdef Py_ssize_t _added
    cdef WaitEntry _first
    cdef WaitEntry _last

    @cython.locals(last=WaitEntry)
    cdef add(self, WaitEntry entry, Waiter waiter)
    @cython.locals(before=WaitEntry, after=WaitEntry)
    cdef remove(self, WaitEntry entry)
    @cython.locals(waiter=Waiter)
    cdef Waiter claim(self, WaitEntry entry, value)
    @cython.locals(waiter=Waiter)
    cdef bint wake(self, WaitEntry entry, value) except -1
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef WaitEntry first_but(self, Waiter own)
    cdef bint wake_first(self, value) except -1
    @cython.locals(last=Py_ssize_t)
    cdef wake_all(self, value)
    @cython.locals(last=Py_ssize_t, number=Py_ssize_t, waiter=Waiter)
    cdef claim_all(self, value, list claimed)
    @cython.locals(entry=WaitEntry)
    cpdef list entries(self)


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

@cython.locals(entry=WaitEntry)
cdef WaitEntry new_entry(Source on, item, purpose)
