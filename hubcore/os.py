"""The standard library's os module, made cooperative: waits for a child, a pipe or a thread let other greenlets run.

Every other name is the standard library's own. Patching leaves `fork`, `forkpty`, `posix_spawn` and `posix_spawnp`
alone because they need no replacement: Python itself runs hubcore's at-fork handlers at every fork, and hubcore waits
for children by pidfd. Unlike gevent, hubcore reaps no child on its own: a program that calls `os.fork()` must call
`os.waitpid()`.
"""

from __future__ import annotations

import os as _stdlib
import sys as _sys

from hubcore._base import originals as _originals
from hubcore._base.argument_checks import check_callback
from hubcore._base.hints import Any, Callable, Late
from hubcore._base.originals import close_fd, get_ident
from hubcore._base.package import publish_all
from hubcore._core.registry import hubs
from hubcore._io import fd_calls as _fd_calls
from hubcore._io import file_locks as _file_locks
from hubcore._io import kernel_copies as _kernel_copies
from hubcore._io import rare_calls as _rare_calls
from hubcore._io.fd_calls import get_blocking as get_blocking
from hubcore._io.fd_calls import read as read
from hubcore._io.fd_calls import readv as readv
from hubcore._io.fd_calls import set_blocking as set_blocking
from hubcore._io.fd_calls import write as write
from hubcore._io.fd_calls import writev as writev
from hubcore._io.wait_fd import closing_fd, wait_read, wait_write
from hubcore._process import child_wait as _child_wait
from hubcore._process.child_wait import wait as wait
from hubcore._process.child_wait import wait3 as wait3
from hubcore._process.child_wait import wait4 as wait4
from hubcore._process.child_wait import waitid as waitid
from hubcore._process.child_wait import waitpid as waitpid
from hubcore._threads.fifo_open import open_fd as _open_fd
from hubcore._threads.job import Job
from hubcore.hub import get_hub, get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.loop import Loop
else:
    Loop = Late("hubcore.loop:Loop")

if hasattr(_stdlib, "readinto"):  # from CPython 3.14 on
    readinto: Callable[[int, Any], int] = _fd_calls.readinto
if _sys.platform.startswith("linux"):
    sendfile: Callable[..., int] = _kernel_copies.sendfile
if hasattr(_stdlib, "splice"):
    splice: Callable[..., int] = _kernel_copies.splice
if hasattr(_stdlib, "eventfd_read"):
    eventfd_read: Callable[[int], int] = _rare_calls.eventfd_read
    eventfd_write: Callable[[int, int], None] = _rare_calls.eventfd_write
if hasattr(_stdlib, "sched_yield"):
    sched_yield: Callable[[], None] = _rare_calls.sched_yield
lockf: Callable[[int, int, int], None] = _file_locks.os_lockf
open = _open_fd
# Libraries look a function up in these sets, such as shutil in order to choose how it removes a tree.
for _each in (_stdlib.supports_dir_fd, _stdlib.supports_follow_symlinks):
    if _stdlib.open in _each:
        _each.add(open)

# The originals; patching may replace the module's names later.
_fork = _stdlib.fork
_forkpty = _stdlib.forkpty
_read = _originals.read_fd
_write = _originals.write_fd
_system = _stdlib.system
_dup2 = _stdlib.dup2


def fork_gevent() -> int:
    """Call os.fork(). The child starts with a fresh hub and runs none of this process's greenlets. gevent's name."""
    return _fork()


def forkpty_gevent() -> tuple[int, int]:
    """Call os.forkpty(). The child starts with a fresh hub, as after `fork_gevent`. gevent's name."""
    return _forkpty()


def fork_and_watch(
    callback: Callable[[Any], object] | None = None,
    loop: Loop | None = None,
    ref: bool = False,
    fork: Callable[[], int] = fork_gevent,
) -> int:
    """Fork; in the parent, the hub calls `callback(watcher)` when the child has ended.

    The watcher reaps the child and has its `rpid` and `rstatus`; `waitpid` still returns the status, once. With `ref`
    the watcher keeps the loop alive. Without `callback` there is no watcher: the caller must wait for the child.
    """
    check_callback(callback)  # before the fork: an error in the child would come too late
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
    """Like `fork_and_watch`, with a pseudo-terminal. Return the child's pid and the terminal's fd."""
    check_callback(callback)
    pid, fd = forkpty()
    if pid and callback is not None:
        _watch(pid, callback, loop, ref)
    return pid, fd


def _watch(pid: int, callback: Callable[[Any], object], loop: Loop | None, ref: bool) -> None:
    watcher: Any = (get_hub().loop if loop is None else loop).child(pid, ref=ref)

    def ended() -> None:
        _child_wait.watched(pid, None)
        if not watcher.elsewhere:
            _child_wait.keep_status(watcher.rpid, watcher.rstatus)
        callback(watcher)

    watcher.start(ended)
    _child_wait.watched(pid, watcher)


def fork(*args: Any, **kwargs: Any) -> int:
    """Like os.fork(); takes the arguments of `fork_and_watch`."""
    return fork_and_watch(*args, **kwargs)


def forkpty(*args: Any, **kwargs: Any) -> tuple[int, int]:
    """Like os.forkpty(); takes the arguments of `forkpty_and_watch`."""
    return forkpty_and_watch(*args, **kwargs)


def close(fd: int) -> None:
    """Like os.close. Greenlets of this thread that wait for `fd` get OSError (EBADF). Never switches."""
    if isinstance(fd, int):
        closing_fd(fd)
        _fd_calls.seems_blocking.pop(fd, None)
    close_fd(fd)


def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    """Like os.dup2. Greenlets of any thread that wait for `fd2` then wait for its new file. Never switches."""
    number = _dup2(fd, fd2, inheritable)
    _fd_calls.seems_blocking.pop(number, None)
    for hub in tuple(hubs):
        if number not in hub.loop.fd_watches:
            continue
        if hub.thread_ident == get_ident():
            hub.loop.replaced_fd(number)
        else:
            hub.loop.run_callback_threadsafe(hub.loop.replaced_fd, number)
    return number


def make_nonblocking(fd: int) -> bool | None:
    """Make `fd` non-blocking. Return True if it was blocking, None if it was not."""
    if not get_blocking(fd):
        return None
    set_blocking(fd, False)
    return True


def nb_read(fd: int, n: int) -> bytes:
    """Like os.read on a non-blocking `fd`, but wait until data arrives. Switches if no data is ready."""
    while True:
        try:
            return read(fd, n)
        except BlockingIOError:
            wait_read(fd)


def nb_write(fd: int, buf: Any) -> int:
    """Like os.write to a non-blocking `fd`, but wait until some of `buf` fits. Return the number of bytes written.

    Switches if there is no room.
    """
    while True:
        try:
            return write(fd, buf)
        except BlockingIOError:
            wait_write(fd)


def tp_read(fd: int, n: int) -> bytes:
    """Like os.read, in the hub's thread pool: for a blocking `fd`, also one that no loop can watch. Switches."""
    data: bytes = get_hub().threadpool.apply(_read, (fd, n))
    return data


def tp_write(fd: int, buf: Any) -> int:
    """Like os.write, in the hub's thread pool. Switches."""
    count: int = get_hub().threadpool.apply(_write, (fd, buf))
    return count


def system(command: Any) -> int:
    """Like os.system, in a worker thread. Switches. A kill of the greenlet ends its wait, not the command."""
    if get_hub_if_any() is None:
        return _system(command)
    job = Job(None, _system, (command,), {})
    job.submit()
    status: int = job.get()
    return status


def __getattr__(name: str) -> Any:
    # Looked up, not copied: every name of the running Python version is found, also one that is set later.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


__implements__: list[str] = ["close", "dup2", "get_blocking", "read", "readinto", "readv", "set_blocking", "system"]
__implements__ += ["wait", "wait3", "wait4", "waitid", "waitpid", "write", "writev"]
if _sys.platform.startswith("linux"):  # elsewhere it has other arguments
    __implements__ += ["sendfile"]
__implements__ += ["splice", "eventfd_read", "eventfd_write", "lockf", "open", "sched_yield"]
__implements__ = [name for name in __implements__ if hasattr(_stdlib, name)]
_OWN = ["fork", "fork_and_watch", "fork_gevent", "forkpty", "forkpty_and_watch", "forkpty_gevent", "make_nonblocking"]
_OWN += ["nb_read", "nb_write", "tp_read", "tp_write"]
__all__ = [*__implements__, *_OWN]
__all__ += [name for name in _stdlib.__all__ if name not in __all__]


publish_all(globals())
