# Reference counts by hand, where that saves the steps that compiled code would take.

cdef extern from *:
    """
    static int hubcore_is_last_reference(PyObject *thing) { return Py_REFCNT(thing) == 1; }

    /* For both, the index must be within the list. */
    static PyObject *hubcore_take_item(PyObject *list, Py_ssize_t i) {
        PyObject *item = PyList_GET_ITEM(list, i);
        Py_INCREF(Py_None);
        PyList_SET_ITEM(list, i, Py_None);
        return item;
    }
    static void hubcore_put_item(PyObject *list, Py_ssize_t i, PyObject *item) {
        PyObject *before = PyList_GET_ITEM(list, i);
        Py_INCREF(item);
        PyList_SET_ITEM(list, i, item);
        Py_DECREF(before);
    }
    """
    # Whether only one variable of the caller refers to `thing`.
    bint is_last_reference "hubcore_is_last_reference"(object thing) noexcept
    # Return items[i] and put None in its place.
    object take_item "hubcore_take_item"(list items, Py_ssize_t i)
    # items[i] = item
    void put_item "hubcore_put_item"(list items, Py_ssize_t i, object item) noexcept

cdef extern from "Python.h":
    # The garbage collector knows `thing` no more. It is its owner's alone from then on, and may be in no circle.
    void hide_from_collector "PyObject_GC_UnTrack"(object thing) noexcept
