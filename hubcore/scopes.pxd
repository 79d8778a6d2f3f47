cimport cython

from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._core.interrupts cimport PersistentInterrupt
from hubcore._core.raw_greenlet cimport RawGreenlet
from hubcore._capi.thread_state cimport get_ident
from hubcore.hub cimport Hub, get_hub
from hubcore._core.base_loop cimport BaseLoop

cdef enum State:
    UNUSED
    ACTIVE
    LEFT
    LOST


@cython.final
cdef class CancelScope(PersistentInterrupt):
    cdef readonly bint cancel_called
    cdef readonly bint cancelled_caught
    cdef readonly object reason
    cdef double _deadline
    cdef double _after
    cdef bint _fails
    cdef bint _shield
    cdef bint _by_deadline
    cdef int _state
    cdef Hub _hub
    cdef greenlet _greenlet
    cdef CancelScope _parent
    cdef set _members
    cdef object __weakref__

    cdef _begin(self, double deadline, double after, bint shield, bint fails)
    @cython.locals(hub=Hub)
    cpdef cancel(self, reason=*)
    cdef _cancel(self, reason)
    cdef _expire(self)
    cdef _enter(self, Hub hub, greenlet current)
    @cython.locals(loop=BaseLoop)
    cdef _schedule(self)
    @cython.locals(hub=Hub, current=greenlet)
    cdef _leave(self)
    @cython.locals(parent=CancelScope, current=greenlet)
    cdef bint _exit(self, value) except -1
    cdef bint _absorb(self, value) except -1
    @cython.locals(hub=Hub, scope=CancelScope)
    cdef _leave_in_disorder(self, greenlet current)
    @cython.locals(found=CancelScope, scope=CancelScope)
    cdef CancelScope _in_effect(self)
    @cython.locals(hub=Hub, each=greenlet)
    cdef _update_marks(self)
    @cython.locals(hub=Hub, group=CancelScope, todo=list, found=list, member=greenlet)
    cdef list _inside(self)
    @cython.locals(hub=Hub, scope=CancelScope, found=list, each=greenlet)
    cdef list _targets(self)
    cpdef _serve_group(self, members)
    cpdef _adopt(self, RawGreenlet task)
    @cython.locals(inner=CancelScope)
    cpdef CancelScope _begin_for(self, RawGreenlet task)
    @cython.locals(scope=PersistentInterrupt, own=CancelScope)
    cpdef _release(self, RawGreenlet task)

@cython.locals(scope=CancelScope)
cdef _mark(Hub hub, greenlet target)
@cython.locals(scope=CancelScope)
cdef _between(Hub hub, greenlet target, CancelScope outer, list found)
cpdef raise_as_it_is(error)
@cython.locals(after=double, scope=CancelScope)
cdef CancelScope _scope_of_seconds(function, seconds, bint shield, bint fails)
@cython.locals(scope=CancelScope)
cdef CancelScope _scope_until(deadline, bint shield, bint fails)
@cython.locals(hub=Hub, scope=CancelScope, earliest=double)
cpdef double current_effective_deadline() except? -1
