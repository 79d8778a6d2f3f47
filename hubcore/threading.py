"""The standard library's threading module, cooperatively: its threads are greenlets.

These threads are in the tables of the standard library's module, patched or not: `enumerate` lists them, and they are
instances of its Thread. The standard library's own classes look up their locks in their module. Under patching they
find these locks there, and so become cooperative without a change; so do existing instances and subclasses. Hence the
classes here do not replace them. All other names are the standard library's own.
"""

from __future__ import annotations

import sys as _sys
import threading as _stdlib
from contextlib import suppress
from contextvars import Context, copy_context
from threading import BrokenBarrierError, ThreadError, main_thread

from hubcore import thread as _thread
from hubcore._base.hints import Any, Callable, Iterable, Mapping
from hubcore._base.package import publish_all
from hubcore._sync.barrier import Barrier
from hubcore._sync.condition import Condition as _Condition
from hubcore._sync.locks import BoundedSemaphore as _BoundedSemaphore
from hubcore._sync.locks import Semaphore as _Semaphore
from hubcore._sync.steps import note_try as _note_try
from hubcore._threads.thread_event import ThreadEvent as _Event
from hubcore.thread import (
    TIMEOUT_MAX,
    LockType,
    RLock,
    allocate_lock,
    get_ident,
    get_native_id,
    stack_size,
    start_joinable_thread,
    start_new_thread,
)

if hasattr(_stdlib, "serialize_iterator"):  # from CPython 3.15 on
    from hubcore._threads import iterators as _iterators

    concurrent_tee: Any = _iterators.concurrent_tee
    serialize_iterator = _iterators.serialize_iterator
    synchronized_iterator: Any = _iterators.synchronized_iterator

_private: Any = _stdlib  # its private names; see hubcore._patching.cpython_internals

Lock = _LockType = _allocate_lock = LockType
_CRLock = RLock
local = _thread._local
_start_new_thread = start_new_thread
_start_joinable_thread = start_joinable_thread
_set_sentinel = _thread._set_sentinel
_make_thread_handle = _thread._make_thread_handle
_ThreadHandle = _thread._ThreadHandle
_thread_shutdown = _thread._shutdown
_get_main_thread_ident = _thread._get_main_thread_ident
_set_name = getattr(_thread, "set_name", None)
_make_native_hook = _private._make_invoke_excepthook

#: What a Thread keeps the handle in that `join` waits for: "" until CPython 3.12, which has a lock instead.
HANDLE = next((name for name in ("_os_thread_handle", "_handle") if hasattr(main_thread(), name)), "")


def _make_invoke_excepthook() -> Callable[[_stdlib.Thread], None]:
    """Return the function that a new thread calls when it fails: threading.excepthook, for failures that need it."""
    hook = _make_native_hook()

    def invoke(thread: _stdlib.Thread) -> None:
        if not _thread.dealt_with(_sys.exc_info()[1]):
            hook(thread)

    return invoke


class Event(_Event):
    """As threading.Event: a flag that greenlets and threads wait for."""

    __slots__ = ()

    def isSet(self) -> bool:
        """The same as `is_set`; deprecated by the standard library."""
        import warnings

        warnings.warn("isSet() is deprecated, use is_set() instead", DeprecationWarning, stacklevel=2)
        return self.is_set()

    def __repr__(self) -> str:
        return f"<threading.Event at {id(self):#x}: {'set' if self.is_set() else 'unset'}>"


class Condition(_Condition):
    """As threading.Condition: a condition variable on `lock`, by default on a new RLock."""

    __slots__ = ()

    def __init__(self, lock: Any = None) -> None:
        super().__init__(RLock() if lock is None else lock)

    def locked(self) -> bool:
        """Whether its lock is taken."""
        return bool(self._lock.locked())

    notifyAll = _Condition.notify_all


def _release(semaphore: _Semaphore, n: int) -> None:
    if n < 1:
        raise ValueError("n must be one or more")
    semaphore.grow(n)


class Semaphore(_Semaphore):
    """As threading.Semaphore."""

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        super().__init__(value)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit; return whether it was taken. ValueError for a `timeout` with a false `blocking`.

        Switches if there is no permit, unless `blocking` is false.
        """
        _check_timeout(blocking, timeout)
        if not blocking:
            _note_try()
        return super().acquire(blocking, timeout)

    def release(self, n: int = 1) -> None:  # type: ignore[override]
        """Add `n` permits. Never switches."""
        _release(self, n)


class BoundedSemaphore(_BoundedSemaphore):
    """As threading.BoundedSemaphore."""

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        super().__init__(value)

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """As Semaphore.acquire."""
        _check_timeout(blocking, timeout)
        if not blocking:
            _note_try()
        return super().acquire(blocking, timeout)

    def release(self, n: int = 1) -> None:  # type: ignore[override]
        """Add `n` permits; ValueError if there would be more than initially. Never switches."""
        if n >= 1 and self.counter + n > self._initial_value:
            raise ValueError("Semaphore released too many times")
        _release(self, n)


def _check_timeout(blocking: bool, timeout: float | None) -> None:
    if not blocking and timeout is not None:
        raise ValueError("can't specify timeout for non-blocking acquire")


class Thread(_stdlib.Thread):
    """As threading.Thread, but run in a greenlet of the hub of the thread that starts it."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
        **more: Any,
    ) -> None:
        if daemon is None:
            daemon = current_thread().daemon
        # Not super(): in a Timer, that is the standard Timer, whose arguments differ.
        _stdlib.Thread.__init__(self, group, target, name, args, kwargs, daemon=daemon, **more)
        self._started: Any = Event()
        self._invoke_excepthook = _make_invoke_excepthook()
        if HANDLE:
            setattr(self, HANDLE, _ThreadHandle())

    def start(self) -> None:
        """Start the thread, and wait until it runs. Switches. RuntimeError on a second call."""
        if self._started.is_set():
            raise RuntimeError("threads can only be started once")
        with _private._active_limbo_lock:
            _private._limbo[self] = self
        try:
            if hasattr(self, "_context"):
                self._choose_context()
            if HANDLE:
                start_joinable_thread(self._bootstrap, getattr(self, HANDLE), self.daemon)  # type: ignore[attr-defined]
            else:
                start_new_thread(self._bootstrap)  # type: ignore[attr-defined]
        except BaseException:
            with _private._active_limbo_lock:
                del _private._limbo[self]
            raise
        self._started.wait()

    def _choose_context(self) -> None:
        """From CPython 3.14 on: the context that `run` is called in, unless the program has given one."""
        given: Context | None = self._context
        if given is None:
            inherit = getattr(_sys.flags, "thread_inherit_context", False)
            given = copy_context() if inherit else Context()
        self._context: Context | None = given

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, at most `timeout` seconds. Switches."""
        if self is current_thread():
            raise RuntimeError("cannot join current thread")
        super().join(timeout)

    def _set_ident(self) -> None:
        self._ident = get_ident()

    def _set_os_name(self) -> None:
        # The standard library's would give the name to the thread of the hub.
        if _set_name is not None and self.name:
            with suppress(OSError):
                _set_name(self.name)

    def _set_tstate_lock(self) -> None:
        self._tstate_lock = _set_sentinel()
        self._tstate_lock.acquire()
        if not self.daemon:
            with _private._shutdown_locks_lock:
                _private._maintain_shutdown_locks()
                _private._shutdown_locks.add(self._tstate_lock)

    def _delete(self) -> None:
        with _private._active_limbo_lock:
            del _private._active[get_ident()]


class Timer(Thread, _stdlib.Timer):
    """As threading.Timer: a thread that calls `function` after `interval` seconds, unless it is cancelled."""

    def __init__(
        self,
        interval: float,
        function: Callable[..., object],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        Thread.__init__(self)
        self.interval = interval
        self.function = function
        self.args: Iterable[Any] = args if args is not None else []
        self.kwargs: Mapping[str, Any] = kwargs if kwargs is not None else {}
        self.finished: Any = Event()


class _EndOfDummy:
    """Lives in the locals of a dummy's greenlet, and removes the dummy from the table of threads when that ends."""

    __slots__ = ("_thread",)

    def __init__(self, thread: _DummyThread) -> None:
        self._thread = thread

    def __del__(self, active: dict[int, _stdlib.Thread] = _private._active) -> None:
        # The table is a default argument: at the end of the process some greenlets are freed after this module has lost
        # its names. No lock of the table, because a finalizer cannot wait for it: each step is atomic.
        if active.get(self._thread.ident) is self._thread:
            active.pop(self._thread.ident, None)


_of_this_greenlet = local()


class _DummyThread(_private._DummyThread):  # type: ignore[misc]
    """The result of `current_thread` in a greenlet or thread that threading did not start. Ends with its greenlet."""

    def __init__(self) -> None:
        _stdlib.Thread.__init__(self, name=_private._newname("Dummy-%d"), daemon=True)
        self._started: Any = Event()
        self._started.set()
        self._ident = get_ident()
        if HANDLE:
            setattr(self, HANDLE, _make_thread_handle(self._ident))
        self._set_native_id()
        with _private._active_limbo_lock:
            _private._active[self._ident] = self
        _of_this_greenlet.end = _EndOfDummy(self)


def current_thread() -> _stdlib.Thread:
    """Return the Thread of the calling greenlet; a dummy if threading did not start it."""
    found: _stdlib.Thread | None = _private._active.get(get_ident())
    return found if found is not None else _DummyThread()


def currentThread() -> _stdlib.Thread:
    """The same as `current_thread`."""
    return current_thread()


def main_native_thread() -> _stdlib.Thread:
    """Return the Thread of the program's main thread."""
    return main_thread()


if hasattr(_stdlib, "_start_joinable_thread"):

    def _join_at_the_end() -> None:
        if _private._thread_shutdown is not _thread_shutdown:
            _thread._join_greenlets()  # the unpatched standard library does not wait for greenlets

    _private._register_atexit(_join_at_the_end)


def __getattr__(name: str) -> Any:
    # Read at each access, so that the names of every version of the standard library are here, with current values.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: The names that replace those of threading under patching.
__implements__: list[str] = [
    name
    for name in (
        "Event",
        "Lock",
        "_CRLock",
        "_DummyThread",
        "_LockType",
        "_ThreadHandle",
        "_allocate_lock",
        "_get_main_thread_ident",
        "_make_invoke_excepthook",
        "_make_thread_handle",
        "_set_name",
        "_set_sentinel",
        "_start_joinable_thread",
        "_start_new_thread",
        "_thread_shutdown",
        "get_ident",
        "local",
    )
    if hasattr(_stdlib, name)
]

__all__ = [
    "TIMEOUT_MAX",
    "Barrier",
    "BoundedSemaphore",
    "BrokenBarrierError",
    "Condition",
    "Event",
    "Lock",
    "RLock",
    "Semaphore",
    "Thread",
    "ThreadError",
    "Timer",
    "allocate_lock",
    "current_thread",
    "get_ident",
    "get_native_id",
    "local",
    "main_native_thread",
    "main_thread",
    "stack_size",
    "start_joinable_thread",
    "start_new_thread",
]
__all__ += [name for name in _stdlib.__all__ if name not in __all__]


publish_all(globals())
