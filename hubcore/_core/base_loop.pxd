cimport cython

from hubcore._capi.thread_state cimport get_ident
from hubcore._core.deadlines cimport Deadline, DeadlineHeap
from hubcore._core.observer cimport Observer
from hubcore._core.ready_queue cimport Callback, ReadyQueue

cdef double _FIRST_STRETCH


cdef class BaseLoop:
    cdef readonly ReadyQueue ready
    cdef readonly DeadlineHeap deadlines
    cdef readonly unsigned long thread_ident
    cdef public Py_ssize_t refs
    cdef readonly Py_ssize_t external
    cdef readonly Py_ssize_t jobs
    cdef readonly long long passes
    cdef readonly double slept
    cdef readonly double longest
    cdef readonly list stretches
    cdef readonly bint closed
    cdef readonly bint default
    cdef readonly bint polling
    cdef readonly set watchers
    cdef readonly dict fd_watches
    cdef double patience
    cdef public object error_handler
    cdef public dict _lists
    cdef double _now
    cdef double _polled
    cdef public Py_ssize_t _hooks
    cdef public bint _prepared
    cdef bint _break
    cdef object __weakref__

    cpdef poll(self, double timeout)
    cpdef double clock(self) except? -1
    cpdef spins(self)
    cpdef double update_now(self) except? -1
    cpdef double now(self) except? -1
    cpdef bint alive(self) except -1
    @cython.locals(timeout=double, earliest=double, began=double, ended=double, observer=Observer)
    cpdef run_pass(self, bint block)
    @cython.locals(i=int)
    cdef _count_stretch(self, double seconds)
    cpdef add_deadline(self, Deadline deadline, double after)
    cpdef add_deadline_at(self, Deadline deadline, double at)
    cpdef bint leave_poll(self) except -1
    cpdef check_interruptible(self)
    cpdef begin_job(self)
    cpdef end_job(self)
    cpdef check_thread(self)
    cpdef check_at_rest(self)
    cpdef Callback _queue_callback(self, callback, tuple args)
