# The calling thread's ident, by pythread.h's function: the number that _thread.get_ident() returns.

cdef extern from "pythread.h":
    unsigned long get_ident "PyThread_get_thread_ident"()

# Whether a native thread was started that has not run yet. Its thread state exists already (Modules/_threadmodule.c),
# but has no chunk of memory for frames: the first call of a Python function allocates that (Python/pystate.c).
cdef extern from *:
    """
    static int hubcore_a_thread_begins(void) {
        PyThreadState *own = PyThreadState_Get();
        PyThreadState *each = PyInterpreterState_ThreadHead(own->interp);
        while (each != NULL && (each == own || each->datastack_chunk != NULL)) {
            each = PyThreadState_Next(each);
        }
        return each != NULL;
    }
    """
    bint a_thread_begins "hubcore_a_thread_begins"() noexcept

# Whether the interpreter is being finalized: greenlet then no longer works, and no other thread runs.
cdef extern from *:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define hubcore_process_ends Py_IsFinalizing
    #else
    #define hubcore_process_ends _Py_IsFinalizing
    #endif
    """
    bint process_ends "hubcore_process_ends"() noexcept
