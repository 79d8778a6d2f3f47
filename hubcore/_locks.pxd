cimport cython

from hubcore._awaitable cimport Awaitable, park
from hubcore._greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._park cimport Place, Waiter, WaitQueue
from hubcore._thread_ident cimport process_ends


cdef class Semaphore(Awaitable):
    cdef Py_ssize_t _counter
    cdef greenlet _owner
    cdef bint _exclusive

    @cython.final
    cdef bint _take(self) except -1
    cdef Waiter _join(self, Place place, Waiter waiter)
    @cython.final
    cdef _change(self, Py_ssize_t more)
    cpdef release(self)
    @cython.final
    cdef _give(self)
    @cython.final
    @cython.locals(waiters=WaitQueue, place=Place, waiter=Waiter)
    cdef _hand_on(self)


cdef class BoundedSemaphore(Semaphore):
    cdef readonly Py_ssize_t _initial_value

    cpdef release(self)


cdef class RLock(Awaitable):
    cdef greenlet _owner
    cdef Py_ssize_t _count

    @cython.final
    cdef bint _take(self) except -1
    cdef Waiter _join(self, Place place, Waiter waiter)
    @cython.final
    cdef _let_go(self)
    @cython.final
    @cython.locals(waiters=WaitQueue, place=Place, waiter=Waiter)
    cdef _hand_on(self)

@cython.locals(new=Semaphore)
cpdef Semaphore room_for(number)
