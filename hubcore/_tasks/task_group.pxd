cimport cython

from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._sync.links cimport GroupLink
from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport NEW
from hubcore.greenlet cimport Greenlet
from hubcore.hub cimport Hub, get_hub
from hubcore.scopes cimport CancelScope, raise_as_it_is
from hubcore._capi.public_names cimport publish

cdef enum State:
    UNOPENED
    OPEN
    CLOSED


cdef class TaskGroup(GroupLink):
    cdef readonly CancelScope cancel_scope
    cdef set _tasks
    cdef list _failures
    cdef dict _starting
    cdef Waiter _waiter
    cdef greenlet _host
    cdef Hub _hub
    cdef int _state
    cdef object __weakref__

    @cython.locals(waiter=Waiter, task=Greenlet)
    cdef _start(self, function, tuple args, dict kwargs)
    @cython.locals(task=Greenlet)
    cdef Greenlet _add(self, function, tuple args, dict kwargs, Waiter starter)
    @cython.locals(starter=Waiter)
    cpdef _has_started(self, Greenlet task, value)
    @cython.locals(scope=CancelScope)
    cdef _give_up(self, Greenlet task)
    cdef _check_open(self)
    @cython.locals(task=Greenlet, starter=Waiter)
    cpdef notify_last(self, source)
    cdef _note_failure(self, Greenlet task)
    cdef _forget(self, Greenlet task)
    @cython.locals(hub=Hub, current=greenlet)
    cdef _open(self)
    @cython.locals(scope=CancelScope, task=Greenlet)
    cdef bint _close(self, body) except -1
    cdef _wait(self, body)
    @cython.locals(hub=Hub)
    cdef _wait_once(self)
    cdef _outcome(self, body, interrupt)
    cdef _grouped(self, failures)


cdef class Supervisor(TaskGroup):
    pass
