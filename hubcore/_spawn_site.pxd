# Where the running Python code is: its code object and the instruction, without making a line number of it.

from cpython.ref cimport Py_DECREF

cdef extern from "Python.h":
    ctypedef struct PyFrameObject:
        pass
    # Borrowed; NULL when no Python frame runs (a callback from C).
    PyFrameObject* PyEval_GetFrame()
    ctypedef struct PyCodeObject:
        pass
    # A new reference, unlike the frame.
    PyCodeObject* PyFrame_GetCode(PyFrameObject*)
    int PyFrame_GetLasti(PyFrameObject*)

cdef inline object running_code():
    cdef PyFrameObject* frame = PyEval_GetFrame()
    if frame == NULL:
        return None
    code = <object><void*>PyFrame_GetCode(frame)
    Py_DECREF(code)  # the cast made a reference of its own
    return code

cdef inline int running_instruction() noexcept:
    cdef PyFrameObject* frame = PyEval_GetFrame()
    return PyFrame_GetLasti(frame) if frame != NULL else -1
