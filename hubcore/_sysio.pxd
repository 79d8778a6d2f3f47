# The system calls of the socket fast path.

from libc.errno cimport EAGAIN, EINTR, errno

cdef extern from "Python.h":
    object PyErr_SetFromErrno(object kind)

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    ssize_t send(int fd, const void* buffer, size_t size, int flags)

cdef extern from "unistd.h" nogil:
    int close(int fd)
