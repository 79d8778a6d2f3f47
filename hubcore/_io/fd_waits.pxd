cimport cython

from hubcore._core.waiter cimport Waiter
from hubcore._capi.thread_state cimport get_ident, process_ends
from hubcore.hub cimport Hub, get_hub
from hubcore.loop cimport Loop
from hubcore.watchers cimport Io


cdef int _READ


cdef class FdWaits:
    cdef public int fd
    cdef public double timeout
    cdef public bint stream
    cdef public bint ref
    cdef public int family
    cdef public int kind
    cdef public int proto
    cdef public bint came_nonblocking
    cdef public bint lent
    cdef public bint keeps_nonblocking
    cdef bint short_read
    cdef readonly bint ended
    cdef readonly bint cut
    cdef public bint was_shut
    cdef readonly int last_fd
    cdef int _reading
    cdef Io _reader
    cdef Io _writer

    cdef _begin(self, int fd, bint stream, double timeout)
    @cython.locals(hub=Hub, io=Io)
    cpdef int wait_read(self, double timeout) except? -2
    @cython.locals(hub=Hub, io=Io)
    cpdef wait_write(self, double timeout)
    @cython.locals(io=Io)
    cpdef wait_connected(self, double timeout)
    cpdef bint at_end(self)
    cdef int _last_call(self, Hub hub) except -1
    cpdef _end_last_call(self)
    cpdef shut_down(self, bint reading)
    cpdef before_close(self)
    @cython.locals(waiter=Waiter)
    cdef _wait(self, Hub hub, Io io, double timeout)
    cdef Io _new_io(self, Hub hub, int events, Io old)
    @cython.locals(io=Io)
    cpdef wake_reader(self)
    cdef _spend(self)
    @cython.locals(reader=Io, writer=Io)
    cpdef close(self)

@cython.locals(loop=Loop)
cdef _close_watcher(Io io)
