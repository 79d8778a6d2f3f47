cimport cython

from hubcore._awaitable cimport Awaitable, park, waiter_at
from hubcore._park cimport Place, Waiter, WaitQueue, new_place


cdef class Channel(Awaitable):
    cdef WaitQueue _putters
    cdef list _returned

    @cython.locals(place=Place, waiter=Waiter)
    cpdef put(self, item, bint block=*, timeout=*)
    cdef bint _join_putters(self, Place place, Waiter waiter) except -1
    @cython.locals(place=Place, waiter=Waiter)
    cpdef get(self, bint block=*, timeout=*)
    @cython.locals(putters=WaitQueue, place=Place)
    cdef _take(self)
    cdef _join_getters(self, Place place, Waiter waiter)
    cdef _offer_again(self, item)
