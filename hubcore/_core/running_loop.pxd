cimport cython

from hubcore._capi.deferred_errors cimport call_keeping_failure, switch_fails
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._core.tracing cimport restore_tracing, save_tracing


cdef enum Extra:
    SAVES = 1
    OBSERVED = 2

@cython.final
cdef class PerGreenletState:
    cdef readonly int enabled
    cdef readonly object make_observer

cdef object _get, _set, _swap_task
cdef dict asides

cdef bint _find_functions() except -1
cpdef forget_running_loop()
@cython.locals(aside=tuple, own=greenlet)
cdef bint switch_saving(greenlet target) except -1
@cython.locals(loop=tuple)
cdef bint switch_sharing(greenlet target) except -1
@cython.locals(loop=tuple, tracing=tuple)
cpdef tuple save_state()
cpdef restore_state(tuple aside)
cpdef tuple _stop_loop()
cpdef _run_loop(tuple stopped)
