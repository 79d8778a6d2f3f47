# Lets a program set attributes of a compiled class, as of a class written in Python: `Hub.NOT_ERROR = (...)`.
#
# Fact: Python refuses that for types with the flag IMMUTABLETYPE, which it gives every type that C code defines. The flag
# has no other meaning: `type.__setattr__` itself keeps Python's caches of attributes up to date, for each type.
# Consequence: without the flag, assignments work, also for objects that exist, and no call costs more.

cdef extern from *:
    """
    static void hubcore_make_mutable(PyObject *type) {
        ((PyTypeObject *)type)->tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE;
        PyType_Modified((PyTypeObject *)type);
    }
    """
    void make_mutable "hubcore_make_mutable"(object type)
