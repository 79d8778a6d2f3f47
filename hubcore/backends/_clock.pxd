# The clock and the checks of fds, for both compiled backends.

from libc.errno cimport errno
from libc.time cimport time_t
from posix.stat cimport S_ISBLK, S_ISCHR, S_ISDIR, S_ISREG, fstat, struct_stat

cdef extern from "time.h" nogil:
    cdef struct timespec:
        time_t tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec* ts)

cdef extern from "fcntl.h" nogil:
    int F_GETFL
    int fcntl(int fd, int command)

cdef extern from *:
    """
    #ifndef O_PATH
    #define O_PATH 0
    #endif
    """
    int O_PATH

cdef inline double monotonic() noexcept nogil:
    # The clock of time.monotonic(), without a Python float.
    cdef timespec ts
    clock_gettime(CLOCK_MONOTONIC, &ts)
    return <double>ts.tv_sec + <double>ts.tv_nsec * 1e-9

cdef extern from "unistd.h" nogil:
    int pipe(int* fds)
    int close(int fd)

cdef inline int why_no_fds(int pairs) noexcept nogil:
    # Return 0 if `pairs` pairs of fds, at most three, can still be opened; otherwise the errno of the failure.
    cdef int fds[6]
    cdef int error = 0
    cdef int opened = 0
    while opened < pairs and error == 0:
        if pipe(fds + 2 * opened) != 0:
            error = errno
        else:
            opened += 1
    while opened > 0:
        opened -= 1
        close(fds[2 * opened])
        close(fds[2 * opened + 1])
    return error

cdef inline bint is_open(int fd) noexcept nogil:
    # The kernel refuses to watch an O_PATH fd with the error for a closed one, so it counts as closed here.
    cdef int flags = fcntl(fd, F_GETFL)
    return flags != -1 and not (flags & O_PATH)

cdef inline bint may_be_always_ready(int fd) noexcept nogil:
    # Return whether the kernel may refuse to watch this kind of file: one that is neither a socket, nor a pipe, nor one
    # of the kernel's own objects.
    cdef struct_stat status
    return fstat(fd, &status) == 0 and (
        S_ISREG(status.st_mode) or S_ISDIR(status.st_mode) or S_ISCHR(status.st_mode) or S_ISBLK(status.st_mode)
    )
