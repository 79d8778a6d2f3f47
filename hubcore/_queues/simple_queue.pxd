cimport cython

from hubcore._sync.waitable cimport check_timeout, park, waiter_at
from hubcore._core.waiter cimport WAITING, WaitEntry, Waiter, WaitQueue, new_entry
from hubcore._queues.store cimport Store, tried
from hubcore._capi.public_names cimport publish
from hubcore._sync.steps cimport count_step_if_patched

# C variables, because every wait reads one of them.
cdef object GET
cdef object PUT


cdef class SimpleQueue(Store):
    cdef WaitQueue _putters
    cdef Py_ssize_t _bound
    cdef Py_ssize_t _unfinished
    cdef bint _shut_down
    cdef object _conditions

    cdef _begin(self, maxsize, items)
    cdef Py_ssize_t _bound_for(self, maxsize) except? -2
    @cython.final
    cdef bint _try_put(self, item) except -1
    @cython.final
    cdef bint _offer_guarded(self, item) except -1
    @cython.final
    cdef bint _has_room(self) except -1
    @cython.final
    cdef _deliver(self, item)
    @cython.final
    @cython.locals(waiters=WaitQueue, entry=WaitEntry, only_looks=bint)
    cdef bint _hand_over(self, item) except -1
    @cython.final
    @cython.locals(waiters=WaitQueue, entry=WaitEntry, waiter=Waiter)
    cdef _serve_getters(self)
    @cython.final
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef _put_later(self, item, timeout)
    @cython.final
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef _put_exclusively(self, item, bint block, timeout)
    @cython.final
    cdef _end_put(self, Waiter waiter)
    @cython.final
    cdef bint _join_putters(self, WaitEntry entry, Waiter waiter) except -1
    @cython.final
    @cython.locals(putters=WaitQueue, entry=WaitEntry, waiter=Waiter)
    cdef _serve_putters(self)
    @cython.final
    cdef _take_and_admit(self)
    @cython.final
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef _get_later(self, purpose, bint block, timeout)
    @cython.final
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef _get_exclusively(self, bint block, timeout)
    @cython.final
    cdef _end_get(self, Waiter waiter, timeout)
    @cython.final
    cdef _join_getters(self, WaitEntry entry, Waiter waiter)
    cdef _take_back(self, item)
    cpdef bint _serve(self, WaitEntry entry, Waiter waiter, bint stay) except -1
    cdef bint _serve_putter(self, WaitEntry entry, Waiter waiter, bint stay) except -1
    cpdef _conclude(self, WaitEntry entry, value)
    cdef _raise_shut_down(self, bint getting)
    cdef _satisfy(self)
    cdef _shut(self, bint immediate)
