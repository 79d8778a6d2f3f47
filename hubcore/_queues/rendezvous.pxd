cimport cython

from hubcore._sync.waitable cimport Waitable, check_timeout, park, waiter_at
from hubcore._core.waiter cimport WAITING, WaitEntry, Waiter, WaitQueue, new_entry
from hubcore._capi.public_names cimport publish


cdef class Channel(Waitable):
    cdef WaitQueue _putters
    cdef list _returned

    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cpdef put(self, item, bint block=*, timeout=*)
    cdef bint _hand_over(self, item) except -1
    cdef bint _join_putters(self, WaitEntry entry, Waiter waiter) except -1
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cpdef get(self, bint block=*, timeout=*)
    @cython.locals(putters=WaitQueue, entry=WaitEntry)
    cdef _take(self)
    cdef _join_getters(self, WaitEntry entry, Waiter waiter)
    cdef _offer_again(self, item)
    @cython.locals(other=WaitEntry)
    cpdef bint _serve(self, WaitEntry entry, Waiter waiter, bint stay) except -1
