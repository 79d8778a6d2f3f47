cimport cython

from hubcore.event cimport AsyncResult
from hubcore.hub cimport Hub, hub_here


@cython.final
cdef class Job(AsyncResult):
    cdef readonly object pool
    cdef readonly Hub hub_of_origin
    cdef object _function
    cdef object _args
    cdef object _kwargs
    cdef object _context

    @cython.locals(hub=Hub)
    cpdef submit(self)
    cdef _claim_call(self)
    cpdef _run(self)
