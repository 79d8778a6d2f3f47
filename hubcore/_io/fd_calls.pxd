cimport cython

from hubcore._io.fd_probe cimport kind_of, ready_now, send_now
from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore.hub cimport Hub, hub_here

cdef object _read, _readinto, _readv, _write, _writev
cdef int _IN, _OUT, _PIPE, _SOCKET, _DEVICE
cdef Py_ssize_t _LITTLE, _PIPE_BUF

@cython.locals(hub=Hub, current=greenlet)
cpdef bint may_wait() except -1

@cython.locals(number=cython.int)
cdef int _number(object fd) except? -2

cdef Py_ssize_t _size(object data) except -2

cdef bint _ready_for(int fd, Py_ssize_t size) except -1
