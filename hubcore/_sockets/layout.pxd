# The layout of CPython's C socket: accept() copies the struct from the listener.
#
# Facts: `_socket.socket.__init__` with an fd calls getsockname(2), one system call for each connection, only to check
# that the fd is a socket. A connection shares all fields with its listener but the fd. The struct begins with the fd
# and owns nothing. Consequence: `__init__` makes the first connection of a process, which is then compared with its
# listener. If they are equal but for the fd, later connections are copies; if not, `__init__` makes all of them.

from cpython.object cimport PyObject

cdef extern from *:
    """
    static Py_ssize_t hubcore_socket_size;  /* 0: not known yet; negative: do not copy */

    #define HUBCORE_SOCKET_FD(object) ((int *) ((char *) (object) + sizeof(PyObject)))
    #define HUBCORE_SOCKET_REST ((Py_ssize_t) (sizeof(PyObject) + sizeof(int)))

    /* By the C class's own allocator: what `type` has as __new__ may make sockets of another kind. */
    static inline PyObject *hubcore_blank(PyObject *native, PyObject *type, PyObject *no_args)
    {
        return ((PyTypeObject *) native)->tp_new((PyTypeObject *) type, no_args, NULL);
    }

    static void hubcore_learn_layout(PyObject *native, PyObject *listener, int listening, PyObject *made, int fd)
    {
        Py_ssize_t size = ((PyTypeObject *) native)->tp_basicsize;
        if (hubcore_socket_size)
            return;
        hubcore_socket_size = -1;
    #if PY_VERSION_HEX < 0x03100000  /* looked at until 3.15 */
        if (size > HUBCORE_SOCKET_REST && PyObject_TypeCheck(listener, (PyTypeObject *) native) &&
            PyObject_TypeCheck(made, (PyTypeObject *) native) && *HUBCORE_SOCKET_FD(listener) == listening &&
            *HUBCORE_SOCKET_FD(made) == fd &&
            !memcmp((char *) listener + HUBCORE_SOCKET_REST, (char *) made + HUBCORE_SOCKET_REST,
                    size - HUBCORE_SOCKET_REST))
            hubcore_socket_size = size;
    #endif
    }

    /* Make `blank` the socket of `fd`, a connection of `listener`; returns whether that was possible. */
    static inline int hubcore_copy_socket(PyObject *native, PyObject *listener, PyObject *blank, int fd)
    {
        if (hubcore_socket_size <= 0 || !PyObject_TypeCheck(listener, (PyTypeObject *) native) ||
            !PyObject_TypeCheck(blank, (PyTypeObject *) native))
            return 0;
        memcpy((char *) blank + HUBCORE_SOCKET_REST, (char *) listener + HUBCORE_SOCKET_REST,
               hubcore_socket_size - HUBCORE_SOCKET_REST);
        *HUBCORE_SOCKET_FD(blank) = fd;
        return 1;
    }

    static inline int hubcore_may_copy_socket(void) { return hubcore_socket_size > 0; }
    """
    object hubcore_blank(object native, object type, tuple no_args)
    void hubcore_learn_layout(object native, object listener, int listening, object made, int fd)
    bint hubcore_may_copy_socket()
    bint hubcore_copy_socket(object native, object listener, object blank, int fd)
