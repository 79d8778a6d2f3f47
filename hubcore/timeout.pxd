cimport cython

from hubcore._core.deadlines cimport Deadline, TimeLimit
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore.hub cimport Hub, get_hub


cdef class Timeout(TimeLimit):
    cdef public object seconds
    cdef public object exception
    cdef public object ref
    cdef public object priority
    cdef Expiry _expiry
    cdef object __weakref__

    @cython.locals(expiry=Expiry, hub=Hub)
    cpdef start(self)
    @cython.locals(expiry=Expiry)
    cpdef cancel(self)


@cython.final
cdef class Expiry(Deadline):
    cdef Timeout timeout
    cdef readonly greenlet target
    cdef Hub hub
    cdef object raised
