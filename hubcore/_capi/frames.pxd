# The spawn site: the code object and the instruction of the Python code that called into hubcore. The line number is
# computed only when it is needed.

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

cdef extern from "Python.h":
    ctypedef struct PyFrameObject:
        pass
    # Borrowed; NULL if no Python frame runs (a callback from C).
    PyFrameObject* PyEval_GetFrame()
    ctypedef struct PyCodeObject:
        PyObject* co_filename
    # New references, unlike the frame above.
    PyCodeObject* PyFrame_GetCode(PyFrameObject*)
    PyFrameObject* PyFrame_GetBack(PyFrameObject*)
    int PyFrame_GetLasti(PyFrameObject*)
    Py_ssize_t PyUnicode_Tailmatch(object, object, Py_ssize_t start, Py_ssize_t end, int direction) except -1

# Return whether the frame runs code of a file in the directory `package`.
cdef inline bint is_below(PyFrameObject* frame, object package) except -1:
    cdef PyCodeObject* code = PyFrame_GetCode(frame)
    own = PyUnicode_Tailmatch(<object>code.co_filename, package, 0, 0x7FFFFFFF, -1)
    Py_DECREF(<object><void*>code)
    return own

# Return a new reference to the innermost frame outside of hubcore's own Python modules (a pool's `spawn` is inside); to
# the innermost of all if every frame is inside; NULL if there is no frame.
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
    Py_DECREF(code)  # the cast has added a reference
    Py_DECREF(<object><void*>frame)
    return code

cdef inline int running_instruction(object package) except? -1:
    cdef PyFrameObject* frame = calling_frame(package)
    if frame == NULL:
        return -1
    cdef int instruction = PyFrame_GetLasti(frame)
    Py_DECREF(<object><void*>frame)
    return instruction
