cimport cython

from hubcore._core.deadlines cimport Deadline
from hubcore._core.frame_arena cimport begin_stack
from hubcore._capi.deferred_errors cimport call_or, raise_failure
from hubcore._capi.greenlet cimport greenlet, import_greenlet, set_parent
from hubcore._core.waiter cimport Waiter
from hubcore._capi.frames cimport running_code, running_instruction

cdef enum Phase:
    NEW
    SCHEDULED
    STARTED
    FINISHED


cdef unsigned int _last_serial

cpdef unsigned int next_serial() noexcept


cdef class RawGreenlet(greenlet):
    cdef readonly greenlet hub
    cdef readonly tuple args
    cdef Waiter _waiter
    cdef list _interrupts
    cdef object _scope
    cdef object _locals
    cdef unsigned int _serial
    cdef short _phase
    cdef short _pauses
    cdef int _spawn_instruction
    cdef object _target
    cdef object _spawn_code

    cdef _prepare(self, greenlet hub, target, tuple args)
    cdef unsigned int get_serial(self) noexcept
    cdef _begin(self)
    cdef _failed(self)
    cpdef _finish_unstarted(self, exception)


@cython.final
cdef class StartDeadline(Deadline):
    cdef RawGreenlet greenlet
