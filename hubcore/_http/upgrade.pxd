cdef class HandOver:
    cdef readonly object _connection
    cdef readonly object _sock
    cdef readonly bytes _early

    cpdef _taken(self)
    cpdef _over(self)
