"""fcntl.flock, lockf and fcntl(F_SETLKW), and os.lockf: while the lock is taken, the greenlet waits and others run.

The kernel has no event for a lock that becomes free, and a call that waits for it in another thread could not be taken
back by a kill or a Timeout. So the greenlet asks again, after 1 ms and then at growing intervals of up to 50 ms, with
the form of the call that does not wait. Results and errors are those of that form, except for one: the kernel sees no
waiter, so it cannot refuse a lock with EDEADLK because two processes wait for each other.

Fact: a conversion of a flock(2) lock, from shared to exclusive or back, first gives up the old lock, whether it waits
or not. Consequence: these calls convert like the standard library's.
"""

from __future__ import annotations

import fcntl as _fcntl
import os as _os
from errno import EACCES, EAGAIN

from hubcore._base.hints import Any, Callable
from hubcore._io.fd_calls import may_wait
from hubcore._io.pauses import GrowingPauses

_native_flock = _fcntl.flock
_native_lockf = _fcntl.lockf
_native_fcntl: Any = _fcntl.fcntl
_native_os_lockf = _os.lockf

_NB, _UN = _fcntl.LOCK_NB, _fcntl.LOCK_UN
# The command that does not wait, by the one that does.
_TRIES: dict[int, int] = {_fcntl.F_SETLKW: _fcntl.F_SETLK}
if hasattr(_fcntl, "F_OFD_SETLKW"):
    _TRIES[_fcntl.F_OFD_SETLKW] = _fcntl.F_OFD_SETLK
_TAKEN = (EAGAIN, EACCES)  # POSIX allows either for a record lock


def flock(fd: Any, operation: int, /) -> None:
    """As fcntl.flock. Switches while another open file holds the lock, unless LOCK_NB is set."""
    if not isinstance(operation, int) or operation & (_NB | _UN) or not may_wait():
        _native_flock(fd, operation)
        return
    _try_until_free(lambda: _native_flock(fd, operation | _NB), "flock", fd, (EAGAIN,))


def lockf(fd: Any, cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> None:
    """As fcntl.lockf. Switches while another process holds the lock, unless LOCK_NB is set."""
    if not isinstance(cmd, int) or cmd & (_NB | _UN) or not may_wait():
        _native_lockf(fd, cmd, len, start, whence)
        return
    _try_until_free(lambda: _native_lockf(fd, cmd | _NB, len, start, whence), "lockf", fd, _TAKEN)


def fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
    """As fcntl.fcntl. With F_SETLKW or F_OFD_SETLKW it switches while another holds the lock."""
    if cmd not in _TRIES or isinstance(arg, int) or not may_wait():
        return _native_fcntl(fd, cmd, arg)
    return _try_until_free(lambda: _native_fcntl(fd, _TRIES[cmd], arg), "fcntl", fd, _TAKEN)


def os_lockf(fd: int, command: int, length: int, /) -> None:
    """As os.lockf. With F_LOCK it switches while another process holds the lock."""
    if command != _os.F_LOCK or not may_wait():
        _native_os_lockf(fd, command, length)
        return
    _try_until_free(lambda: _native_os_lockf(fd, _os.F_TLOCK, length), "os.lockf", fd, _TAKEN)


os_lockf.__name__ = "lockf"


def _try_until_free(attempt: Callable[[], Any], name: str, fd: Any, taken: tuple[int, ...]) -> Any:
    pauses: GrowingPauses | None = None
    while True:
        try:
            return attempt()
        except OSError as error:
            if error.errno not in taken:
                raise
        if pauses is None:
            pauses = GrowingPauses(f"{name} of {fd!r}")
        pauses.pause()


#: The names that replace those of fcntl under patching.
__implements__ = ["fcntl", "flock", "lockf"]
