from hubcore._sync.steps cimport count_step
from hubcore.event cimport Event


cdef class ThreadEvent(Event):
    pass
