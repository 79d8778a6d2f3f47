"""The standard library's os module, cooperatively: what waits for a child, a pipe or a thread lets other greenlets run.

Everything that is not here is the standard library's own. So are `fork`, `forkpty`, `posix_spawn` and `posix_spawnp`
where this module is patched in, because nothing has to be done about them: what a fork does to hubs, `_fork` has Python
do at every fork, and children are waited for by pidfd. Other than in gevent nothing reaps a child for you; who calls
`os.fork()` calls `os.waitpid()`.
"""

from __future__ import annotations

import os as _stdlib

from hubcore import _childwait, _fdcalls, _originals
from hubcore._checks import check_callback
from hubcore._job import Job
from hubcore._originals import close_fd
from hubcore._waitfd import closing_fd, wait_read, wait_write
from hubcore.hub import get_hub, get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore.loop import Loop

wait = _childwait.wait
wait3 = _childwait.wait3
wait4 = _childwait.wait4
waitid = _childwait.waitid
waitpid = _childwait.waitpid
read = _fdcalls.read
readv = _fdcalls.readv
write = _fdcalls.write
writev = _fdcalls.writev
get_blocking = _fdcalls.get_blocking
set_blocking = _fdcalls.set_blocking

# The originals, whatever the module has later.
_fork = _stdlib.fork
_forkpty = _stdlib.forkpty
_read = _originals.read_fd
_write = _originals.write_fd
_system = _stdlib.system


def fork_gevent() -> int:
    """os.fork(): the child starts with a fresh hub and runs none of this process's greenlets. gevent's name for it."""
    return _fork()


def forkpty_gevent() -> tuple[int, int]:
    """os.forkpty(), likewise."""
    return _forkpty()


def fork_and_watch(
    callback: Callable[[Any], object] | None = None,
    loop: Loop | None = None,
    ref: bool = False,
    fork: Callable[[], int] = fork_gevent,
) -> int:
    """Fork, and in the parent have the hub call `callback(watcher)` when the child has ended.

    The watcher has its `rpid` and `rstatus`, and has reaped it; `waitpid` still gives the status, once. With `ref` it
    keeps the loop alive. Without `callback` nothing is watched: the child is the caller's to wait for.
    """
    check_callback(callback)  # in the child an error would come too late
    pid = fork()
    if pid and callback is not None:
        _watch(pid, callback, loop, ref)
    return pid


def forkpty_and_watch(
    callback: Callable[[Any], object] | None = None,
    loop: Loop | None = None,
    ref: bool = False,
    forkpty: Callable[[], tuple[int, int]] = forkpty_gevent,
) -> tuple[int, int]:
    """As `fork_and_watch`, with a terminal: the result is the child's pid and the terminal's fd."""
    check_callback(callback)
    pid, fd = forkpty()
    if pid and callback is not None:
        _watch(pid, callback, loop, ref)
    return pid, fd


def _watch(pid: int, callback: Callable[[Any], object], loop: Loop | None, ref: bool) -> None:
    watcher: Any = (get_hub().loop if loop is None else loop).child(pid, ref=ref)

    def ended() -> None:
        _childwait.watched(pid, None)
        if not watcher.elsewhere:
            _childwait.keep_status(watcher.rpid, watcher.rstatus)
        callback(watcher)

    watcher.start(ended)
    _childwait.watched(pid, watcher)


def fork(*args: Any, **kwargs: Any) -> int:
    """os.fork(), as `fork_and_watch` with the same arguments."""
    return fork_and_watch(*args, **kwargs)


def forkpty(*args: Any, **kwargs: Any) -> tuple[int, int]:
    """os.forkpty(), as `forkpty_and_watch` with the same arguments."""
    return forkpty_and_watch(*args, **kwargs)


def close(fd: int) -> None:
    """As os.close. Whoever of this thread's greenlets waits for `fd` gets OSError (EBADF). Never switches."""
    if isinstance(fd, int):
        closing_fd(fd)
        _fdcalls.seems_blocking.pop(fd, None)
    close_fd(fd)


def make_nonblocking(fd: int) -> bool | None:
    """Make `fd` non-blocking; True if that changed it, None if it was so before."""
    if not get_blocking(fd):
        return None
    set_blocking(fd, False)
    return True


def nb_read(fd: int, n: int) -> bytes:
    """os.read of a non-blocking `fd`, which waits until there is something. Switches when nothing is there."""
    while True:
        try:
            return _read(fd, n)
        except BlockingIOError:
            wait_read(fd)


def nb_write(fd: int, buf: Any) -> int:
    """os.write to a non-blocking `fd`, which waits until there is room for some of `buf`; how much that was."""
    while True:
        try:
            return _write(fd, buf)
        except BlockingIOError:
            wait_write(fd)


def tp_read(fd: int, n: int) -> bytes:
    """os.read in the hub's thread pool: for a blocking `fd`, also one that cannot be watched. Switches."""
    data: bytes = get_hub().threadpool.apply(_read, (fd, n))
    return data


def tp_write(fd: int, buf: Any) -> int:
    """os.write in the hub's thread pool. Switches."""
    count: int = get_hub().threadpool.apply(_write, (fd, buf))
    return count


def system(command: Any) -> int:
    """As os.system, in a worker thread. Switches. A kill ends the wait, not the command."""
    if get_hub_if_any() is None:
        return _system(command)
    job = Job(None, _system, (command,), {})
    job.submit()
    status: int = job.get()
    return status


def __getattr__(name: str) -> Any:
    # Not copied, so that what the standard library has is there, whatever the version, and stays its own.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


__implements__ = ["close", "get_blocking", "read", "readv", "set_blocking", "system"]
__implements__ += ["wait", "wait3", "wait4", "waitid", "waitpid", "write", "writev"]
__implements__ = [name for name in __implements__ if hasattr(_stdlib, name)]
_OWN = ["fork", "fork_and_watch", "fork_gevent", "forkpty", "forkpty_and_watch", "forkpty_gevent", "make_nonblocking"]
_OWN += ["nb_read", "nb_write", "tp_read", "tp_write"]
__all__ = [*__implements__, *_OWN]
__all__ += [name for name in _stdlib.__all__ if name not in __all__]
