# The arena allocator's interface, a greenlet's first chunk, and a lock of one flag.

cdef extern from *:
    """
    /* Give the current greenlet a first chunk of `size` bytes, set up as CPython sets up its own first chunk: the first
       item is skipped, so that CPython does not free the chunk at the end of its first frame. The layout is that of
       cpython/pystate.h, which greenlet, too, uses to separate the chunks of its greenlets. */
    static void hubcore_begin_stack(size_t size)
    {
    #if PY_VERSION_HEX < 0x03100000 && !defined(Py_GIL_DISABLED)  /* looked at until 3.15 */
        PyThreadState *thread = PyThreadState_Get();
        _PyStackChunk *chunk;
        if (thread->datastack_chunk != NULL || (chunk = (_PyStackChunk *) PyMem_RawMalloc(size)) == NULL)
            return;
        chunk->previous = NULL;
        chunk->size = size;
        chunk->top = 0;
        thread->datastack_chunk = chunk;
        thread->datastack_top = &chunk->data[1];
        thread->datastack_limit = (PyObject **) ((char *) chunk + size);
    #endif
    }
    """
    void hubcore_begin_stack(size_t size) noexcept

cdef extern from "Python.h":
    ctypedef struct PyObjectArenaAllocator:
        void* ctx
        void* (*alloc)(void* ctx, size_t size) noexcept nogil
        void (*free)(void* ctx, void* ptr, size_t size) noexcept nogil
    void PyObject_GetArenaAllocator(PyObjectArenaAllocator*)
    void PyObject_SetArenaAllocator(PyObjectArenaAllocator*)

cdef extern from *:
    # Built-ins of gcc and clang, which need no declaration in C.
    bint __atomic_exchange_n(int* where, int value, int order) noexcept nogil
    void __atomic_store_n(int* where, int value, int order) noexcept nogil
    int __ATOMIC_ACQUIRE
    int __ATOMIC_RELEASE

cdef inline bint try_lock(int* flag) noexcept nogil:
    return not __atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE)

cdef inline void unlock(int* flag) noexcept nogil:
    __atomic_store_n(flag, 0, __ATOMIC_RELEASE)
