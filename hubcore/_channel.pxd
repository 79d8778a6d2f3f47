cimport cython

from hubcore._awaitable cimport Awaitable, check_timeout, park, waiter_at
from hubcore._park cimport WAITING, Place, Waiter, WaitQueue, new_place


cdef class Channel(Awaitable):
    cdef WaitQueue _putters
    cdef list _returned

    @cython.locals(place=Place, waiter=Waiter)
    cpdef put(self, item, bint block=*, timeout=*)
    cdef bint _hand_over(self, item) except -1
    cdef bint _join_putters(self, Place place, Waiter waiter) except -1
    @cython.locals(place=Place, waiter=Waiter)
    cpdef get(self, bint block=*, timeout=*)
    @cython.locals(putters=WaitQueue, place=Place)
    cdef _take(self)
    cdef _join_getters(self, Place place, Waiter waiter)
    cdef _offer_again(self, item)
    @cython.locals(other=Place)
    cpdef bint serve(self, Place place, Waiter waiter, bint stay) except -1
