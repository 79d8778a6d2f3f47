cimport cython

from hubcore._sync.waitable cimport now, park, waiter_at
from hubcore._capi.greenlet cimport import_greenlet
from hubcore._core.waiter cimport WaitEntry, Source, Waiter, WaitQueue, new_entry
from hubcore._capi.public_names cimport publish


cdef class Condition(Source):
    cdef readonly object acquire
    cdef readonly object release
    cdef object _lock
    cdef WaitQueue _waiters
    cdef object __weakref__

    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cpdef wait(self, timeout=*)
    cpdef _wake(self, Py_ssize_t n)
    cpdef _wake_all(self)
