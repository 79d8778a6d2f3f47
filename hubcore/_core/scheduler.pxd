cimport cython

from hubcore._capi.deferred_errors cimport call_keeping_failure, raise_failure, switch_fails
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet, set_parent, switch_to
from hubcore._core.interrupts cimport ForeignState, InterruptMixin
from hubcore._core.coverage_tracer cimport is_measured
from hubcore._core.waiter cimport FAILED, TIMED_OUT, WAITING, WOKEN, Waiter, WaiterList, new_waiter
from hubcore._core.raw_greenlet cimport NEW, SCHEDULED, RawGreenlet
from hubcore._core.ready_queue cimport ReadyQueue
from hubcore._capi.refcount cimport is_last_reference
from hubcore._core.noted_switch cimport begin_noting, note_beginning, note_leaving, note_return, note_spawn, note_turn
from hubcore._core.noted_switch cimport note_unrun, switch_noting
from hubcore._core.running_loop cimport OBSERVED, PerGreenletState, restore_state, save_state
from hubcore._capi.thread_state cimport get_ident
from hubcore._core.base_loop cimport BaseLoop

cdef int _BUDGET, _OPERATION

cdef class Scheduler(InterruptMixin):
    cdef readonly BaseLoop loop
    cdef readonly ReadyQueue ready
    cdef readonly WaiterList parked
    cdef readonly greenlet main
    cdef readonly unsigned long thread_ident
    cdef readonly bint destroyed
    cdef Py_ssize_t _batch
    cdef readonly Py_ssize_t whole_batch
    cdef readonly long long ran
    cdef readonly long long started
    cdef Py_ssize_t _smallest_batch
    cdef int _budget
    cdef int _whole_budget
    cdef int _closing
    cdef object _forking_pid
    cdef PerGreenletState _per_greenlet
    cdef Waiter _spare

    cdef _set_up(self, BaseLoop loop)
    cpdef Waiter new_waiter(self, object waiting_on)
    @cython.locals(current=greenlet, raw=RawGreenlet, state=ForeignState)
    cpdef bint park(self, Waiter waiter, timeout=*, bint ref=*) except -1
    @cython.locals(current=greenlet, waiter=Waiter, raw=RawGreenlet)
    cpdef yield_now(self)
    @cython.locals(waiter=Waiter)
    cdef Waiter _queue_up(self, greenlet current)
    cpdef spend(self)
    @cython.final
    @cython.locals(waiter=Waiter)
    cdef _let_others_run(self, greenlet current)
    cpdef schedule(self, RawGreenlet new)
    @cython.locals(waiter=Waiter, budget=cython.int)
    cpdef run_now(self, RawGreenlet new)
    cpdef run_from_hub(self, RawGreenlet new)
    cdef _start(self, RawGreenlet raw)
    @cython.locals(waiter=Waiter, ready=ReadyQueue)
    cdef Waiter _next(self)
    @cython.locals(ready=ReadyQueue)
    cdef bint _poll(self, bint may_block) except -1
    cdef _thrown_before_its_turn(self, Waiter waiter)
    cdef _thrown(self, greenlet current, Waiter waiter)
    cdef _set_deadline(self, Waiter waiter, timeout, bint ref)
    cdef _park_within(self, Waiter waiter, limit)
    cdef bint _not_woken(self, greenlet current, Waiter waiter) except -1
    @cython.locals(waiter=Waiter, raw=RawGreenlet, target=greenlet)
    cdef _run_one(self)
    cpdef _nothing_left(self)
    cpdef bint _woken_from_outside(self) except -1
    cdef _pursue(self, greenlet target)
    cdef _pursue_above(self, greenlet current)
    cdef _raise_interrupt(self, greenlet current)
    @cython.locals(waiter=Waiter)
    cdef _take_turn(self, greenlet current)
    @cython.final
    cdef bint _is_in_doubt(self, greenlet current) except -1
    @cython.final
    @cython.locals(state=ForeignState)
    cdef bint _is_interrupted(self, greenlet current, RawGreenlet raw) except -1
    cdef _check_may_wait(self, greenlet current, Waiter waiter)

@cython.locals(following=Waiter, target=greenlet, failed=bint)
cdef bint _switch_away(Scheduler hub, Waiter waiter) except -1

cdef bint _after_switch(bint failed) noexcept
