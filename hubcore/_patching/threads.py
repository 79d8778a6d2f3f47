"""The part of patching threads that goes beyond replacing names: locks and threads that exist already.

The standard library's classes stay, because they look up their locks in their module. Objects made before the patch
hold native locks.
"""

from __future__ import annotations

import sys
import threading as _stdlib

from hubcore import thread, threading
from hubcore._base import originals as _originals
from hubcore._base import worker_threads as _worker_threads
from hubcore._patching import cpython_internals as _cpython_internals
from hubcore._patching.existing import locks as _locks
from hubcore._patching.existing.locks import is_free, is_native, new_for
from hubcore._patching.import_hooks import after_import
from hubcore._patching.replace import patch_attribute
from hubcore._sync.steps import count_all
from hubcore._threads import condition_wait
from hubcore._threads.join_lock import EndLock
from hubcore.event import Event as _Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._patching.existing.referrers import Referrers

_private: Any = _stdlib  # for its private names; see hubcore._patching.cpython_internals


def patch_threading(
    existing_locks: bool = True,
    logging: bool = True,
    Event: bool = True,
    warn: Callable[[str], object] | None = None,
) -> None:
    """Make existing threads and locks cooperative, after the names of `_thread` and `threading` were replaced.

    A greenlet can then join the main thread and running native threads; a Thread that has not started yet will be a
    greenlet. `logging` replaces the locks of logging; `existing_locks` replaces every other lock that can be replaced
    (`left_locks` lists the rest) and the queues of executors. multiprocessing is patched now, or when the program
    imports it. Repeated calls are allowed.
    """
    count_all()
    patch_attribute(_stdlib.Condition, "wait", condition_wait.wait)
    for name in ("_active_limbo_lock", "_shutdown_locks_lock"):
        _replace(_stdlib, name)
    for each in tuple(_private._dangling):
        _upgrade_thread(each)
    if existing_locks and not other_threads():
        _locks.replace_free()
    if logging:
        _patch_logging(warn)
    if existing_locks:
        _patch_executors(warn)
    if _is_known("_multiprocessing", warn):
        from hubcore._patching.libraries.multiprocessing import patch_multiprocessing

        patch_multiprocessing()
    for module in _WITH_QUEUES:
        after_import(module, _give_queues)


def other_threads() -> set[int]:
    """Return the idents of native threads, other than this one, that may run Python code of the program."""
    mine = {_originals.get_ident()} | _worker_threads.idle_thread_idents() | set(_worker_threads.running)
    return set(sys._current_frames()) - mine


def left_locks() -> list[Referrers]:
    """Return the native locks that programs and libraries still hold: where each is, and why it was not replaced."""
    return list(_locks.left())


def _replace(owner: Any, name: str) -> bool:
    """Replace the lock `owner.name` if it is native and free; return whether it was replaced."""
    lock = getattr(owner, name, None)
    if not is_native(lock) or not is_free(lock):
        return False
    setattr(owner, name, new_for(lock))
    return True


# Threads.


def _upgrade_thread(each: Any) -> None:
    if not each._started.is_set():
        each._invoke_excepthook = _private._make_invoke_excepthook()
    if not isinstance(getattr(each, "_started", None), _Event):
        started = _Event()
        if each._started.is_set():
            started.set()
        each._started = started
    if threading.HANDLE:
        _upgrade_handle(each)
    elif is_native(each._tstate_lock):
        _upgrade_end(each)


def _upgrade_handle(each: Any) -> None:
    native = getattr(each, threading.HANDLE)
    if isinstance(native, (thread._ThreadHandle, NativeHandle)):
        return
    if each is _private._main_thread and not native.is_done():
        new: Any = thread._make_thread_handle(native.ident)
    elif each._started.is_set():
        new = NativeHandle(native)
    else:
        new = thread._ThreadHandle()
    setattr(each, threading.HANDLE, new)


def _upgrade_end(each: Any) -> None:
    """Replace the lock that the interpreter, up to CPython 3.12, releases when the thread ends."""
    native = each._tstate_lock
    new: Any = None
    if each is _private._main_thread:
        new = EndLock()  # threading._shutdown releases it
        new.acquire()
    else:
        new = NativeEnd(native)
    each._tstate_lock = new
    if native in _private._shutdown_locks:
        _private._shutdown_locks.discard(native)
        _private._shutdown_locks.add(new)


class _Watch:
    """Waits in a worker thread for the end of a native thread, from the first waiter on."""

    def __init__(self, wait: Callable[[], object]) -> None:
        self._wait = wait
        self._ended = _Event()
        self._watched = False

    def wait(self, timeout: float | None) -> bool:
        """Wait up to `timeout` seconds for the end; return whether the thread has ended. Switches."""
        if not self._watched:
            _worker_threads.start(self._call)
            self._watched = True
        return self._ended.wait(timeout)

    def _call(self) -> None:
        self._wait()
        self._ended.set()


class NativeEnd:
    """Stands in for a native thread's `_tstate_lock`, which the thread's end releases: its waits let greenlets run."""

    def __init__(self, native: Any) -> None:
        self._native = native
        self._watch = _Watch(self._see_the_end)

    def _see_the_end(self) -> None:
        with self._native:
            pass

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Behave as the same method of a lock."""
        if self._native.acquire(False):
            return True
        if not blocking:
            return False
        # After the thread's end, other waiters hold the lock only to test it, never across a switch.
        return self._watch.wait(None if timeout < 0 else timeout) and bool(self._native.acquire())

    def release(self) -> None:
        """Behave as the same method of a lock."""
        self._native.release()

    def locked(self) -> bool:
        """Behave as the same method of a lock."""
        return bool(self._native.locked())

    def _at_fork_reinit(self) -> None:
        self._native._at_fork_reinit()


class NativeHandle:
    """Stands in for a native thread's `_ThreadHandle`: `join` lets other greenlets run."""

    def __init__(self, native: Any) -> None:
        self._native = native
        self._watch = _Watch(native.join)

    @property
    def ident(self) -> int:
        """The thread's ident."""
        return int(self._native.ident)

    def is_done(self) -> bool:
        """Return whether the thread has ended."""
        return bool(self._native.is_done())

    def join(self, timeout: float | None = None) -> None:
        """Wait up to `timeout` seconds for the thread's end. Switches."""
        if not self._native.is_done():
            self._watch.wait(None if timeout is None or timeout < 0 else timeout)

    def _set_done(self) -> None:
        self._native._set_done()


# These modules wait on a queue.SimpleQueue, which is written in C. Where threads are patched and `queue` is not, their
# greenlets would block the thread in it; so they get hubcore's `queue`.
_WITH_QUEUES = ("concurrent.futures.thread", "multiprocessing.pool")


def _give_queues(module: Any) -> None:
    from hubcore import queue

    if module.queue.SimpleQueue is not queue.SimpleQueue:
        module.queue = queue


# Locks of the standard library that must be replaced even while other threads run.


def _is_known(module: str, warn: Callable[[str], object] | None) -> bool:
    text = _cpython_internals.gap(module)
    if text and warn is not None:
        warn(text)
    return not text


def _patch_logging(warn: Callable[[str], object] | None) -> None:
    logging: Any = sys.modules.get("logging")
    if logging is None or not _is_known("logging", warn):
        return
    _replace(logging, "_lock")
    handlers = {id(each): each for ref in tuple(logging._handlerList) if (each := _referent(ref)) is not None}
    handlers.update({id(each): each for each in tuple(logging._at_fork_reinit_lock_weakset)})
    for each in (*handlers.values(), logging.lastResort):
        _replace(each, "lock")


def _referent(handler: Any) -> Any:
    # A program that adds a handler to the list by hand may add it without a weak reference; logging accepts that.
    return handler() if callable(handler) else handler


def _patch_executors(warn: Callable[[str], object] | None) -> None:
    module: Any = sys.modules.get("concurrent.futures.thread")
    if module is None or not _is_known("concurrent.futures", warn):
        return
    from hubcore._patching.existing.executors import upgrade_executors

    for each in upgrade_executors(module):
        _replace(each, "_shutdown_lock")  # `submit` holds it, like the lock below
    if not is_native(module._global_shutdown_lock):
        return
    # `submit` holds this lock while it waits for the new worker to start.
    if _replace(module, "_global_shutdown_lock"):
        import os

        os.register_at_fork(after_in_child=module._global_shutdown_lock._at_fork_reinit)
