"""Waiting for child processes as os.waitpid and its relatives do: the greenlet waits, others run.

What is waited for is that a call which does not block would have an answer; the answer itself always comes from such a
call. So all that the kernel says stays as it is: of several who wait for one child the first gets its status and the
others get ECHILD, and whoever else reaps children (a C library, another thread) takes part as before.

- One child's end: a pidfd, which is readable then (see `_children`).
- Any child, those of a process group, stops and continuations: there is no fd for these. A worker thread sleeps in
  waitid(WNOWAIT), which reaps nobody, so that it does no harm when nobody wants to know any more; those who wait for
  the same share one. No handler of SIGCHLD is needed, nor disturbed.

A thread without a hub has no greenlets that could run meanwhile, and calls what the standard library has.
"""

from __future__ import annotations

import os as _os
from operator import index
from resource import struct_rusage
from signal import SIGCHLD

from hubcore import _workers
from hubcore._originals import close_fd, get_blocking
from hubcore._originals import waitpid as native_waitpid
from hubcore.hub import get_hub_if_any, sleep
from hubcore.watchers import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._park import Waiter
    from hubcore.hub import Hub

    Attempt = Callable[[], Any]

# The originals, whatever the module has later.
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
_LONGEST_NAP = 0.05  # seconds between two looks, where there is nothing better

# Statuses of children that a watcher has reaped and nobody has asked for yet, by pid, oldest first.
_reaped: dict[int, int] = {}
_NO_USAGE = struct_rusage((0.0,) * 2 + (0,) * 14)  # what a watcher does not know of a child
_MOST_REAPED = 1000
# Watchers that reap the child of that pid when it has ended.
_watchers: dict[int, Any] = {}


def keep_status(pid: int, status: int) -> None:
    """A watcher of ours has reaped `pid`: whoever waits for it later gets this status, once. Never switches."""
    _reaped[pid] = status
    if len(_reaped) > _MOST_REAPED:
        del _reaped[next(iter(_reaped))]


def watched(pid: int, watcher: Any) -> None:
    """`watcher` will reap `pid` (None: none will any more): should somebody else here do so, it is told the status."""
    if watcher is None:
        _watchers.pop(pid, None)
    else:
        _watchers[pid] = watcher


def waitpid(pid: int, options: int) -> tuple[int, int]:
    """As os.waitpid. Switches, unless there is an answer at once or with WNOHANG."""
    try:
        number, flags = index(pid), index(options)
    except TypeError:
        return native_waitpid(pid, options)  # has the right error
    found: tuple[int, int] = _cooperatively(
        lambda: native_waitpid(pid, options), lambda: native_waitpid(number, flags | _os.WNOHANG), number, flags, ()
    )
    return found


def wait() -> tuple[int, int]:
    """As os.wait. Switches, unless a child has ended already."""
    return waitpid(-1, 0)


def wait3(options: int) -> tuple[int, int, Any]:
    """As os.wait3. Switches, unless there is an answer at once or with WNOHANG.

    What the child used is all zeros where a watcher has reaped it.
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
    """As os.wait4, with what `wait3` says. Switches, unless there is an answer at once or with WNOHANG."""
    try:
        number, flags = index(pid), index(options)
    except TypeError:
        return _wait4(pid, options)
    found: tuple[int, int, Any] = _cooperatively(
        lambda: _wait4(pid, options), lambda: _wait4(number, flags | _os.WNOHANG), number, flags, (_NO_USAGE,)
    )
    return found


def waitid(idtype: int, id: int, options: int, /) -> Any:
    """As os.waitid. Switches, unless there is an answer at once or with WNOHANG."""
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
        return _waitid(kind, number, flags)
    # WNOWAIT says what becomes of the answer, not what is waited for.
    states = flags & ~_os.WNOWAIT
    return _until(hub, lambda: _waitid(kind, number, flags | _os.WNOHANG), kind, number, states)


def _reaped_as_waitid(pid: int, flags: int) -> Any:
    """What waitid tells of a child that a watcher has reaped."""
    status = _reaped[pid] if flags & _os.WNOWAIT else _reaped.pop(pid)
    code, number = _os.CLD_EXITED, status >> 8
    if _os.WIFSIGNALED(status):
        code, number = _os.CLD_DUMPED if _os.WCOREDUMP(status) else _os.CLD_KILLED, _os.WTERMSIG(status)
    return _os.waitid_result((pid, _os.getuid(), SIGCHLD, number, code))


def _kind(pid: int) -> tuple[Any, int]:
    """What waitid calls that which waitpid calls `pid`."""
    if pid > 0:
        return _PID, pid
    if pid == -1:
        return _ALL, 0
    return _PGID, -pid if pid else _os.getpgrp()


def _cooperatively(blocking: Attempt, attempt: Attempt, pid: int, flags: int, more: tuple[Any, ...]) -> Any:
    """What waitpid(pid, flags) is made of. `more` comes after pid and status where a watcher has reaped the child."""
    if not _reaped or pid != -1:
        try:
            return _ask_kernel(blocking, attempt, pid, flags)
        except ChildProcessError:
            if _known(pid) not in _reaped:
                raise
    pid = _known(pid)
    return pid, _reaped.pop(pid), *more


def _known(pid: int) -> int:
    """The child whose status waitpid(pid) is told where a watcher has reaped it, if one has."""
    return next(iter(_reaped), 0) if pid == -1 else pid


def _ask_kernel(blocking: Attempt, attempt: Attempt, pid: int, flags: int) -> Any:
    hub = get_hub_if_any()
    # Flags other than these are about threads, and so for this one only.
    if hub is None or flags & _os.WNOHANG or flags & ~_CHANGES:
        return _notify_watcher(blocking())

    def answer() -> Any:
        found = attempt()
        return found if found[0] else None

    return _notify_watcher(_until(hub, answer, *_kind(pid), _EXITED | flags))


def _notify_watcher(found: Any) -> Any:
    """`found`, after the watcher of that child, if there is one, was told."""
    if _watchers and found[0] in _watchers and not _os.WIFSTOPPED(found[1]) and not _os.WIFCONTINUED(found[1]):
        _watchers[found[0]].reaped_elsewhere(found[1])
    return found


def _until(hub: Hub, attempt: Attempt, kind: Any, number: int, states: int) -> Any:
    """Wait until `attempt()` has an answer: it has none as long as no child of that kind has come to these states."""
    by_fd = states == _EXITED and kind in (_PID, _PIDFD)
    nap = 0.001
    while (found := attempt()) is None:
        if by_fd:
            # One that is being traced has ended before its parent may know: after the first time, ask the kernel.
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
    """Wait until the process has ended, by its pidfd; False, at once, where that cannot be had."""
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
    # For another process's doing real time has to pass, on a virtual clock too.
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
    """A worker thread that sleeps until one of certain children has changed, and those who wait for it to wake."""

    __slots__ = ("ended", "key", "waiters")

    def __init__(self, key: tuple[Any, int, int]) -> None:
        self.key = key
        self.waiters: list[Waiter] = []
        self.ended = False

    def sleep(self) -> None:
        """In the worker."""
        kind, number, states = self.key
        try:
            _waitid(kind, number, states | _os.WNOWAIT)
        except OSError:
            pass  # there is none, which is an answer too: those who wait get it
        if _changes.get(self.key) is self:
            del _changes[self.key]
        # In this order: who comes after it sees that, and who came before is among them.
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
        _workers.start(change.sleep)
        if kind != _PIDFD and not change.ended:  # an fd may be closed, and be another's, while the thread sleeps
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
    # Neither the threads nor the children are here.
    _changes.clear()
    _reaped.clear()
    _watchers.clear()


if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_after_fork_in_child)
