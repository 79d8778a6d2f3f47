cimport cython

from hubcore._sync.waitable cimport park, waiter_at
from hubcore._capi.callables cimport may_be_async
from hubcore._capi.deferred_errors cimport call_or, raise_failure
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._sync.links cimport Linkable
from hubcore._core.waiter cimport Waiter
from hubcore._core.raw_greenlet cimport FINISHED, NEW, SCHEDULED, STARTED, StartDeadline
from hubcore._core.scheduler cimport Scheduler
from hubcore._capi.thread_state cimport get_ident
from hubcore.hub cimport Hub, get_hub


cdef class Greenlet(Linkable):
    cdef object _kwargs
    cdef readonly object spawning_greenlet
    cdef readonly object value
    cdef readonly object exception
    cdef public object task_group
    cdef readonly dict _tree_locals
    cdef object _traceback
    cdef object _name
    cdef object _spawn_stack
    cdef StartDeadline _start_deadline
    cdef bint _started
    cdef bint _successful
    cdef bint _killed

    @cython.locals(hub=Hub, parent=Greenlet)
    cdef _set_up(self, run, tuple args, kwargs)
    cdef _succeed(self, result)
    cdef _fail_with_what_is_set(self)
    cdef _fail(self, exception)
    cdef _finish(self)
    @cython.locals(hub=Scheduler)
    cpdef start(self)
    cpdef bint ready(self) except -1
    @cython.locals(waiter=Waiter)
    cdef bint _join(self, timeout) except -1

cdef dict _living_idents
cdef list _free_idents
cdef object _push_ident

@cython.locals(new=Greenlet)
cdef Greenlet _spawn(cls, run, tuple args, kwargs)
