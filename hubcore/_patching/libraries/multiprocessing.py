"""Makes multiprocessing cooperative, beyond the patched threads, sockets and selectors that it is built on.

The program's start method stays; child processes that are not forked are ordinary, unpatched Pythons.

- A connection waits until its fd is ready, then reads or writes as much as cannot block. The fd stays blocking: a
  process that does not use hubcore may share it.
- Locks and semaphores are the system's: they have no fd to wait for, and a thread that waits for one cannot be
  interrupted. So `acquire` tries again after pauses that grow up to LONGEST_PAUSE seconds; a release in the same
  process ends the pause at once.
- The owner of an RLock is a greenlet.
- `Condition.wait` takes its lock again through any interrupts, as in `_threads.condition_wait`.

In a thread without a hub all of this waits as the standard library does: there is no other greenlet to run.
"""

from __future__ import annotations

import _multiprocessing  # type: ignore[import-not-found]
from select import PIPE_BUF
from time import monotonic

from hubcore._base.originals import read_fd, set_blocking, write_fd
from hubcore._io.wait_fd import wait_read, wait_write
from hubcore._patching import cpython_internals as _cpython_internals
from hubcore._patching.import_hooks import after_import
from hubcore._patching.replace import patch_attribute, patch_item, warn
from hubcore._sync.retake import retake
from hubcore._sync.steps import note_try
from hubcore.event import Event
from hubcore.hub import get_hub_if_any
from hubcore.local import local
from hubcore.selectors import PollSelector
from hubcore.thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SHORTEST_PAUSE = 0.0002
LONGEST_PAUSE = 0.01

_native: Any = _multiprocessing
_NativeSemLock: Any = _native.SemLock
_RECURSIVE = 0


def patch_multiprocessing() -> None:
    """Patch multiprocessing now, or when the program imports it. Repeated calls are allowed."""
    if _native.SemLock is SemLock:
        return
    patch_item(_native, "SemLock", SemLock)
    after_import("multiprocessing.connection", _patch_connection)
    after_import("multiprocessing.resource_sharer", _patch_resource_sharer)
    after_import("multiprocessing.synchronize", _patch_synchronize)
    after_import("multiprocessing.util", _patch_util)


class SemLock(_NativeSemLock):  # type: ignore[misc]
    """Like _multiprocessing.SemLock: a semaphore of the system, or a lock that its owner can acquire again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._begin()

    def _begin(self) -> None:
        self._released = Event()  # each release in this process sets and clears it
        self._owner = 0
        self._times = 0

    @classmethod
    def _rebuild(cls, *state: Any) -> SemLock:
        new: SemLock = super()._rebuild(*state)
        new._begin()
        return new

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Acquire it within `timeout` seconds; return whether that succeeded. Switches if it must wait in a hub."""
        if self.kind == _RECURSIVE:
            return self._acquire_again(block, timeout)
        return self._acquire(block, timeout)

    def _acquire(self, block: bool, timeout: float | None) -> bool:
        if super().acquire(False):
            return True
        if not block or (timeout is not None and timeout <= 0):
            note_try()
            return False
        hub = get_hub_if_any()
        if hub is None:
            return bool(super().acquire(True, timeout))
        end = None if timeout is None else hub.loop.update_now() + timeout
        pause = SHORTEST_PAUSE
        while True:
            left = pause if end is None else min(pause, end - hub.loop.update_now())
            self._released.wait(max(left, 0.0))
            if super().acquire(False):
                return True
            if end is not None and left <= 0:
                return False
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _acquire_again(self, block: bool, timeout: float | None) -> bool:
        me = get_ident()
        if self._owner == me:
            self._times += 1
            return True
        hub = get_hub_if_any()
        clock = monotonic if hub is None else hub.loop.update_now
        end = None if timeout is None else clock() + timeout
        while True:
            left = None if end is None else end - clock()
            # The system's lock counts owners by thread: another greenlet of the owner's thread would get it, too.
            if not self._owner and self._acquire(block, left):
                if not self._owner:
                    self._owner, self._times = me, 1
                    return True
                super().release()  # another greenlet was faster
            if not block or (left is not None and left <= 0):
                note_try()
                return False
            if self._owner:
                self._released.wait(left)

    def release(self) -> None:
        """Release it. Never switches. AssertionError if it is recursive and the caller does not own it."""
        if self.kind == _RECURSIVE:
            if self._owner != get_ident():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            self._times -= 1
            if self._times:
                return
            self._owner = 0
        super().release()
        self._released.set()
        self._released.clear()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *failure: object) -> None:
        self.release()

    def _is_mine(self) -> bool:
        return self._owner == get_ident() if self.kind == _RECURSIVE else bool(super()._is_mine())

    def _count(self) -> int:
        return self._times if self.kind == _RECURSIVE else int(super()._count())

    def _after_fork(self) -> None:
        super()._after_fork()
        self._begin()


# Conditions.


def _patch_synchronize(module: Any) -> None:
    patch_attribute(module.Condition, "wait", _wait)


def _wait(self: Any, timeout: float | None = None) -> bool:
    """As multiprocessing.Condition.wait. Switches. However it ends, the caller then owns the lock."""
    assert self._lock._semlock._is_mine(), "must acquire() condition before using wait()"
    self._sleeping_count.release()
    count = self._lock._semlock._count()
    for _ in range(count):
        self._lock.release()
    taken = 0

    def take(count: int) -> None:
        nonlocal taken
        while taken < count:
            self._lock.acquire()
            taken += 1

    notified, failure = False, None
    try:
        notified = self._wait_semaphore.acquire(True, timeout)
    except BaseException as error:
        failure = error
    self._woken_count.release()
    failure = retake(self, self._lock, take, count, failure)
    try:
        if failure is not None:
            raise failure
    finally:
        del failure  # its traceback refers to this frame
    return notified


# Connections.


def _recv_ready(connection: Any, size: int) -> bytes:
    """Call os.read once the fd is readable."""
    while True:
        if get_hub_if_any() is not None:
            wait_read(connection)
        try:
            return read_fd(connection, size)
        except BlockingIOError:
            continue


def _send_ready(connection: Any, data: Any) -> int:
    """Call os.write once the fd is writable, with at most the number of bytes that cannot block then."""
    if get_hub_if_any() is None:
        return write_fd(connection, data)
    while True:
        wait_write(connection)
        try:
            return write_fd(connection, memoryview(data)[:PIPE_BUF])
        except BlockingIOError:
            continue


def _patch_connection(module: Any) -> None:
    text = _cpython_internals.gap("multiprocessing")  # not earlier: it imports the modules that it inspects
    if text:
        warn(text)
        return
    patch_item(module, "_WaitSelector", PollSelector)
    kind = module.Connection
    receive, send, set_up = kind._recv, kind._send, kind.__init__

    def _recv(self: Any, size: int, read: Callable[[int, int], bytes] = _recv_ready) -> Any:
        return receive(self, size, read)

    def _send(self: Any, buf: Any, write: Callable[[int, Any], int] = _send_ready) -> None:
        send(self, buf, write)

    def __init__(self: Any, handle: int, *args: Any, **kwargs: Any) -> None:
        set_up(self, handle, *args, **kwargs)
        # The fd of a socket may be non-blocking, and the other processes that get it do not expect that.
        try:
            set_blocking(self._handle, True)
        except OSError:
            pass  # not an open fd: the first use raises, as in the standard library

    kind._recv, kind._send, kind.__init__ = _recv, _send, __init__


def _patch_resource_sharer(module: Any) -> None:
    # Its thread blocks all signals in its own mask: as a greenlet it would block those of the hub's thread.
    module.signal = _NoSignals()


class _NoSignals:
    """Stands in for the signal module: hasattr(signal, "pthread_sigmask") is False."""


def _patch_util(module: Any) -> None:
    if issubclass(module.ForkAwareLocal, local):
        return
    register = module.register_after_fork

    class ForkAwareLocal(local):
        """Like multiprocessing.util.ForkAwareLocal: attributes per greenlet, cleared in a forked child."""

        def __init__(self) -> None:
            register(self, lambda each: each.__dict__.clear())

        def __reduce__(self) -> Any:
            return type(self), ()

    patch_item(module, "ForkAwareLocal", ForkAwareLocal)
