# Whether coverage.py measures this thread; see _coverage.py.
# Facts: a thread state says who traces it (c_tracefunc, c_traceobj), in every CPython from 3.11 up, and the type of
# coverage's tracer has this name (coverage/ctracer/tracer.c).

cdef extern from *:
    """
    #include <string.h>
    static int hubcore_is_measured(void) {
        PyThreadState *state = PyThreadState_Get();
        return state->c_tracefunc != NULL && state->c_traceobj != NULL
            && strcmp(Py_TYPE(state->c_traceobj)->tp_name, "coverage.CTracer") == 0;
    }
    """
    bint is_measured "hubcore_is_measured"() noexcept
