# The part of Python.h that the backends use and Cython's own declarations lack or declare otherwise.

cdef extern from "Python.h":
    ctypedef struct PyThreadState:
        pass
    # Called with the GIL and leaves without it.
    PyThreadState* PyEval_SaveThread() nogil
    # Called without the GIL and leaves with it.
    void PyEval_RestoreThread(PyThreadState*) nogil
