# greenlet's C API, for every compiled module: the only such block.
# Fact: the inline functions are emitted once per C file, each file with its own API pointer. Consequence: every module
# that uses them calls import_greenlet() once at import; otherwise they dereference NULL.

cdef extern from "greenlet/greenlet.h":
    ctypedef class greenlet.greenlet [object PyGreenlet]:
        pass
    greenlet PyGreenlet_GetCurrent()
    object PyGreenlet_Switch(greenlet g, void* args, void* kwargs)
    int PyGreenlet_SetParent(greenlet g, greenlet parent) except -1
    # A brace macro, not a function: an int declaration would not compile.
    void PyGreenlet_Import() except *

cdef inline greenlet getcurrent():
    return PyGreenlet_GetCurrent()

cdef inline object switch_to(greenlet g):
    return PyGreenlet_Switch(g, NULL, NULL)

cdef inline int set_parent(greenlet g, greenlet parent) except -1:
    return PyGreenlet_SetParent(g, parent)

cdef inline int import_greenlet() except -1:
    PyGreenlet_Import()
    return 0
