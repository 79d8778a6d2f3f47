# Questions to an fd, and calls on it, that never wait.

cdef extern from *:
    """
    #include <errno.h>
    #include <poll.h>
    #include <sys/socket.h>
    #include <sys/stat.h>

    /* Whether a call need not wait for one of `events` (numbered as in poll(2)); true also if it would fail at once. */
    static int hubcore_ready_now(int fd, short events)
    {
        struct pollfd asked = {fd, events, 0};
        return fd < 0 || poll(&asked, 1, 0) != 0;
    }

    /* The file's type, S_IFREG and so on; 0 if it has none or `fd` is not open. */
    static int hubcore_kind_of(int fd)
    {
        struct stat status;
        return fstat(fd, &status) ? 0 : (int) (status.st_mode & S_IFMT);
    }

    /* send(2): the number of bytes of `data` that the socket accepted; None if the call would block. */
    static PyObject *hubcore_send_now(int fd, PyObject *data)
    {
        Py_buffer view;
        ssize_t sent;
        if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE))
            return NULL;
        do
            sent = send(fd, view.buf, (size_t) view.len, MSG_DONTWAIT);
        while (sent < 0 && errno == EINTR && !PyErr_CheckSignals());
        PyBuffer_Release(&view);
        if (sent >= 0)
            return PyLong_FromSsize_t(sent);
        if (PyErr_Occurred())
            return NULL;
        if (errno == EAGAIN)
            Py_RETURN_NONE;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    """
    bint ready_now "hubcore_ready_now"(int fd, int events) noexcept
    int kind_of "hubcore_kind_of"(int fd) noexcept
    object send_now "hubcore_send_now"(int fd, object data)
