cimport cython

from hubcore._sync.waitable cimport check_timeout, park, waiter_at
from hubcore._sync.links cimport DirectLink
from hubcore._core.waiter cimport WAITING, WaitEntry, MultiWait, Waiter, new_entry

cdef unsigned long long _state


@cython.final
cdef class _Readiness(DirectLink):
    cdef object source
    cdef Waiter waiter


@cython.final
cdef class Selection(MultiWait):
    cdef list _cases

    cdef _refuse_both_ways(self)
    @cython.locals(i=Py_ssize_t, k=Py_ssize_t, cases=list)
    cdef _shuffle(self)
    @cython.locals(entry=WaitEntry, only=_Readiness)
    cdef bint attempt(self, Waiter waiter) except -1
    @cython.locals(entry=WaitEntry, only=_Readiness)
    cdef line_up(self, Waiter waiter)
    @cython.locals(entry=WaitEntry, only=_Readiness)
    cdef leave(self)
    cdef give_up(self, Waiter waiter)
    cdef WaitEntry winner(self)
    @cython.locals(entry=WaitEntry, only=_Readiness)
    cdef result(self, Waiter waiter)

cdef _case_of(case)
