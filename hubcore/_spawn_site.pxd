# Where the Python code is that called into hubcore: its code object and the instruction, without making a line number of it.

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

cdef extern from "Python.h":
    ctypedef struct PyFrameObject:
        pass
    # Borrowed; NULL when no Python frame runs (a callback from C).
    PyFrameObject* PyEval_GetFrame()
    ctypedef struct PyCodeObject:
        PyObject* co_filename
    # New references, unlike the frame above.
    PyCodeObject* PyFrame_GetCode(PyFrameObject*)
    PyFrameObject* PyFrame_GetBack(PyFrameObject*)
    int PyFrame_GetLasti(PyFrameObject*)
    Py_ssize_t PyUnicode_Tailmatch(object, object, Py_ssize_t start, Py_ssize_t end, int direction) except -1

# Whether the frame runs code of a file in the directory `package`.
cdef inline bint is_below(PyFrameObject* frame, object package) except -1:
    cdef PyCodeObject* code = PyFrame_GetCode(frame)
    own = PyUnicode_Tailmatch(<object>code.co_filename, package, 0, 0x7FFFFFFF, -1)
    Py_DECREF(<object><void*>code)
    return own

# A new reference to the innermost frame that is not of hubcore's own Python modules (a pool's `spawn` is), to the
# innermost of all if each is, or NULL if there is none.
cdef inline PyFrameObject* calling_frame(object package) except? NULL:
    cdef PyFrameObject* innermost = PyEval_GetFrame()
    cdef PyFrameObject* frame = innermost
    cdef PyFrameObject* back
    if innermost == NULL:
        return NULL
    Py_INCREF(<object><void*>frame)
    while is_below(frame, package):
        back = PyFrame_GetBack(frame)
        Py_DECREF(<object><void*>frame)
        if back == NULL:
            Py_INCREF(<object><void*>innermost)
            return innermost
        frame = back
    return frame

cdef inline object running_code(object package):
    cdef PyFrameObject* frame = calling_frame(package)
    if frame == NULL:
        return None
    code = <object><void*>PyFrame_GetCode(frame)
    Py_DECREF(code)  # the cast made a reference of its own
    Py_DECREF(<object><void*>frame)
    return code

cdef inline int running_instruction(object package) except? -1:
    cdef PyFrameObject* frame = calling_frame(package)
    if frame == NULL:
        return -1
    cdef int instruction = PyFrame_GetLasti(frame)
    Py_DECREF(<object><void*>frame)
    return instruction
