# Whether coverage.py measures this thread; see _core/coverage.py.
# Facts: from CPython 3.11 up, a thread state holds its tracer (c_tracefunc, c_traceobj); the type of coverage.py's
# tracer has this name (coverage/ctracer/tracer.c).

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
