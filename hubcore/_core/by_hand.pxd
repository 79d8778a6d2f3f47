from hubcore._capi.greenlet cimport greenlet, import_greenlet
from hubcore._core.interrupts cimport InterruptMixin
from hubcore._core.raw_greenlet cimport RawGreenlet
from hubcore._core.running_loop cimport asides, restore_state

cpdef reach(InterruptMixin hub, greenlet target)
cdef _end(InterruptMixin hub, greenlet descendant, greenlet target)
cdef bint _descends(each, greenlet ancestor, greenlet end) except -1
