cdef class Parser:
    cdef object _sink
    cdef object _parser

    cpdef bytes feed(self, bytes head)
    cpdef reset(self)
