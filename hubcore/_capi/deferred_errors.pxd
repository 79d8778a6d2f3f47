# Calls and switches that report a failure by their result, so that the caller needs no try block around them.
# Fact: a try block saves its state on the C stack, which greenlet copies at every switch and keeps for every parked
# greenlet. Consequence: a failure leaves the error set; the caller calls raise_failure() before it does anything else
# that may raise.

from cpython.exc cimport PyErr_Fetch, PyErr_Restore, PyErr_WriteUnraisable
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF

from hubcore._capi.greenlet cimport greenlet

cdef extern from "greenlet/greenlet.h":
    PyObject* c_switch "PyGreenlet_Switch"(greenlet g, void* args, void* kwargs)

cdef extern from "Python.h":
    PyObject* c_vectorcall "PyObject_Vectorcall"(object callee, PyObject** args, size_t n, PyObject* names)
    PyObject* c_call "PyObject_Call"(object callee, object args, object kwargs)
    PyObject** c_items "&PyTuple_GET_ITEM"(object, Py_ssize_t)
    Py_ssize_t c_size "PyTuple_GET_SIZE"(object)

cdef extern from *:
    """
    static int hubcore_error_is_set(void) { return -1; }
    """
    int hubcore_error_is_set() except -1

cdef inline bint switch_fails(greenlet g) noexcept:
    """Switch to `g`; return whether a throw resumed the caller. Its error is then set."""
    cdef PyObject* result = c_switch(g, NULL, NULL)
    if result == NULL:
        return True
    Py_DECREF(<object>result)
    return False

cdef inline object call_or(object failure, object callee, tuple args, object kwargs):
    """Return `callee(*args, **kwargs)`; `failure` if it raised, with the error set. `kwargs` is a dict or None."""
    cdef PyObject* result
    if kwargs is None:
        result = c_vectorcall(callee, c_items(args, 0), c_size(args), NULL)
    else:
        result = c_call(callee, args, kwargs)
    if result == NULL:
        return failure
    value = <object>result
    Py_DECREF(value)
    return value

cdef inline int raise_failure() except -1:
    """Raise the error that is set."""
    return hubcore_error_is_set()

cdef inline void call_keeping_failure(object callee, tuple args) noexcept:
    """Call `callee(*args)`, which should not fail, and keep the error that is set."""
    cdef PyObject *kind
    cdef PyObject *value
    cdef PyObject *traceback
    PyErr_Fetch(&kind, &value, &traceback)
    cdef PyObject* result = c_vectorcall(callee, c_items(args, 0), c_size(args), NULL)
    if result == NULL:
        PyErr_WriteUnraisable(callee)
    else:
        Py_DECREF(<object>result)
    PyErr_Restore(kind, value, traceback)
