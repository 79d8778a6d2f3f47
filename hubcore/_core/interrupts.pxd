cimport cython

from hubcore._core.deadlines cimport Deadline
from hubcore._capi.greenlet cimport greenlet, import_greenlet
from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport RawGreenlet


cdef class PersistentInterrupt(Deadline):
    cpdef exception(self)


cdef class InterruptMixin(greenlet):
    cdef dict _foreign
    cdef dict _foreign_interrupts
    cdef dict _foreign_scopes

    cdef _set_up_interrupts(self)
    @cython.locals(waiter=Waiter, waiting=list, alone=list)
    cpdef interrupt(self, greenlet target, exception)
    @cython.locals(waiter=Waiter)
    cpdef interrupt_now(self, greenlet target, exception)
    @cython.locals(i=Py_ssize_t)
    cpdef bint retract(self, greenlet target, exception) except -1
    @cython.locals(waiting=list, waiter=Waiter)
    cpdef set_persistent(self, greenlet target, PersistentInterrupt mark)
    @cython.locals(first=object)
    cdef _next_interrupt(self, greenlet target)
    @cython.locals(waiting=list)
    cdef bint _is_marked(self, greenlet target) except -1
    @cython.locals(own=RawGreenlet)
    cdef list _interrupts_of(self, greenlet target)
    @cython.locals(own=RawGreenlet)
    cdef _set_interrupts(self, greenlet target, list waiting)
    @cython.locals(waiting=list)
    cdef _take_interrupt(self, greenlet target, Py_ssize_t i)
    @cython.locals(own=RawGreenlet)
    cdef Waiter _waiter_of(self, greenlet target)
    @cython.locals(own=RawGreenlet)
    cdef _note_parked(self, greenlet target, Waiter waiter)
    @cython.locals(own=RawGreenlet)
    cdef PersistentInterrupt _scope_of(self, greenlet target)
    @cython.locals(own=RawGreenlet)
    cdef _set_scope(self, greenlet target, PersistentInterrupt scope)
