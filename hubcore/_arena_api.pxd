# The arena allocator's interface, and a lock of one flag.

cdef extern from "Python.h":
    ctypedef struct PyObjectArenaAllocator:
        void* ctx
        void* (*alloc)(void* ctx, size_t size) noexcept nogil
        void (*free)(void* ctx, void* ptr, size_t size) noexcept nogil
    void PyObject_GetArenaAllocator(PyObjectArenaAllocator*)
    void PyObject_SetArenaAllocator(PyObjectArenaAllocator*)

cdef extern from *:
    # Compiler built-ins of gcc and clang, which have no declaration.
    bint __atomic_exchange_n(int* where, int value, int order) noexcept nogil
    void __atomic_store_n(int* where, int value, int order) noexcept nogil
    int __ATOMIC_ACQUIRE
    int __ATOMIC_RELEASE

cdef inline bint try_lock(int* flag) noexcept nogil:
    return not __atomic_exchange_n(flag, 1, __ATOMIC_ACQUIRE)

cdef inline void unlock(int* flag) noexcept nogil:
    __atomic_store_n(flag, 0, __ATOMIC_RELEASE)
