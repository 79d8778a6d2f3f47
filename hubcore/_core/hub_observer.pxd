cimport cython

from hubcore._capi.greenlet cimport getcurrent, greenlet, import_greenlet
from hubcore._capi.thread_state cimport get_ident
from hubcore._core.base_loop cimport BaseLoop
from hubcore._core.observer cimport Observer
from hubcore._core.raw_greenlet cimport FINISHED, RawGreenlet, next_serial
from hubcore._core.ring cimport Ring
from hubcore._core.waiter cimport WAITING, WaitEntry, Waiter

cdef enum Kind:
    SPAWN = 1
    READY
    RESUME
    SUSPEND
    GIVE_WAY
    END
    POLL
    POLLED
    MARK
    REGION
    REGION_END
    EXISTS

cdef enum How:
    EVENT
    GREENLET
    THREAD

cdef tuple _on_spawned, _on_resumed, _on_suspended, _on_ready, _on_ended, _on_poll_began, _on_poll_ended
cdef object _on_failure
cdef tuple _WITH_NAMES
cdef dict _foreign

@cython.locals(raw=RawGreenlet)
cpdef unsigned int serial_of(greenlet target) except? 0
cdef unsigned int _foreign_serial(greenlet target) except? 0


@cython.final
cdef class Texts:
    cdef readonly list texts
    cdef dict _ids
    cdef dict _waits
    cdef dict _fds
    cdef object _latest_kind
    cdef object _latest_purpose
    cdef int _latest

    cpdef int id_of(self, text) except -1
    @cython.locals(raw=RawGreenlet)
    cdef int name(self, target) except -1
    cdef bint has_fd(self, kind) except -1
    @cython.locals(entry=WaitEntry, by_purpose=dict)
    cdef int wait(self, waiting_on) except -1


cdef class HubObserver(Observer):
    cdef readonly object hub
    cdef readonly BaseLoop loop
    cdef readonly Ring ring
    cdef readonly Texts texts
    cdef greenlet _running
    cdef unsigned long long _tick
    cdef bint _in_pass
    cdef bint _fresh

    @cython.locals(waiter=Waiter, target=greenlet, by=greenlet, spawned=bint, tick=cython.ulonglong, who=cython.uint, waker=cython.uint, how=int, ring=Ring, texts=Texts)
    cpdef pushed(self, entry, bint from_outside)
    @cython.locals(own=Waiter, current=greenlet, gives_way=bint, ring=Ring, texts=Texts)
    cpdef left(self, waiter)
    @cython.locals(before=greenlet, raw=RawGreenlet, ended=bint, ring=Ring, texts=Texts)
    cpdef hub_runs(self)
    @cython.locals(before=greenlet, ring=Ring, texts=Texts)
    cdef _goes_on(self, current)
    @cython.locals(raw=RawGreenlet, ring=Ring, texts=Texts, site=int, tick=cython.ulonglong)
    cpdef record_existing(self, greenlet target, name, waiting_on)
    @cython.locals(ring=Ring)
    cpdef record_mark(self, int kind, text)
    @cython.locals(polling=bint)
    cdef _call(self, tuple methods, tuple arguments)

@cython.locals(raw=RawGreenlet, site=int)
cdef _record_spawn(Ring ring, Texts texts, unsigned long long tick, target, unsigned int who, unsigned int by)
@cython.locals(raw=RawGreenlet, text=int, argument=int, fd=int)
cdef _record_wait(Ring ring, Texts texts, unsigned long long tick, unsigned int who, waiting_on)
