cimport cython

from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._capi.thread_state cimport process_ends
from hubcore.hub cimport Hub, hub_here

cdef int _PART, _POLL, _left
cdef bint _all_count
cdef object _getsignal
cdef tuple _signals

@cython.locals(hub=Hub, part=int)
cpdef int spend_part() except -1
@cython.locals(current=greenlet)
cdef _pause(Hub hub)
@cython.locals(interrupting=list)
cpdef bint interrupts_other_code() except -1
@cython.locals(found=list)
cdef list _handlers()
cdef bint _is_one_of(list them, it) except -1

# Inline, because a lock that is free takes hardly longer than a call.

# Count a lock taken at once, or a look at a flag. May switch.
cdef inline int count_step() except -1:
    global _left
    _left -= 1
    return 0 if _left > 0 else spend_part()

# Count a try that does not wait: as much as an operation that `Scheduler.spend` counts. Else as `count_step`.
cdef inline int count_try() except -1:
    global _left
    _left -= 16
    return 0 if _left > 0 else spend_part()

# The same, if threads are greenlets; for objects that programs without threads use, too.
cdef inline int count_step_if_patched() except -1:
    return count_step() if _all_count else 0

cdef inline int count_try_if_patched() except -1:
    return count_try() if _all_count else 0
