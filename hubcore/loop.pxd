from hubcore._core.base_loop cimport BaseLoop


cdef class Loop(BaseLoop):
    pass
