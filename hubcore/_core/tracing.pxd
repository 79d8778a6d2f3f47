# The trace and profile functions of a native thread, as C objects (c_tracefunc and so on of its thread state, in every
# CPython from 3.11 up). sys.settrace would put a Python function between CPython and coverage.py's tracer, which is
# written in C.

cimport cython

from hubcore._capi.greenlet cimport getcurrent, import_greenlet

cdef extern from *:
    """
    static PyObject *hubcore_get_tracing(void) {
        PyThreadState *state = PyThreadState_Get();
        return Py_BuildValue("(NONO)",
            PyLong_FromVoidPtr((void *)state->c_tracefunc), state->c_traceobj ? state->c_traceobj : Py_None,
            PyLong_FromVoidPtr((void *)state->c_profilefunc), state->c_profileobj ? state->c_profileobj : Py_None);
    }
    static void hubcore_set_tracing(PyObject *tracing) {
        PyThreadState *state = PyThreadState_Get();
        Py_tracefunc function = (Py_tracefunc)PyLong_AsVoidPtr(PyTuple_GET_ITEM(tracing, 0));
        PyObject *object = function ? PyTuple_GET_ITEM(tracing, 1) : NULL;
        if (state->c_tracefunc != function || state->c_traceobj != object) {
            PyEval_SetTrace(function, object);
        }
        function = (Py_tracefunc)PyLong_AsVoidPtr(PyTuple_GET_ITEM(tracing, 2));
        object = function ? PyTuple_GET_ITEM(tracing, 3) : NULL;
        if (state->c_profilefunc != function || state->c_profileobj != object) {
            PyEval_SetProfile(function, object);
        }
    }
    """
    tuple get_tracing "hubcore_get_tracing"()
    void set_tracing "hubcore_set_tracing"(tuple tracing)

cdef dict _below

cpdef begin()
cpdef end()
@cython.locals(below=tuple, own=tuple)
cpdef tuple save_tracing()
cpdef restore_tracing(tuple own)
