cimport cython

from hubcore._awaitable cimport Waitable, park
from hubcore._greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._locks cimport RLock as _RLock
from hubcore._locks cimport Semaphore
from hubcore._native cimport park_thread, thread_waiter
from hubcore._park cimport WaitEntry, Waiter, new_entry
from hubcore._rawgreenlet cimport RawGreenlet
from hubcore._thread_ident cimport get_ident as native_ident
from hubcore._thread_ident cimport process_ends
from hubcore.hub cimport Hub, hub_here


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
