cimport cython

from hubcore._calls cimport call_keeping_failure, switch_fails
from hubcore._greenlet cimport greenlet, import_greenlet
from hubcore._tracing cimport put_on, take_off


@cython.final
cdef class Notice:
    cdef readonly bint apart

cdef object _get, _set, _swap_task

cdef bint _find_functions() except -1
cpdef forget_running_loop()
@cython.locals(aside=tuple)
cdef bint switch_apart(greenlet target) except -1
@cython.locals(loop=tuple)
cdef bint switch_along(greenlet target) except -1
@cython.locals(loop=tuple, tracing=tuple)
cpdef tuple put_aside()
cpdef put_back(tuple aside)
cpdef tuple _stop_loop()
cpdef _run_loop(tuple stopped)
