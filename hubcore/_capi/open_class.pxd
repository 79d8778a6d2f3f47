# A compiled class whose attributes programs may set, as those of a Python class.
# Fact: a type that C code made refuses it (Py_TPFLAGS_IMMUTABLETYPE); with the flag taken away the type's own setattr
# works and tells the caches of attributes. Consequence: only names without a slot of the type may be set, which are all
# but those with two underscores around them.

cdef extern from *:
    """
    static void hubcore_open_class(PyObject *type) {
        ((PyTypeObject *)type)->tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE;
        PyType_Modified((PyTypeObject *)type);
    }
    """
    # Let programs set and delete attributes of the class `type`. Call it where the class is defined.
    void open_class "hubcore_open_class"(object type)
