# The calling thread's ident: pythread.h's function, the same number that _thread.get_ident() returns.

cdef extern from "pythread.h":
    unsigned long get_ident "PyThread_get_thread_ident"()
