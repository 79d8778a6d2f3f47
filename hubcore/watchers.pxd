cimport cython

from hubcore._core.deadlines cimport Deadline
from hubcore._core.waiter cimport Waiter
from hubcore._core.ready_queue cimport Callback
from hubcore._core.base_loop cimport BaseLoop

cdef class Watcher:
    cdef readonly BaseLoop loop
    cdef readonly object callback
    cdef readonly object args
    cdef public object priority
    cdef bint _ref
    cdef readonly bint _started
    cdef bint _closed
    cdef bint _pass_events
    cdef Callback _queued

    cpdef _begin(self)
    cpdef _end(self)
    cpdef _queue(self, object events=*)


cdef class FdWatch:
    cdef readonly BaseLoop loop
    cdef readonly int fd
    cdef readonly int mask
    cdef readonly list ios

    cpdef add(self, Io io)
    @cython.locals(mask=int, other=Io)
    cpdef remove(self, Io io)
    @cython.locals(ios=list, io=Io)
    cpdef on_event(self, int events)
    cpdef set_mask(self, int mask)
    cpdef release(self)


@cython.final
cdef class Io(Watcher):
    cdef readonly int fd
    cdef readonly int events
    cdef readonly Waiter waiter
    cdef FdWatch _watch

    cpdef attach(self, Waiter waiter)
    cpdef detach(self, Waiter waiter)
    @cython.locals(waiter=Waiter)
    cpdef on_event(self, int events)
    @cython.locals(loop=BaseLoop, watch=FdWatch)
    cdef _turn_on(self)


@cython.final
cdef class TimerDeadline(Deadline):
    cdef Timer timer


cdef class Timer(Watcher):
    cdef readonly double after
    cdef readonly double repeat
    cdef TimerDeadline _deadline
