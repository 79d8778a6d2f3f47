cdef void begin_stack() noexcept
