"""The fd of a socket in the hands of others: C code, `os` functions, another process.

Fact: the non-blocking flag belongs to the open file, which everyone who has the fd shares. hubcore needs it only where
the kernel cannot be asked call by call: for accept, connect and sendfile; all other calls pass MSG_DONTWAIT.
Consequence: a socket's fd is non-blocking only until the program asks for its number. From then on it blocks where the
standard library's would, as soon as it can (`blocks_for_others`). Until then this costs nothing.
"""

from __future__ import annotations

import os
from _socket import socket as _native
from errno import EBADF

from hubcore._base.hints import Any
from hubcore._base.originals import get_blocking, set_blocking
from hubcore._io.fd_waits import blocks_for_others


def lend(sock: Any) -> None:
    """Note that the program gets the number of the fd, and make the fd block if it should. Never switches."""
    waits = sock._fd_waits
    if waits.fd >= 0:
        waits.lent = True
        let_block(sock)


def let_block(sock: Any) -> None:
    """Make the fd of a socket that is lent block, if it should and can."""
    if blocks_for_others(sock):
        set_blocking(sock._fd_waits.fd, True)


def set_timeout(sock: Any, seconds: float) -> None:
    """Set the socket's timeout, -1.0 for none, and the fd's flag. OSError (EBADF) if the socket is closed."""
    waits = sock._fd_waits
    former = waits.timeout
    waits.timeout = seconds
    waits.came_nonblocking = False
    try:
        set_mode(sock)
    except OSError:
        waits.timeout = former
        raise


def set_mode(sock: Any) -> None:
    """Set the fd's flag after a change of the socket's timeout. OSError (EBADF) if the socket is closed."""
    waits = sock._fd_waits
    if waits.fd < 0:
        raise OSError(EBADF, os.strerror(EBADF))
    if waits.lent and blocks_for_others(sock):
        set_blocking(waits.fd, True)
    else:
        # Not only for a change: another process that shares the flag may have cleared it.
        _native.setblocking(sock, False)


def adopt(sock: Any) -> None:
    """Set the mode of a new socket without a timeout, made from an fd that others may have.

    An fd that blocks goes on so if it can; without the C class's timeout of 0, each call's MSG_DONTWAIT is enough.
    """
    waits = sock._fd_waits
    if not get_blocking(waits.fd):
        waits.came_nonblocking = True
    elif blocks_for_others(sock):
        waits.lent = True
        return
    _native.settimeout(sock, 0.0)
