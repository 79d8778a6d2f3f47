cimport cython

from hubcore._sync.waitable cimport Waitable, park
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._sync.locks cimport RLock as _RLock
from hubcore._sync.locks cimport Semaphore
from hubcore._sync.steps cimport count_step, count_try
from hubcore._core.thread_wait cimport park_thread, thread_waiter
from hubcore._core.waiter cimport WaitEntry, Waiter, new_entry
from hubcore._core.raw_greenlet cimport RawGreenlet
from hubcore._capi.thread_state cimport get_ident as native_ident
from hubcore._capi.thread_state cimport process_ends
from hubcore.hub cimport Hub, hub_here
from hubcore._capi.public_names cimport publish

cdef object _NO_LIMIT


@cython.final
cdef class Lock(Semaphore):
    pass


cdef class RLock(_RLock):
    pass

cpdef ident_of(greenlet greenlet)
cdef greenlet _main_of(greenlet greenlet)
cdef _checked(blocking, timeout)
@cython.locals(hub=Hub, entry=WaitEntry, waiter=Waiter, found=Waiter)
cdef bint _wait(Waitable lock, greenlet owner, limit) except -1
