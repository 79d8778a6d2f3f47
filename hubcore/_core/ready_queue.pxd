cimport cython

from hubcore._capi.refcount cimport put_item, take_item
from hubcore._capi.public_names cimport publish
from hubcore._core.observer cimport Observer


@cython.final
cdef class Callback:
    cdef readonly object callback
    cdef readonly tuple args
    cdef readonly object source

    cpdef run(self)


@cython.final
cdef class ReadyQueue:
    cdef readonly Py_ssize_t count
    cdef readonly unsigned long thread_ident
    cdef list _ring
    cdef Py_ssize_t _mask
    cdef Py_ssize_t _limit
    cdef object _listener
    cdef readonly Observer observer
    cdef bint _moving
    cdef Py_ssize_t _head
    cdef object _loop
    cdef object _inbox
    cdef public object picker
    cdef bint _keep_first

    cpdef push(self, object entry)
    cpdef push_first(self, object entry)
    cpdef push_threadsafe(self, object entry)
    cpdef bint is_empty(self) except -1
    cpdef object pop(self)
    @cython.locals(picked=Py_ssize_t, i=Py_ssize_t)
    cdef _bring_forward(self)
    @cython.locals(n=Py_ssize_t)
    cpdef Py_ssize_t drain_inbox(self) except -1
    cpdef listen(self, listener)
    cpdef observe(self, Observer observer)
    cdef _set_limit(self)
    cdef _make_room(self)
    @cython.locals(old=list, new=list, size=Py_ssize_t, i=Py_ssize_t)
    cdef _grow(self)
    @cython.locals(found=list, i=Py_ssize_t)
    cpdef list snapshot(self)
