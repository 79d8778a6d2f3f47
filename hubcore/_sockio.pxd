from hubcore._sockwait cimport SocketWaits


cpdef bytes recv_ready(SocketWaits waits, Py_ssize_t size)
cpdef Py_ssize_t send_ready(SocketWaits waits, bytes data, Py_ssize_t start) except -1
