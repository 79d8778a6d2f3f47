cdef class Rules:
    cdef public long long limit_line
    cdef public long long limit_fields
    cdef public long long limit_field_size
    cdef public long long limit_head
    cdef public long long max_body_size
    cdef public long long discard_limit
    cdef public long long max_pipelined
    cdef public long long max_requests
    cdef public long long min_body_rate
    cdef public double header_timeout
    cdef public double keepalive
    cdef public double body_timeout
    cdef public double write_timeout
    cdef public double request_timeout
    cdef public object application
    cdef public dict base
    cdef public dict connections
    cdef public bint copies_base
    cdef public int header_map
    cdef public object trusted
    cdef public object log
    cdef public object pool
    cdef public object idle
    cdef public double idle_grace
    cdef public bytes server_line
    cdef public bint stopping
    cdef public bint crowded
    cdef public long long requests
    cdef public long long resets
    cdef public long long refused
