cimport cython

from hubcore._core.deadlines cimport Deadline
from hubcore._core.raw_greenlet cimport RawGreenlet


@cython.final
cdef class StartDeadline(Deadline):
    cdef RawGreenlet greenlet
