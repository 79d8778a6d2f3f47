# What a private module defines for a public one says that it is the public one's, in reprs, pickles, help() and errors.
# Fact: `__module__` of a class that C code made is a part of its type's name, and cannot be set from Python.
# Consequence: the type's name is replaced. It has to live as long as the type, so it is never freed.

cdef extern from *:
    """
    #include <string.h>
    static void hubcore_set_type_name(PyObject *type, const char *name) {
        char *kept = strdup(name);
        if (kept != NULL) {
            ((PyTypeObject *)type)->tp_name = kept;
            PyType_Modified((PyTypeObject *)type);
        }
    }
    """
    void set_type_name "hubcore_set_type_name"(object type, const char* name)

cdef inline publish(str module, cls):
    """Let the class `cls` say that `module` defines it. Call it where the class is defined."""
    name = f"{module}.{cls.__name__}".encode()
    set_type_name(cls, name)
