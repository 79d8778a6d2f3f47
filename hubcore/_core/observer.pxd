cdef class Observer:
    cdef public bint calling

    cpdef pushed(self, entry, bint from_outside)
    cpdef left(self, waiter)
    cpdef resumed(self, current)
    cpdef begins(self, new)
    cpdef hub_runs(self)
    cpdef never_ran(self, new)
    cpdef polls(self, double timeout)
    cpdef polled(self)
    cpdef pass_over(self)
