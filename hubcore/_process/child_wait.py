"""os.waitpid and its relatives, made cooperative: the greenlet waits for the child, others run.

The greenlet waits until a non-blocking call would have a result, then makes that call. So the kernel's rules are
unchanged: of several waiters for one child, the first gets its status and the others get ECHILD; a C library or another
thread that reaps children takes part as before.

- The end of one child: its pidfd becomes readable (see `_watchers.child`).
- Any child, the children of a process group, stops and continuations: the kernel has no fd for these. A worker thread
  sleeps in waitid(WNOWAIT). That call reaps no child, so it does no harm when its waiters are gone. Waiters for the
  same children share one thread. No SIGCHLD handler is needed, and an existing one is left alone.

In a thread without a hub no other greenlets could run, so the thread makes the standard library's blocking call.
"""

from __future__ import annotations

import os as _os
from operator import index
from resource import struct_rusage
from signal import SIGCHLD

from hubcore._base import worker_threads as _worker_threads
from hubcore._base.hints import Any, Callable
from hubcore._base.originals import close_fd, get_blocking
from hubcore._base.originals import waitpid as native_waitpid
from hubcore._sync.steps import note_try_if_patched
from hubcore.hub import get_hub_if_any, sleep
from hubcore.watchers import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter
    from hubcore.hub import Hub

    Attempt = Callable[[], Any]

# The originals; patching may replace the module's names later.
_wait3 = _os.wait3
_wait4 = _os.wait4
_waitid: Any = getattr(_os, "waitid", None)  # macOS has it since Python 3.13
_pidfd_open: Any = getattr(_os, "pidfd_open", None)

_EXITED = getattr(_os, "WEXITED", 4)
_CHANGES = _os.WUNTRACED | _os.WCONTINUED
_PID: Any = getattr(_os, "P_PID", 1)
_PGID: Any = getattr(_os, "P_PGID", 2)
_ALL: Any = getattr(_os, "P_ALL", 0)
_PIDFD: Any = getattr(_os, "P_PIDFD", None)
_ENDS = (_os.CLD_EXITED, _os.CLD_KILLED, _os.CLD_DUMPED)
_LONGEST_NAP = 0.05  # seconds between two looks, where neither a pidfd nor waitid is available

# The statuses of children that a watcher has reaped and no caller has fetched yet, by pid, oldest first.
_reaped: dict[int, int] = {}
_NO_USAGE = struct_rusage((0.0,) * 2 + (0,) * 14)  # the resource usage, which a watcher does not get
_MOST_REAPED = 1000
# The watchers that reap a child when it ends, by the child's pid.
_watchers: dict[int, Any] = {}


def keep_status(pid: int, status: int) -> None:
    """Keep the status of the child `pid`, which a watcher has reaped, for one later wait. Never switches."""
    _reaped[pid] = status
    if len(_reaped) > _MOST_REAPED:
        del _reaped[next(iter(_reaped))]


def watched(pid: int, watcher: Any) -> None:
    """Register `watcher` as the one that reaps `pid` (None: remove the entry). Never switches.

    If a call in this module reaps the child first, it passes the status on to the watcher.
    """
    if watcher is None:
        _watchers.pop(pid, None)
    else:
        _watchers[pid] = watcher


def waitpid(pid: int, options: int) -> tuple[int, int]:
    """Like os.waitpid. Switches, unless a status is available or WNOHANG is given.

    Where threads are greenlets, a loop over calls with WNOHANG lets others run now and then, as all tries do.
    """
    try:
        number, flags = index(pid), index(options)
    except TypeError:
        return native_waitpid(pid, options)  # raises the right error
    found: tuple[int, int] = _cooperatively(
        lambda: native_waitpid(pid, options), lambda: native_waitpid(number, flags | _os.WNOHANG), number, flags, ()
    )
    return found


def wait() -> tuple[int, int]:
    """Like os.wait. Switches, unless a child has ended already."""
    return waitpid(-1, 0)


def wait3(options: int) -> tuple[int, int, Any]:
    """Like os.wait3. Switches, unless a status is available or WNOHANG is given.

    The resource usage is all zeros if a watcher has reaped the child.
    """
    try:
        flags = index(options)
    except TypeError:
        return _wait3(options)
    found: tuple[int, int, Any] = _cooperatively(
        lambda: _wait3(options), lambda: _wait3(flags | _os.WNOHANG), -1, flags, (_NO_USAGE,)
    )
    return found


def wait4(pid: int, options: int) -> tuple[int, int, Any]:
    """Like os.wait4, with `wait3`'s resource usage. Switches, unless a status is available or WNOHANG is given."""
    try:
        number, flags = index(pid), index(options)
    except TypeError:
        return _wait4(pid, options)
    found: tuple[int, int, Any] = _cooperatively(
        lambda: _wait4(pid, options), lambda: _wait4(number, flags | _os.WNOHANG), number, flags, (_NO_USAGE,)
    )
    return found


def waitid(idtype: int, id: int, options: int, /) -> Any:
    """Like os.waitid. Switches, unless a status is available or WNOHANG is given."""
    try:
        kind, number, flags = index(idtype), index(id), index(options)
    except TypeError:
        return _waitid(idtype, id, options)
    pid = -1 if kind == _ALL else number if kind == _PID else 0
    if _reaped and pid == -1 and flags & _EXITED:
        return _reaped_as_waitid(_known(pid), flags)
    try:
        found = _ask_kernel_by_waitid(kind, number, flags)
    except ChildProcessError:
        if _known(pid) not in _reaped or not flags & _EXITED:
            raise
        return _reaped_as_waitid(_known(pid), flags)
    if _watchers and found is not None and found.si_code in _ENDS and not flags & _os.WNOWAIT:
        status = found.si_status << 8 if found.si_code == _os.CLD_EXITED else found.si_status
        _notify_watcher((found.si_pid, status | (0x80 if found.si_code == _os.CLD_DUMPED else 0)))
    return found


def _ask_kernel_by_waitid(kind: Any, number: int, flags: int) -> Any:
    hub = get_hub_if_any()
    if hub is None or flags & _os.WNOHANG or (kind == _PIDFD and not _blocks(number)):
        found = _waitid(kind, number, flags)
        if found is None:
            note_try_if_patched()
        return found
    # WNOWAIT affects only whether the child is reaped, not the states to wait for.
    states = flags & ~_os.WNOWAIT
    return _until(hub, lambda: _waitid(kind, number, flags | _os.WNOHANG), kind, number, states)


def _reaped_as_waitid(pid: int, flags: int) -> Any:
    """Return waitid's result for a child that a watcher has reaped."""
    status = _reaped[pid] if flags & _os.WNOWAIT else _reaped.pop(pid)
    code, number = _os.CLD_EXITED, status >> 8
    if _os.WIFSIGNALED(status):
        code, number = _os.CLD_DUMPED if _os.WCOREDUMP(status) else _os.CLD_KILLED, _os.WTERMSIG(status)
    return _os.waitid_result((pid, _os.getuid(), SIGCHLD, number, code))


def _kind(pid: int) -> tuple[Any, int]:
    """Return waitid's arguments for waitpid's `pid`."""
    if pid > 0:
        return _PID, pid
    if pid == -1:
        return _ALL, 0
    return _PGID, -pid if pid else _os.getpgrp()


def _cooperatively(blocking: Attempt, attempt: Attempt, pid: int, flags: int, more: tuple[Any, ...]) -> Any:
    """Do waitpid(pid, flags). For a child that a watcher has reaped, `more` follows pid and status. May switch."""
    if not _reaped or pid != -1:
        try:
            return _ask_kernel(blocking, attempt, pid, flags)
        except ChildProcessError:
            if _known(pid) not in _reaped:
                raise
    pid = _known(pid)
    return pid, _reaped.pop(pid), *more


def _known(pid: int) -> int:
    """Return the pid whose kept status waitpid(pid) would return: for -1 the oldest one, or 0 if there is none."""
    return next(iter(_reaped), 0) if pid == -1 else pid


def _ask_kernel(blocking: Attempt, attempt: Attempt, pid: int, flags: int) -> Any:
    hub = get_hub_if_any()
    # Other flags (__WNOTHREAD ...) depend on the calling thread, so this thread must make the call.
    if hub is None or flags & _os.WNOHANG or flags & ~_CHANGES:
        found = _notify_watcher(blocking())
        if not found[0]:
            note_try_if_patched()  # it was WNOHANG
        return found

    def answer() -> Any:
        found = attempt()
        return found if found[0] else None

    return _notify_watcher(_until(hub, answer, *_kind(pid), _EXITED | flags))


def _notify_watcher(found: Any) -> Any:
    """Pass the status in `found` on to the child's watcher, if there is one. Return `found`."""
    if _watchers and found[0] in _watchers and not _os.WIFSTOPPED(found[1]) and not _os.WIFCONTINUED(found[1]):
        _watchers[found[0]].reaped_elsewhere(found[1])
    return found


def _until(hub: Hub, attempt: Attempt, kind: Any, number: int, states: int) -> Any:
    """Return the result of `attempt()` as soon as it is not None: once a child of that kind is in one of `states`.

    Switches.
    """
    by_fd = states == _EXITED and kind in (_PID, _PIDFD)
    nap = 0.001
    while (found := attempt()) is None:
        if by_fd:
            # The pidfd of a traced child is readable before its parent can reap it: use the pidfd only once.
            by_fd = False
            if _wait_for_fd(hub, kind, number):
                continue
        if _waitid is not None:
            _wait_in_thread(hub, kind, number, states)
        else:
            sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)
    return found


def _blocks(fd: int) -> bool:
    try:
        return get_blocking(fd)
    except OSError:
        return False


def _wait_for_fd(hub: Hub, kind: Any, number: int) -> bool:
    """Wait until the process has ended, by its pidfd. Return False at once if there is none. Switches."""
    fd = number
    if kind == _PID:
        try:
            fd = _pidfd_open(number)
        except (TypeError, OSError):
            return False
    try:
        wait_for_process(hub, fd, f"the end of process {number}" if kind == _PID else "the end of a process")
    finally:
        if kind == _PID:
            close_fd(fd)
    return True


def wait_for_process(hub: Hub, fd: int, waiting_on: object, seconds: float | None = None) -> None:
    """Wait until the process of the pidfd `fd` has ended, at most `seconds`. Switches."""
    loop = hub.loop
    # Another process needs real time, also on a virtual clock.
    loop.begin_external(False)
    try:
        io = loop.io(fd, READ)
        try:
            waiter = hub.new_waiter(waiting_on)
            io.attach(waiter)
            hub.park(waiter, seconds)
        finally:
            io.close()
    finally:
        loop.end_external(False)


class _Change:
    """A worker thread that sleeps until one of certain children changes its state, and the waiters for that."""

    __slots__ = ("ended", "key", "waiters")

    def __init__(self, key: tuple[Any, int, int]) -> None:
        self.key = key
        self.waiters: list[Waiter] = []
        self.ended = False

    def sleep(self) -> None:
        """Sleep until a child has changed, then wake the waiters. Runs in the worker."""
        kind, number, states = self.key
        try:
            _waitid(kind, number, states | _os.WNOWAIT)
        except OSError:
            pass  # no such child: the waiters get that error from their own calls
        if _changes.get(self.key) is self:
            del _changes[self.key]
        # The order matters: a later waiter sees `ended`; an earlier one is in `waiters`.
        self.ended = True
        for waiter in tuple(self.waiters):
            waiter.wake()

    def __repr__(self) -> str:
        kind, number, _ = self.key
        whose = "any" if kind == _ALL else f"one of process group {number}" if kind == _PGID else str(number)
        return f"<child {whose}>"


_changes: dict[tuple[Any, int, int], _Change] = {}


def _wait_in_thread(hub: Hub, kind: Any, number: int, states: int) -> None:
    key = (kind, number, states)
    change = _changes.get(key)
    if change is None or change.ended:
        change = _Change(key)
        _worker_threads.start(change.sleep)
        if kind != _PIDFD and not change.ended:  # the number of an fd may get another owner while the thread sleeps
            _changes[key] = change
    waiter = hub.new_waiter(change)
    change.waiters.append(waiter)
    if change.ended:
        waiter.wake()
    hub.loop.begin_external()
    try:
        hub.park(waiter)
    finally:
        hub.loop.end_external()
        change.waiters.remove(waiter)


def _after_fork_in_child() -> None:
    # The child process has neither these threads nor these children.
    _changes.clear()
    _reaped.clear()
    _watchers.clear()


if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_after_fork_in_child)
