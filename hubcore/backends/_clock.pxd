# The clock and the check of an fd that both compiled backends use.

from libc.time cimport time_t
from posix.stat cimport S_ISBLK, S_ISCHR, S_ISDIR, S_ISREG, fstat, struct_stat

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

cdef inline bint may_be_always_ready(int fd) noexcept nogil:
    # Of a kind that the kernel may refuse to watch: not a socket, a pipe, or one of the kernel's own objects.
    cdef struct_stat status
    return fstat(fd, &status) == 0 and (
        S_ISREG(status.st_mode) or S_ISDIR(status.st_mode) or S_ISCHR(status.st_mode) or S_ISBLK(status.st_mode)
    )
