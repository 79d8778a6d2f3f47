cimport cython

from hubcore._calls cimport call_or, raise_failure, switch_fails
from hubcore._greenlet cimport getcurrent, greenlet, import_greenlet, set_parent, switch_to
from hubcore._park cimport FAILED, TIMED_OUT, WAITING, WOKEN, Waiter, WaiterList, new_waiter
from hubcore._ready cimport ReadyQueue
from hubcore._spawn_site cimport running_code, running_instruction
from hubcore._thread_ident cimport get_ident
from hubcore.loop cimport Loop

cdef enum Phase:
    NEW
    SCHEDULED
    STARTED
    FINISHED


cdef class RawGreenlet(greenlet):
    cdef readonly Scheduler hub
    cdef readonly tuple args
    cdef Waiter _waiter
    cdef list _interrupts
    cdef object _locals
    cdef int _phase
    cdef int _spawn_instruction
    cdef object _target
    cdef object _spawn_code

    cdef _prepare(self, Scheduler hub, target, tuple args)
    cdef _failed(self)
    cpdef forgo(self, exception)


cdef class Scheduler(greenlet):
    cdef readonly Loop loop
    cdef readonly ReadyQueue ready
    cdef readonly WaiterList parked
    cdef readonly greenlet main
    cdef readonly unsigned long thread_ident
    cdef readonly bint destroyed
    cdef Py_ssize_t _batch
    cdef int _budget
    cdef dict _foreign
    cdef dict _foreign_interrupts
    cdef bint _closing

    cdef _set_up(self, Loop loop)
    cpdef Waiter new_waiter(self, object waiting_on)
    @cython.locals(current=greenlet, raw=RawGreenlet)
    cpdef bint park(self, Waiter waiter, timeout=*, bint ref=*) except -1
    @cython.locals(current=greenlet, waiter=Waiter, raw=RawGreenlet)
    cpdef yield_now(self)
    cpdef spend(self)
    @cython.locals(raw=RawGreenlet, waiter=Waiter)
    cpdef interrupt(self, greenlet target, exception)
    cpdef bint retract(self, greenlet target, exception) except -1
    @cython.locals(raw=RawGreenlet)
    cdef list _interrupts_of(self, greenlet target)
    cpdef schedule(self, RawGreenlet new)
    @cython.locals(waiter=Waiter, ready=ReadyQueue)
    cdef Waiter _next(self)
    @cython.locals(ready=ReadyQueue)
    cdef bint _poll(self, bint may_block) except -1
    cdef _thrown_before_its_turn(self, Waiter waiter)
    cdef _thrown(self, greenlet current, Waiter waiter)
    cdef _set_deadline(self, Waiter waiter, timeout, bint ref)
    cdef bint _not_woken(self, greenlet current, Waiter waiter) except -1
    @cython.locals(waiter=Waiter, raw=RawGreenlet, target=greenlet)
    cdef _run_one(self)
    cpdef _nothing_left(self)
    cpdef bint _woken_from_outside(self) except -1
    cdef _raise_interrupt(self, greenlet current)
    @cython.locals(raw=RawGreenlet)
    cdef _take_interrupt(self, greenlet target, Py_ssize_t i)
    @cython.locals(raw=RawGreenlet)
    cdef _note_parked(self, greenlet current, Waiter waiter)
    cdef _may_not_wait(self, greenlet current)

@cython.locals(following=Waiter, target=greenlet)
cdef bint _switch_away(Scheduler hub, Waiter waiter) except -1
