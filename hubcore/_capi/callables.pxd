# What kind of function a callable is, without Python code: each spawn asks.

cdef extern from *:
    """
    static int hubcore_may_be_async(PyObject *callable) {
        if (PyMethod_Check(callable)) callable = PyMethod_GET_FUNCTION(callable);
        if (PyFunction_Check(callable)) {
            PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(callable);
            return (code->co_flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;
        }
        return !PyCFunction_Check(callable) && !PyType_Check(callable);
    }
    """
    # Return whether a call of `callable` may give a coroutine that does not run: certainly for an `async def`; perhaps
    # for a functools.partial or an object with __call__.
    bint may_be_async "hubcore_may_be_async"(object callable) noexcept
