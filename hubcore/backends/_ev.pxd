# The part of ev.h that hubcore uses.

cdef extern from "ev.h":
    int EV_READ
    int EV_WRITE
    int EV_ERROR
    unsigned int EVFLAG_AUTO
    unsigned int EVFLAG_NOENV
    unsigned int EVBACKEND_EPOLL
    int EVRUN_NOWAIT
    int EVRUN_ONCE

    ctypedef double ev_tstamp

    struct ev_loop:
        pass
    ctypedef struct ev_io:
        void* data
        int fd
        int events
    ctypedef struct ev_timer:
        void* data
        ev_tstamp repeat
    ctypedef struct ev_async:
        void* data
    ctypedef struct ev_fork:
        void* data

    # ev_run calls these. hubcore calls ev_run with the GIL held; only the wait itself is without the GIL.
    ctypedef void (*io_callback)(ev_loop*, ev_io*, int) noexcept
    ctypedef void (*timer_callback)(ev_loop*, ev_timer*, int) noexcept
    ctypedef void (*async_callback)(ev_loop*, ev_async*, int) noexcept
    ctypedef void (*fork_callback)(ev_loop*, ev_fork*, int) noexcept
    ctypedef void (*loop_callback)(ev_loop*) noexcept nogil

    int ev_version_major()
    int ev_version_minor()
    int EV_VERSION_MAJOR
    int EV_VERSION_MINOR
    unsigned int ev_supported_backends()

    ev_loop* ev_loop_new(unsigned int flags)
    void ev_loop_destroy(ev_loop*)
    void ev_loop_fork(ev_loop*)
    unsigned int ev_backend(ev_loop*)
    int ev_run(ev_loop*, int flags)
    void ev_now_update(ev_loop*)
    void ev_set_userdata(ev_loop*, void* data)
    void* ev_userdata(ev_loop*) nogil
    void ev_set_loop_release_cb(ev_loop*, loop_callback release, loop_callback acquire)

    void ev_io_init(ev_io*, io_callback, int fd, int events)
    void ev_io_start(ev_loop*, ev_io*)
    void ev_io_stop(ev_loop*, ev_io*)
    void ev_timer_init(ev_timer*, timer_callback, ev_tstamp after, ev_tstamp repeat)
    void ev_timer_again(ev_loop*, ev_timer*)
    void ev_timer_stop(ev_loop*, ev_timer*)
    void ev_async_init(ev_async*, async_callback)
    void ev_async_start(ev_loop*, ev_async*)
    void ev_async_stop(ev_loop*, ev_async*)
    void ev_async_send(ev_loop*, ev_async*) nogil
    void ev_fork_init(ev_fork*, fork_callback)
    void ev_fork_start(ev_loop*, ev_fork*)
    void ev_fork_stop(ev_loop*, ev_fork*)
