cimport cython

from hubcore._awaitable cimport Awaitable, park, waiter_at
from hubcore._park cimport WAITING, Place, Waiter, WaitQueue, new_place


cdef class SimpleQueue(Awaitable):
    cdef object _items
    cdef object _guard
    cdef list _late
    cdef WaitQueue _putters
    cdef Py_ssize_t _bound
    cdef Py_ssize_t _unfinished
    cdef bint _busy
    cdef bint _shut_down

    cdef _begin(self, maxsize, items)
    cpdef _init(self, maxsize)
    cpdef _create_queue(self, items=*)
    cpdef Py_ssize_t _qsize(self) except -1
    cpdef _put(self, item)
    cpdef _get(self)
    cpdef _peek(self)
    cpdef _restore(self, item)
    cdef _store(self, item)
    cdef _take(self)
    cdef _end_turn(self)
    cdef bint _offer(self, item) except -1
    cdef _accept(self, item)
    @cython.locals(waiters=WaitQueue, place=Place, only_looks=bint)
    cdef bint _hand_over(self, item) except -1
    @cython.locals(waiters=WaitQueue, place=Place)
    cdef _feed(self)
    @cython.locals(place=Place, waiter=Waiter)
    cdef _put_later(self, item, timeout)
    cdef bint _join_putters(self, Place place, Waiter waiter) except -1
    @cython.locals(putters=WaitQueue, place=Place, waiter=Waiter)
    cdef _admit(self)
    cdef _take_and_admit(self)
    @cython.locals(place=Place, waiter=Waiter)
    cdef _get_later(self, purpose, bint block, timeout)
    cdef _join_getters(self, Place place, Waiter waiter)
    cdef _take_back(self, item)
    cpdef bint serve(self, Place place, Waiter waiter, bint stay) except -1
    cdef bint _serve_putter(self, Place place, Waiter waiter, bint stay) except -1
    cpdef conclude(self, Place place, value)
    cdef _raise_shut_down(self, bint getting)
    cdef _shut(self, bint immediate)
