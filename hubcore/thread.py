"""The standard library's `_thread` module, cooperatively: its threads are greenlets of the calling thread's hub.

All other names are the standard library's own.
"""

from __future__ import annotations

import _thread as _stdlib
import os as _os
import sys as _sys
from _thread import TIMEOUT_MAX, error, exit, get_native_id, stack_size

from greenlet import GreenletExit, getcurrent

from hubcore import local as _locals
from hubcore._base.hints import Any, Callable
from hubcore._base.originals import original
from hubcore._base.package import publish_all
from hubcore._core import tracing as _tracing
from hubcore._core.running_loop import per_greenlet_state
from hubcore._process.ctrl_c import is_pending
from hubcore._process.handler_greenlets import HandlerGreenlet
from hubcore._sync.steps import note_try as _note_try
from hubcore._sync.thread_lock import Lock as LockType
from hubcore._sync.thread_lock import RLock, get_ident
from hubcore._threads import native_threads as _native_threads
from hubcore._threads.join_lock import EndLock
from hubcore._threads.thread_event import ThreadEvent as _Event
from hubcore._watchers.signals import watched_by
from hubcore.exceptions import Cancelled, HubDestroyed
from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub_if_any

_original: Any = _stdlib  # as Any: its names differ between versions
_native_ident = _stdlib.get_ident
_native_count = _stdlib._count
_native_interrupt = _stdlib.interrupt_main
_native_shutdown = getattr(_stdlib, "_shutdown", None)
_native_main_ident = getattr(_stdlib, "_get_main_thread_ident", None)

allocate_lock = allocate = lock = LockType
Lock = LockType  # its own name, by which pickle finds it
_local = _locals.local

_running: set[object] = set()  # the greenlets that are threads, from their first step to their last
_of_this_greenlet = _local()


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
) -> int:
    """Start a greenlet of this thread's hub that calls `function(*args, **kwargs)`; return its ident. Never switches.

    It begins without context variables, as a thread does. Its exception goes to sys.unraisablehook, unless it is
    SystemExit, or a kill or cancellation of the greenlet.
    """
    if not callable(function):
        raise TypeError("first arg must be callable")
    if not isinstance(args, tuple):
        raise TypeError("2nd arg must be a tuple")
    if kwargs is not None and not isinstance(kwargs, dict):
        raise TypeError("optional 3rd arg must be a dictionary")
    _sys.audit("_thread.start_new_thread", function, args, kwargs)
    return _start(function, args, kwargs, None)


start_new = start_new_thread


def _start(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None, handle: _ThreadHandle | None
) -> int:
    if _native_threads.stays_native(function):
        return _start_native(function, args, kwargs, handle)
    try:
        elsewhere = _native_threads.start_at_home(_start_here, function, args, kwargs, handle)
    except HubDestroyed:
        return _start_native(function, args, kwargs, handle)
    return _start_here(function, args, kwargs, handle) if elsewhere is None else elsewhere


def _start_here(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None, handle: _ThreadHandle | None
) -> int:
    new = Greenlet(_run, function, args, kwargs or {}, handle)
    new.gr_context = None
    ident = get_ident(new)
    if handle is not None:
        handle._begin(ident)
    new.start()
    return ident


def _start_native(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None, handle: _ThreadHandle | None
) -> int:
    def call() -> None:
        if handle is not None:
            handle.ident = _native_ident()
        try:
            function(*args, **kwargs or {})
        finally:
            if handle is not None:
                handle._end()

    if handle is None:
        return _native_threads.start_native(call)
    handle._begin(0)
    try:
        ident = _native_threads.start_native(call)
    except BaseException:
        handle._started = False
        raise
    handle.ident = ident
    return ident


def _run(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any], handle: _ThreadHandle | None
) -> None:
    current = getcurrent()
    _running.add(current)
    if handle is not None:
        _handles[current] = handle
    threading: Any = _sys.modules.get("threading")
    # The thread will set the trace and profile functions, so the greenlet gets its own.
    traced = threading is not None and bool(threading.gettrace() or threading.getprofile())
    if traced:
        per_greenlet_state.begin_tracing()
    try:
        function(*args, **kwargs)
    except (GreenletExit, Cancelled):
        raise
    except SystemExit:
        pass
    except BaseException as failure:
        if not dealt_with(failure):
            _report(failure, function)
    finally:
        if traced:
            _tracing.end()
        _running.discard(current)
        if handle is not None:
            _handles.pop(current, None)
            handle._end()


def dealt_with(failure: BaseException | None) -> bool:
    """Return whether the failure of a thread, the calling greenlet, needs no report. False in a native thread.

    A kill or a cancellation is no failure. Python raises KeyboardInterrupt in the greenlet that happens to run in the
    main thread; this function raises it in the main greenlet.
    """
    current = getcurrent()
    hub = get_hub_if_any()
    if hub is None or current.parent is None:
        return False
    if isinstance(failure, (GreenletExit, Cancelled, HubDestroyed)):
        return True
    if isinstance(failure, KeyboardInterrupt) and hub.main is not current and watched_by(hub):
        if not is_pending(hub):  # else the main greenlet is about to raise one already
            hub.interrupt_now(hub.main, failure)
        return True
    return False


def interrupt_main(signum: Any = 2) -> None:
    """Simulate the arrival of signal `signum`: the main thread calls its Python handler, if any, as soon as it can.

    In another greenlet of the main thread, call the handler at once; its exception is raised in the main greenlet.
    """
    hub = get_hub_if_any()
    current = getcurrent()
    if hub is None or not watched_by(hub) or current is hub.main or isinstance(current, HandlerGreenlet):
        _native_interrupt(signum)
        return
    handler = original("signal", "getsignal")(signum)  # a handler that the patched `signal` set may wait
    if callable(handler):
        hub.run_signal_callbacks(lambda: handler(signum, None))


if hasattr(_stdlib, "set_name"):  # from CPython 3.14 on
    _native_set_name = _stdlib.set_name

    def set_name(name: str) -> None:
        """Set the operating system's name of the calling thread. In a greenlet that is a thread nothing is changed.

        The thread to which the hub belongs runs all its greenlets, and keeps its own name: of the main thread that is
        the one by which `ps` and `killall` know the process.
        """
        if not isinstance(name, str):
            raise TypeError(f"set_name() takes a string, not {name!r}")
        if getcurrent().parent is None:
            _native_set_name(name)


def _report(failure: BaseException, function: object) -> None:
    text = "Exception ignored in thread started by"
    what: Any = (type(failure), failure, failure.__traceback__, text, function)
    if _sys.version_info >= (3, 13):
        what = (type(failure), failure, failure.__traceback__, f"{text} {function!r}", None)
    _sys.unraisablehook(_unraisable()(what))


_unraisable_types: list[Any] = []


def _unraisable() -> Any:
    """Return the type of the argument of sys.unraisablehook. No module names that type, so a sample provides it."""
    while not _unraisable_types:
        hook = _sys.unraisablehook

        def look(seen: Any, hook: Any = hook) -> None:
            _unraisable_types.append(type(seen))
            if type(seen.exc_value) is not _Sample:
                hook(seen)  # from another thread

        _sys.unraisablehook = look
        try:
            _Failing()
        finally:
            _sys.unraisablehook = hook
    return _unraisable_types[0]


class _Sample(Exception):
    pass


class _Failing:
    def __del__(self) -> None:
        raise _Sample


def _count() -> int:
    """Return the number of threads, greenlets and native ones, without the main thread."""
    _note_try()
    return len(_running) + _native_count()


# Up to CPython 3.12.


class _EndOfGreenlet:
    """Lives in the greenlet's locals, so it is freed when the greenlet ends; then it releases its lock."""

    __slots__ = ("lock",)

    def __init__(self, lock: EndLock) -> None:
        self.lock = lock

    def __del__(self) -> None:
        if self.lock.locked():
            self.lock.release()


def _set_sentinel() -> EndLock:
    """Return a new lock. When the calling greenlet or thread ends, the lock is released if it is locked."""
    new = EndLock()
    _of_this_greenlet.end = _EndOfGreenlet(new)
    return new


# Since CPython 3.13.


class _ThreadHandle:
    """The handle by which a thread can be joined."""

    __slots__ = ("__weakref__", "_done", "_started", "ident")

    def __init__(self) -> None:
        self.ident: int = 0
        self._started = False
        self._done = _Event()

    def _begin(self, ident: int) -> None:
        if self._started:
            raise RuntimeError("thread already started")
        self._started = True
        self.ident = ident

    def _end(self) -> None:
        self._done.set()
        _to_be_joined.pop(self, None)

    def is_done(self) -> bool:
        """Return whether the thread has ended."""
        return self._done.is_set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended, at most `timeout` seconds. Switches. RuntimeError in the thread itself."""
        if not self._started:
            raise RuntimeError("thread not started")
        if not self._done.is_set() and self.ident == get_ident():
            raise RuntimeError("Cannot join current thread")
        self._done.wait(None if timeout is None or timeout < 0 else timeout)

    def _set_done(self) -> None:
        if not self._started:
            raise RuntimeError("thread not started")
        self._end()

    def _forget_parents_thread(self) -> None:
        self._done._at_fork_reinit()
        self._end()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object: ident={self.ident}>"


_handles: dict[object, _ThreadHandle] = {}  # of running threads, by greenlet
_to_be_joined: dict[_ThreadHandle, None] = {}  # at the end of the process


def start_joinable_thread(
    function: Callable[[], object], handle: _ThreadHandle | None = None, daemon: bool = True
) -> _ThreadHandle:
    """Start a greenlet of this thread's hub that calls `function()`; return its handle. Never switches.

    Unless `daemon`, the process waits for the greenlet before it ends.
    """
    if not callable(function):
        raise TypeError("thread function must be callable")
    if handle is None:
        handle = _ThreadHandle()
    elif not isinstance(handle, _ThreadHandle):
        raise TypeError("'handle' must be a _ThreadHandle")
    _sys.audit("_thread.start_joinable_thread", function, int(daemon), handle)
    if not daemon:
        _to_be_joined.setdefault(handle)  # first: a native thread may end at once
    try:
        _start(function, (), None, handle)
    except BaseException:
        if not handle._started:
            _to_be_joined.pop(handle, None)
        raise
    return handle


def _make_thread_handle(ident: int) -> _ThreadHandle:
    """Return a handle for the running thread `ident`. The caller must call `_set_done` when the thread ends."""
    new = _ThreadHandle()
    new._begin(ident)
    return new


def _join_greenlets() -> None:
    """Wait for all non-daemon threads of `start_joinable_thread` that are greenlets. Switches."""
    own = get_ident()
    while waited := [handle for handle in tuple(_to_be_joined) if handle.ident != own]:
        for handle in waited:
            handle.join()


def _shutdown() -> None:
    """Wait for all non-daemon threads, greenlets first. Switches."""
    _join_greenlets()
    if _native_shutdown is not None:
        _native_shutdown()


def _get_main_thread_ident() -> int:
    """Return the ident of the main thread. `threading` calls this in that thread, or in the greenlet that forked."""
    main: int = _native_ident() if _native_main_ident is None else _native_main_ident()
    return get_ident() if main == _native_ident() else main


def _after_fork_in_child() -> None:
    # Of the parent's greenlets, only the one that forked runs in the child.
    current = getcurrent()
    _running.intersection_update((current,))
    _tracing.forget_after_fork()
    for greenlet, handle in tuple(_handles.items()):
        if greenlet is not current:
            del _handles[greenlet]
            handle._forget_parents_thread()
    for handle in tuple(_to_be_joined):
        if handle is not _handles.get(current):
            handle._forget_parents_thread()


if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_after_fork_in_child)


def __getattr__(name: str) -> Any:
    # Read at each access, so that the names of every version of the standard library are here, with current values.
    return getattr(_original, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_original)})


#: The names that replace those of `_thread` under patching.
__implements__: list[str] = [
    name
    for name in (
        "LockType",
        "RLock",
        "_ThreadHandle",
        "_count",
        "_get_main_thread_ident",
        "_local",
        "_make_thread_handle",
        "_set_sentinel",
        "_shutdown",
        "allocate",
        "allocate_lock",
        "get_ident",
        "interrupt_main",
        "lock",
        "set_name",
        "start_joinable_thread",
        "start_new",
        "start_new_thread",
    )
    if hasattr(_stdlib, name)
]

__all__ = [
    "TIMEOUT_MAX",
    "LockType",
    "RLock",
    "allocate",
    "allocate_lock",
    "error",
    "exit",
    "get_ident",
    "get_native_id",
    "interrupt_main",
    "stack_size",
    "start_new",
    "start_new_thread",
]


publish_all(globals())
