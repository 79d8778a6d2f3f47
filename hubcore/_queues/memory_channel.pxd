cimport cython

from hubcore._sync.waitable cimport check_timeout, park, waiter_at
from hubcore._core.waiter cimport WAITING, WaitEntry, Source, Waiter, WaitQueue, new_entry
from hubcore._capi.thread_state cimport process_ends
from hubcore._capi.public_names cimport publish


@cython.final
cdef class Conduit:
    cdef Py_ssize_t bound
    cdef object items
    cdef WaitQueue senders
    cdef WaitQueue receivers
    cdef Py_ssize_t open_senders
    cdef Py_ssize_t open_receivers

    cdef bint has_room(self) except -1
    cdef bint put(self, item) except -1
    @cython.locals(entry=WaitEntry)
    cdef take(self)
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef admit(self)
    cdef take_back(self, item)
    cdef describe(self)


cdef class _End(Source):
    cdef Conduit _conduit
    cdef bint _open
    cdef object __weakref__

    cdef _begin(self, Conduit conduit, _End model)
    cdef _refuse_if_closed(self)
    cdef _check_timeout(self, timeout)
    @cython.locals(entry=WaitEntry)
    cdef _dismiss(self, WaitQueue queue)
    cpdef close(self)
    cdef _shut(self)
    @cython.locals(conduit=Conduit)
    cpdef statistics(self)


cdef class SendChannel(_End):
    cpdef send(self, item, timeout=*)
    cpdef send_nowait(self, item)
    cdef bint _try_send(self, item) except -1
    cdef _refuse(self)
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef _send_later(self, item, timeout)
    cdef bint _join(self, WaitEntry entry, Waiter waiter) except -1
    @cython.locals(conduit=Conduit, other=WaitEntry)
    cpdef bint _serve(self, WaitEntry entry, Waiter waiter, bint stay) except -1
    cpdef clone(self)
    @cython.locals(conduit=Conduit)
    cdef _shut(self)


cdef class ReceiveChannel(_End):
    cpdef receive(self, timeout=*)
    cpdef receive_nowait(self)
    cdef _take(self)
    @cython.locals(entry=WaitEntry, waiter=Waiter)
    cdef _receive_later(self, timeout)
    cdef _join(self, WaitEntry entry, Waiter waiter)
    @cython.locals(conduit=Conduit, other=WaitEntry)
    cpdef bint _serve(self, WaitEntry entry, Waiter waiter, bint stay) except -1
    cdef _take_back(self, item)
    cpdef clone(self)
    @cython.locals(conduit=Conduit)
    cdef _shut(self)

@cython.locals(new=SendChannel)
cdef SendChannel _open_sender(Conduit conduit, _End model)
@cython.locals(new=ReceiveChannel)
cdef ReceiveChannel _open_receiver(Conduit conduit, _End model)
