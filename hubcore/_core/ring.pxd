# The records as C structs. Their memory is not touched before a record is written, so a large ring costs nothing until
# it is used.

cimport cython

cdef extern from *:
    """
    #include <stdint.h>
    #include <stdlib.h>
    #include <time.h>
    #if defined(__x86_64__) || defined(__i386__)
    #include <x86intrin.h>
    #define HUBCORE_COUNTER() __rdtsc()
    #else
    #define HUBCORE_COUNTER() 0
    #endif

    typedef struct {
        uint64_t time;
        uint32_t who, argument;
        uint16_t kind, text;
        uint32_t more;
    } hubcore_record;

    static uint64_t hubcore_now_ns(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    }
    static uint64_t hubcore_ticks(int counter) {
        return counter ? (uint64_t)HUBCORE_COUNTER() : hubcore_now_ns();
    }
    static hubcore_record *hubcore_new_records(Py_ssize_t size) {
        return (hubcore_record *)malloc((size_t)size * sizeof(hubcore_record));
    }
    static void hubcore_set_record(hubcore_record *records, Py_ssize_t i, uint64_t time, int kind, uint32_t who,
                                   uint32_t argument, int text, uint32_t more) {
        hubcore_record *r = records + i;
        r->time = time;
        r->who = who;
        r->argument = argument;
        r->kind = (uint16_t)kind;
        r->text = (uint16_t)text;
        r->more = more;
    }
    static PyObject *hubcore_records_as_bytes(hubcore_record *records, Py_ssize_t first, Py_ssize_t count) {
        return PyBytes_FromStringAndSize((char *)(records + first), count * (Py_ssize_t)sizeof(hubcore_record));
    }
    """
    ctypedef struct hubcore_record:
        pass
    unsigned long long now_ns "hubcore_now_ns"() noexcept
    unsigned long long ticks "hubcore_ticks"(int counter) noexcept
    hubcore_record* new_records "hubcore_new_records"(Py_ssize_t size) noexcept
    void free_records "free"(hubcore_record* records) noexcept
    void set_record "hubcore_set_record"(
        hubcore_record* records, Py_ssize_t i, unsigned long long time, int kind, unsigned int who,
        unsigned int argument, int text, unsigned int more) noexcept
    bytes records_as_bytes "hubcore_records_as_bytes"(hubcore_record* records, Py_ssize_t first, Py_ssize_t count)


@cython.final
cdef class Ring:
    cdef readonly Py_ssize_t count
    cdef readonly long long dropped
    cdef Py_ssize_t _size
    cdef Py_ssize_t _next
    cdef bint _wraps
    cdef bint _counter
    cdef hubcore_record* _records
    cdef list _data

    cdef unsigned long long now(self) noexcept
    cdef put(self, unsigned long long time, int kind, unsigned int who, unsigned int argument, int text,
             unsigned int more)
