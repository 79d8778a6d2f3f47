cimport cython

from hubcore._sync.steps cimport count_step_if_patched, count_try_if_patched

from hubcore._sync.waitable cimport Waitable


cdef class Store(Waitable):
    cdef object _items
    cdef object _guard
    cdef list _deferred
    cdef bint _busy

    cdef _set_up_store(self, items)
    cpdef _init(self, maxsize)
    cpdef _create_queue(self, items=*)
    cpdef Py_ssize_t _qsize(self) except -1
    cpdef _put(self, item)
    cpdef _get(self)
    cpdef _peek(self)
    cpdef _restore(self, item)
    @cython.final
    cdef _store(self, item)
    @cython.final
    cdef _take(self)
    cdef _end_turn(self)

cpdef tried(error)
