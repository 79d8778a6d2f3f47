cimport cython
from cpython.object cimport Py_EQ, PyObject

from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._core.raw_greenlet cimport RawGreenlet

cdef extern from "Python.h":
    # Attribute access as of any object, but with the dict as an argument. Private, yet exported by CPython (3.11 to
    # 3.13: cpython/object.h), whose own threading.local uses it.
    object c_get "_PyObject_GenericGetAttrWithDict"(object owner, object name, dict attributes, int suppress)
    int c_set "_PyObject_GenericSetAttrWithDict"(object owner, object name, PyObject* value, dict attributes) except -1
    object c_dict "PyObject_GenericGetDict"(object owner, void* context)
    bint c_compare "PyObject_RichCompareBool"(object a, object b, int operator) except -1
    bint c_is_str "PyUnicode_Check"(object value)
    bint c_is_exact_str "PyUnicode_CheckExact"(object value)
    Py_ssize_t c_length "PyUnicode_GET_LENGTH"(object value)
    Py_UCS4 c_char "PyUnicode_READ_CHAR"(object value, Py_ssize_t index)

cdef inline object get_attribute(object owner, object name, dict attributes):
    return c_get(owner, name, attributes, 0)

cdef inline int set_attribute(object owner, object name, object value, dict attributes) except -1:
    return c_set(owner, name, <PyObject*>value, attributes)

cdef inline int del_attribute(object owner, object name, dict attributes) except -1:
    return c_set(owner, name, NULL, attributes)

cdef inline dict instance_dict(greenlet owner):
    return <dict>c_dict(owner, NULL)

# Without ==, which takes a fifth of the time of a whole access.
cdef inline bint is_text(object name, str text) except -1:
    if c_is_str(name) and c_length(name) != c_length(text):
        return False
    return c_compare(name, text, Py_EQ)

cdef inline bint is_public(object name):
    return c_is_exact_str(name) and c_length(name) > 0 and c_char(name, 0) != c'_'

cdef inline local own(local owner):
    return owner

# Unchecked: the caller has tested the kind of greenlet, and no other code writes to that field.
cdef inline Residence residence_in(greenlet target):
    return <Residence>(<RawGreenlet>target)._locals

cdef object _make_deque
cdef object _make_reference
cdef object _numbers
cdef object _MISSING
cdef str _DICT
cdef str _RESIDENCE
cdef object _this_thread


# Without the garbage collector: it holds only a string and weak references.
@cython.final
@cython.no_gc
cdef class Residence:
    cdef long key
    cdef str number
    cdef object owners

    @cython.locals(other=local, dicts=dict)
    cdef note(self, local owner)


@cython.final
cdef class ThreadEnd:
    cdef greenlet main


cdef class local:
    cdef tuple _local_args
    cdef dict _local_kwargs
    cdef dict _local_dicts
    cdef dict _latest
    cdef long _latest_key
    cdef object __weakref__


cdef _refuse_dict(local owner)
@cython.locals(current=greenlet, here=Residence, mine=dict)
cdef dict _dict_here(local owner)
@cython.locals(fresh=dict, residence=Residence, mine=dict)
cdef dict _first_use(local owner, greenlet current)
@cython.locals(mine=dict)
cdef dict _add_dict(local owner, Residence residence, dict fresh)
@cython.locals(dicts=dict)
cdef _take_out(local owner, long key, str number)
@cython.locals(fresh=Residence, found=Residence, raw=RawGreenlet)
cdef Residence _residence(greenlet current)

@cython.locals(here=Residence)
cpdef list all_local_dicts_for_greenlet(greenlet greenlet)
