# The clock and the check of an fd that both compiled backends use.

from libc.time cimport time_t

cdef extern from "time.h" nogil:
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec* ts)

cdef extern from "fcntl.h" nogil:
    int F_GETFD
    int fcntl(int fd, int command)

cdef inline double monotonic() noexcept nogil:
    # The clock of time.monotonic(), without a Python float.
    cdef timespec ts
    clock_gettime(CLOCK_MONOTONIC, &ts)
    return <double>ts.tv_sec + <double>ts.tv_nsec * 1e-9

cdef inline bint is_open(int fd) noexcept nogil:
    return fcntl(fd, F_GETFD) != -1
