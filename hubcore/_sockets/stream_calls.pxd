from hubcore._io.fd_waits cimport FdWaits


cpdef bytes recv_ready(FdWaits waits, Py_ssize_t size)
cpdef Py_ssize_t send_ready(FdWaits waits, bytes data, Py_ssize_t start) except -1
