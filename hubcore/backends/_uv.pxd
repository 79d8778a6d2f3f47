# The part of uv.h that hubcore uses.

cdef extern from "uv.h" nogil:
    int UV_EPERM
    int UV_READABLE
    int UV_WRITABLE
    int UV_VERSION_MAJOR
    int UV_VERSION_MINOR
    int UV_VERSION_PATCH
    ctypedef enum uv_run_mode:
        UV_RUN_DEFAULT
        UV_RUN_ONCE
        UV_RUN_NOWAIT

    ctypedef struct uv_loop_t:
        void* data
    ctypedef struct uv_handle_t:
        void* data
    ctypedef struct uv_poll_t:
        void* data
    ctypedef struct uv_timer_t:
        void* data
        uv_loop_t* loop
    ctypedef struct uv_async_t:
        void* data

    # uv_run calls these. hubcore may call uv_run without the GIL.
    ctypedef void (*uv_poll_cb)(uv_poll_t*, int status, int events) noexcept nogil
    ctypedef void (*uv_timer_cb)(uv_timer_t*) noexcept nogil
    ctypedef void (*uv_async_cb)(uv_async_t*) noexcept nogil
    ctypedef void (*uv_close_cb)(uv_handle_t*) noexcept nogil

    const char* uv_version_string()
    const char* uv_strerror(int)

    ctypedef enum uv_handle_type:
        UV_POLL
    ctypedef void (*uv_walk_cb)(uv_handle_t*, void*) noexcept nogil
    uv_handle_type uv_handle_get_type(const uv_handle_t*)
    int uv_is_closing(const uv_handle_t*)
    void uv_walk(uv_loop_t*, uv_walk_cb, void*)

    int uv_loop_init(uv_loop_t*)
    void uv_stop(uv_loop_t*)
    int uv_loop_close(uv_loop_t*)
    int uv_loop_fork(uv_loop_t*)
    int uv_backend_fd(const uv_loop_t*)
    void uv_update_time(uv_loop_t*)
    int uv_run(uv_loop_t*, uv_run_mode)
    void uv_close(uv_handle_t*, uv_close_cb)

    int uv_poll_init(uv_loop_t*, uv_poll_t*, int fd)
    int uv_poll_start(uv_poll_t*, int events, uv_poll_cb)
    int uv_poll_stop(uv_poll_t*)
    int uv_timer_init(uv_loop_t*, uv_timer_t*)
    int uv_timer_start(uv_timer_t*, uv_timer_cb, unsigned long long timeout, unsigned long long repeat)
    int uv_timer_stop(uv_timer_t*)
    int uv_async_init(uv_loop_t*, uv_async_t*, uv_async_cb)
    int uv_async_send(uv_async_t*)
