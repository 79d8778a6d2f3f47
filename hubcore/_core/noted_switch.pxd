cimport cython

from hubcore._capi.deferred_errors cimport call_keeping_failure, switch_fails
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._core.observer cimport Observer
from hubcore._core.ready_queue cimport ReadyQueue
from hubcore._core.running_loop cimport SAVES, PerGreenletState, forget_running_loop, switch_saving, switch_sharing

cdef PerGreenletState _state

@cython.locals(observer=Observer)
cdef note_leaving(ReadyQueue queue, waiter)
@cython.locals(observer=Observer, untyped=object)
cdef note_return(ReadyQueue queue, bint failed)
@cython.locals(observer=Observer)
cdef note_turn(ReadyQueue queue)
@cython.locals(observer=Observer)
cdef note_spawn(ReadyQueue queue, greenlet new)
@cython.locals(observer=Observer)
cdef note_beginning(ReadyQueue queue, greenlet new)
@cython.locals(observer=Observer)
cdef note_unrun(ReadyQueue queue, greenlet new)
@cython.locals(failed=bint)
cdef bint switch_noting(ReadyQueue queue, greenlet target) except -1
@cython.locals(observer=Observer, failed=bint)
cdef bint begin_noting(ReadyQueue queue, greenlet new) except -1
