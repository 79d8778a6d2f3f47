cimport cython

from hubcore._sync.waitable cimport Waitable, park
from hubcore._sync.steps cimport count_try_if_patched
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._core.waiter cimport WaitEntry, Waiter, WaitQueue
from hubcore._capi.thread_state cimport process_ends
from hubcore._capi.public_names cimport publish


cdef class Semaphore(Waitable):
    cdef Py_ssize_t _counter
    cdef greenlet _owner
    cdef bint _exclusive

    @cython.final
    cdef bint _take(self) except -1
    cdef Waiter _join(self, WaitEntry entry, Waiter waiter)
    @cython.final
    cdef _change(self, Py_ssize_t more)
    cpdef release(self)
    @cython.final
    cdef _give(self)
    @cython.final
    @cython.locals(waiters=WaitQueue, entry=WaitEntry, waiter=Waiter)
    cdef _serve_waiters(self)


cdef class BoundedSemaphore(Semaphore):
    cdef readonly Py_ssize_t _initial_value

    cpdef release(self)


cdef class RLock(Waitable):
    cdef greenlet _owner
    cdef Py_ssize_t _count

    @cython.final
    cdef bint _take(self) except -1
    cdef Waiter _join(self, WaitEntry entry, Waiter waiter)
    @cython.final
    cdef _let_go(self)
    @cython.final
    @cython.locals(waiters=WaitQueue, entry=WaitEntry, waiter=Waiter)
    cdef _serve_waiters(self)

@cython.locals(new=Semaphore)
cpdef Semaphore room_for(number)
