cimport cython

from hubcore._core.deadlines cimport Deadline
from hubcore._capi.greenlet cimport greenlet, import_greenlet
from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport RawGreenlet


cdef class PersistentInterrupt(Deadline):
    cpdef _make_exception(self)


@cython.final
cdef class ForeignState:
    cdef readonly Waiter waiter
    cdef readonly list interrupts
    cdef int pauses
    cdef readonly PersistentInterrupt scope


cdef class InterruptMixin(greenlet):
    cdef dict _foreign
    cdef dict _noted

    cdef _set_up_interrupts(self)
    @cython.locals(waiter=Waiter, waiting=list, alone=list)
    cpdef interrupt(self, greenlet target, exception)
    @cython.locals(waiter=Waiter)
    cpdef interrupt_now(self, greenlet target, exception)
    @cython.locals(i=Py_ssize_t)
    cpdef bint retract(self, greenlet target, exception) except -1
    @cython.locals(waiting=list)
    cpdef take_interrupt(self, greenlet target)
    @cython.locals(waiting=list, waiter=Waiter)
    cpdef set_persistent(self, greenlet target, PersistentInterrupt mark)
    @cython.locals(first=object)
    cdef _pursue(self, greenlet target)
    cdef _next_interrupt(self, greenlet target)
    @cython.locals(waiting=list)
    cdef bint _is_marked(self, greenlet target) except -1
    @cython.locals(own=RawGreenlet, state=ForeignState)
    cdef bint _is_overdue(self, greenlet target) except -1
    @cython.final
    @cython.locals(state=ForeignState, fresh=ForeignState)
    cdef ForeignState _own_state(self, greenlet target)
    @cython.final
    cdef _drop_if_empty(self, greenlet target, ForeignState state)
    @cython.locals(own=RawGreenlet, state=ForeignState)
    cdef list _interrupts_of(self, greenlet target)
    @cython.locals(own=RawGreenlet, state=ForeignState)
    cdef _set_interrupts(self, greenlet target, list waiting)
    @cython.locals(waiting=list)
    cdef _take_interrupt(self, greenlet target, Py_ssize_t i)
    @cython.locals(own=RawGreenlet, state=ForeignState)
    cdef Waiter _waiter_of(self, greenlet target)
    @cython.locals(own=RawGreenlet, state=ForeignState)
    cdef _note_parked(self, greenlet target, Waiter waiter)
    @cython.locals(own=RawGreenlet, state=ForeignState)
    cdef PersistentInterrupt _scope_of(self, greenlet target)
    @cython.locals(own=RawGreenlet, state=ForeignState)
    cdef _set_scope(self, greenlet target, PersistentInterrupt scope)
