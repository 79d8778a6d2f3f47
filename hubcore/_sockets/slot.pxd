# Where hubcore.socket.socket keeps its FdWaits. The fast path reads the slot directly; for each operation that is
# quicker than an attribute look-up. Each module that uses this file finds the slot for itself.

from cpython.object cimport PyObject

from hubcore._io.fd_waits cimport FdWaits

cdef extern from *:
    """
    #include <structmember.h>

    static PyTypeObject *hubcore_slot_type;
    static Py_ssize_t hubcore_slot_offset;

    static void hubcore_find_slot(PyObject *type, PyObject *descriptor)
    {
        if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) {
            hubcore_slot_offset = ((PyMemberDescrObject *) descriptor)->d_member->offset;
            hubcore_slot_type = (PyTypeObject *) Py_NewRef(type);
        }
    }

    /* The slot's content, a borrowed reference; NULL if the slot is empty or `object` is no such socket. */
    static inline PyObject *hubcore_in_slot(PyObject *object)
    {
        PyTypeObject *type = Py_TYPE(object);
        if (type != hubcore_slot_type && (hubcore_slot_type == NULL || !PyType_IsSubtype(type, hubcore_slot_type)))
            return NULL;
        return *(PyObject **) ((char *) object + hubcore_slot_offset);
    }
    """
    void hubcore_find_slot(object type, object descriptor)
    PyObject* hubcore_in_slot(object sock)

cdef inline FdWaits waits_of(object sock):
    """Return `sock._fd_waits`."""
    cdef PyObject* found = hubcore_in_slot(sock)
    if found == NULL:
        return sock._fd_waits
    return <FdWaits>found
