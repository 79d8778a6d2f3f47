cimport cython

from hubcore._sync.waitable cimport Waitable, park
from hubcore._capi.greenlet cimport import_greenlet
from hubcore._core.waiter cimport WaitEntry, Waiter


cdef class Event(Waitable):
    cdef bint _flag

    cdef _raise_flag(self, list claimed)
    cdef Waiter _join(self, WaitEntry entry, Waiter waiter)


cdef class AsyncResult(Waitable):
    cdef object _value
    cdef object _exception
    cdef object _exc_info
    cdef bint _is_ready
    cdef bint _looked

    cdef _settle(self, value, exception, exc_info)
    cdef _take_over(self, value, exception, exc_info, list claimed)
    cdef _wait_or_raise(self, bint block, timeout)
    @cython.locals(waiter=Waiter)
    cdef bint _wait(self, timeout) except -1
    cdef Waiter _join(self, WaitEntry entry, Waiter waiter)
