# Asks the kernel which fds it watches. For both compiled backends.
# Facts: libev and libuv register an fd with epoll inside their own run, and abort the process if epoll_ctl refuses it.
# Consequence: the backends ask epoll_ctl first, for the same epoll object, and raise what it answers.

cdef extern from *:
    """
    #include <errno.h>
    #include <fcntl.h>
    #include <poll.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/stat.h>
    #include <unistd.h>

    #if defined(__linux__)
    #include <sys/epoll.h>
    #include <sys/eventfd.h>

    static int hubcore_epoll_ctl(int epoll, int operation, int fd) {
        struct epoll_event event;
        memset(&event, 0, sizeof event);
        /* libev ignores an event of a generation that it did not issue. */
        event.data.u64 = (uint64_t)(uint32_t)fd | (uint64_t)0xffffffff << 32;
        return epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : errno;
    }
    static int hubcore_kernel_add(int epoll, int fd) { return hubcore_epoll_ctl(epoll, EPOLL_CTL_ADD, fd); }
    static int hubcore_kernel_remove(int epoll, int fd) { return hubcore_epoll_ctl(epoll, EPOLL_CTL_DEL, fd); }
    static int hubcore_kernel_has(int epoll, int fd) { return hubcore_epoll_ctl(epoll, EPOLL_CTL_MOD, fd) == 0; }
    static int hubcore_new_probe(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
    #else
    static int hubcore_kernel_add(int epoll, int fd) {
        struct stat status;
        if (fcntl(fd, F_GETFL) == -1 || fstat(fd, &status) != 0) return errno;
        return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode) ? EPERM : 0;
    }
    static int hubcore_kernel_remove(int epoll, int fd) { return 0; }
    static int hubcore_kernel_has(int epoll, int fd) { return 0; }
    static int hubcore_new_probe(void) { return -1; }
    #endif

    static int hubcore_lowest_free_fd(void) {
        int lowest = hubcore_new_probe();
        if (lowest >= 0) close(lowest);
        return lowest;
    }
    static int hubcore_find_epoll(int probe, int guess) {
        int fd, end = (int)sysconf(_SC_OPEN_MAX);
        if (guess >= 0 && hubcore_kernel_has(guess, probe)) return guess;
        if (end < 0 || end > 65536) end = 65536;
        for (fd = 0; fd < end; fd++) {
            if (hubcore_kernel_has(fd, probe)) return fd;
        }
        return -1;
    }
    static int hubcore_wait_readable(int fd, int milliseconds) {
        struct pollfd one = {fd, POLLIN, 0};
        return poll(&one, 1, milliseconds) > 0;
    }
    """
    # Add `fd`, for no events, to what the epoll object watches. Return 0 or the errno: EEXIST if it is watched already,
    # EPERM if it is a file that is always ready, EBADF if it is not open (or opened with O_PATH), EINVAL if it is the
    # epoll object itself, ELOOP if it is another one and they would be a circle or too deep, ENOSPC, ENOMEM.
    int kernel_add "hubcore_kernel_add"(int epoll, int fd) noexcept nogil
    # Stop watching `fd`. Return 0 or the errno: ENOENT if the file that has this number now is not watched.
    int kernel_remove "hubcore_kernel_remove"(int epoll, int fd) noexcept nogil
    # Return an fd that is never readable, or -1.
    int new_probe "hubcore_new_probe"() noexcept nogil
    # Return the number that the next fd gets, or -1 if there is none.
    int lowest_free_fd "hubcore_lowest_free_fd"() noexcept nogil
    # Return the number of the epoll object that watches `probe`, most likely `guess`; -1 if there is none.
    int find_epoll "hubcore_find_epoll"(int probe, int guess) noexcept nogil
    # Wait until `fd` is readable, for so many milliseconds (-1: no limit); return whether it is.
    bint wait_readable "hubcore_wait_readable"(int fd, int milliseconds) noexcept nogil
    int close_fd "close"(int fd) noexcept nogil
