# cython: embedsignature=True, embedsignature.format=clinic
"""os.read, readinto, readv, write and writev: where the call would block, the greenlet waits and others run.

The greenlet waits until the kernel's call would not block, then makes the call; so results and errors are the standard
library's. The fd's flags stay unchanged: they belong to the open file, which other processes may share.

Facts: once poll(2) reports a pipe as writable, it accepts PIPE_BUF bytes without blocking (POSIX), and a terminal 256
(Linux buffers terminal data in pieces of that size, drivers/tty/tty_buffer.c). A larger write would write a part and
block. Consequence: a larger write is made in such pieces, with a wait before each, until all is written, like a
blocking call. A socket gets all data in one send(2) with MSG_DONTWAIT, because a datagram must stay in one piece.

The call blocks as in the standard library in a thread without a hub, in the hub itself, where the caller may not wait,
and at the end of the process. Two readers of one pipe in different threads or processes may still block: one of them
may take the data between the other's poll and read.
"""

from __future__ import annotations

import os
import select as _select
import stat
from fcntl import F_GETFL, fcntl
from operator import index
from sys import maxsize

from hubcore._base import originals as _originals
from hubcore._base import uncompiled as cython
from hubcore._io.wait_fd import wait_read, wait_write

if not cython.compiled:
    from hubcore._capi.fallback import getcurrent, import_greenlet, kind_of, ready_now, send_now
    from hubcore.hub import hub_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["get_blocking", "read", "readinto", "readv", "seems_blocking", "set_blocking", "write", "writev"]

import_greenlet()

_read = _originals.read_fd
_write = _originals.write_fd
_readv = os.readv
_readinto: Any = getattr(os, "readinto", None)  # of CPython 3.14
_writev = os.writev

_IN, _OUT = _select.POLLIN, _select.POLLOUT
_PIPE, _SOCKET, _DEVICE = stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR
_PIPE_BUF = _select.PIPE_BUF
_LITTLE = 128  # half of a terminal's buffer: a terminal may expand one character to two
_MOST_BUFFERS = 1024  # the kernel's limit for one call

#: For each fd that hubcore has made non-blocking for itself: whether it seems blocking to the program. It does until
#: the program calls `set_blocking(fd, False)`. A read or write of an fd that seems blocking waits.
seems_blocking: dict[int, bool] = {}


class _Nothing(Exception):
    """No input came within the time limit of the terminal's settings."""


def read(fd: int, length: int, /) -> bytes:
    """Like os.read. Switches if no data is ready and `fd` blocks."""
    if may_wait() and not ready_now(_number(fd), _IN) and not _wait_for_input(fd, length):
        return b""
    data: bytes = _read(fd, length)
    return data


def readinto(fd: int, buffer: Any, /) -> int:
    """Like os.readinto. Switches if no data is ready and `fd` blocks."""
    if may_wait() and not ready_now(_number(fd), _IN) and not _wait_for_input(fd, _size_of_all([buffer], True)):
        return 0
    count: int = _readinto(fd, buffer)
    return count


def readv(fd: int, buffers: Sequence[Any], /) -> int:
    """Like os.readv. Switches if no data is ready and `fd` blocks."""
    if may_wait() and not ready_now(_number(fd), _IN) and not _wait_for_input(fd, _size_of_all(buffers, True)):
        return 0
    count: int = _readv(fd, buffers)
    return count


def write(fd: int, data: Any, /) -> int:
    """Like os.write. Switches if `fd` blocks and has no room for all of `data`.

    A kill or a Timeout during the wait may leave a part of `data` written, as in socket.sendall. A write of up to
    PIPE_BUF bytes to a pipe is written whole or not at all.
    """
    if may_wait() and not _ready_for(_number(fd), _size(data)):
        return _write_slowly(fd, data)
    count: int = _write(fd, data)
    return count


def writev(fd: int, buffers: Sequence[Any], /) -> int:
    """Like os.writev. Switches if `fd` blocks and has no room for all of the data."""
    if may_wait() and not _ready_for(_number(fd), _size_of_all(buffers)):
        return _write_slowly(fd, b"".join(buffers))
    count: int = _writev(fd, buffers)
    return count


def get_blocking(fd: int, /) -> bool:
    """Like os.get_blocking."""
    blocking: bool = _originals.get_blocking(fd)
    return seems_blocking.get(index(fd), blocking) if seems_blocking else blocking


def set_blocking(fd: int, blocking: bool, /) -> None:
    """Like os.set_blocking. A Popen's pipe end always stays non-blocking; for it only `seems_blocking` is set."""
    if seems_blocking and index(fd) in seems_blocking:
        _originals.get_blocking(fd)  # raises the right error for a closed fd
        seems_blocking[index(fd)] = bool(blocking)
    else:
        _originals.set_blocking(fd, blocking)


# Before the call: must the greenlet wait?


def may_wait() -> bool:
    """Return whether the caller may wait in a hub; if so, spend budget like each call that may wait. May switch."""
    hub = hub_here()
    if hub is None:
        return False
    try:
        current = getcurrent()
    except RuntimeError:
        return False  # the process is ending
    if current is hub or hub.destroyed or hub.loop.polling:
        return False
    if hub._closing:
        try:
            hub._check_may_wait(current, None)
        except BaseException:
            return False
    hub.spend()
    return True


def _number(fd: object) -> int:
    """Return `fd` as a C int; -1 for an invalid one: poll never waits for -1, and the call raises the error."""
    try:
        number = fd if type(fd) is int else index(fd)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        return -1
    return number if number <= 0x7FFFFFFF else -1


def _size(data: object) -> int:
    """Return the size of `data` in bytes; 0 for invalid data: 0 bytes need no wait, and the call raises the error."""
    if type(data) is bytes:
        return len(data)
    try:
        with memoryview(data) as view:  # type: ignore[arg-type]
            return view.nbytes if view.c_contiguous else 0
    except (TypeError, ValueError):
        return 0


def _size_of_all(buffers: Any, to_fill: bool = False) -> int:
    """Like `_size`, for several buffers together; with `to_fill` they must be writable."""
    if not isinstance(buffers, (list, tuple)):
        buffers = _sequence(buffers)
    if len(buffers) > _MOST_BUFFERS:
        return 0
    size = 0
    for each in buffers:
        if to_fill and _is_read_only(each):
            return 0
        size += _size(each)
    return size


def _is_read_only(buffer: Any) -> bool:
    try:
        with memoryview(buffer) as view:
            return view.readonly
    except (TypeError, ValueError):
        return False  # `_size` counts no bytes of it


def _sequence(buffers: Any) -> Any:
    try:
        return [buffers[number] for number in range(len(buffers))]
    except (TypeError, LookupError):
        return ()


def _ready_for(fd: int, size: int) -> bool:
    """Return whether a write of `size` bytes does not block now, or goes to a kind of file that needs no wait."""
    if size <= _LITTLE:
        return size == 0 or ready_now(fd, _OUT)
    kind = kind_of(fd)
    if kind == _PIPE:
        return size <= _PIPE_BUF and ready_now(fd, _OUT)
    return kind != _SOCKET and kind != _DEVICE


def blocks(fd: int, not_for: int) -> bool:
    """Return whether a call on `fd` would wait. `not_for` is the access mode for which it fails at once."""
    try:
        flags = fcntl(fd, F_GETFL)
    except OSError:
        return False
    if flags & os.O_ACCMODE == not_for:
        return False
    return not flags & os.O_NONBLOCK or seems_blocking.get(fd, False)


# Waiting.


def _wait_for_input(fd: Any, wanted: Any) -> bool:
    """Wait until a read of `wanted` bytes does not block. Return False if the read must return no data. Switches."""
    number = index(fd)
    try:
        if not 0 < index(wanted) <= maxsize:
            return True
    except TypeError:
        return True
    if not blocks(number, os.O_WRONLY):
        return True
    seconds = _patience(number)
    if seconds == 0.0:
        return True
    while not ready_now(number, _IN):
        try:
            wait_read(number, None if seconds < 0.0 else seconds, _Nothing)
        except _Nothing:
            return False
        except PermissionError:
            break  # the loop cannot watch it
    return True


def _patience(fd: int) -> float:
    """Return how many seconds a read of the terminal `fd` waits for its first byte; -1.0 if there is no limit."""
    if not os.isatty(fd):
        return -1.0
    import termios

    try:
        mode = termios.tcgetattr(fd)
    except termios.error:
        return -1.0
    control: Any = mode[6]
    if mode[3] & termios.ICANON or control[termios.VMIN]:
        return -1.0
    tenths: int = control[termios.VTIME]
    return tenths / 10


def wait_for_data(fd: int) -> None:
    """Wait until a read of `fd` does not block. Switches."""
    while not ready_now(fd, _IN):
        try:
            wait_read(fd)
        except PermissionError:
            return  # the loop cannot watch it


def wait_for_room(fd: int) -> None:
    """Wait until a small write to `fd` does not block. Switches."""
    while not ready_now(fd, _OUT):
        try:
            wait_write(fd)
        except PermissionError:
            return  # the loop cannot watch it


def _write_slowly(fd: Any, data: Any) -> int:
    """Write `data`, for which there is not enough room now. Switches."""
    number = index(fd)
    if blocks(number, os.O_RDONLY):
        kind = kind_of(number)
        if kind in (_PIPE, _SOCKET) or (kind == _DEVICE and os.isatty(number)):
            with memoryview(data) as view, view.cast("B") as octets:
                return write_pieces(number, octets, kind == _SOCKET, _LITTLE if kind == _DEVICE else _PIPE_BUF)
        wait_for_room(number)
    count: int = _write(fd, data)
    return count


def write_pieces(fd: int, octets: memoryview, is_socket: bool, most: int) -> int:
    """Write `octets`, in pieces of `most` bytes; return how many went before an error, or all. Switches."""
    size = len(octets)
    sent = 0
    while sent < size:
        try:
            wait_for_room(fd)
            count = send_now(fd, octets[sent:]) if is_socket else _write(fd, octets[sent : sent + most])
        except BlockingIOError:
            continue  # another writer was faster
        except OSError:
            if sent:
                break  # like the kernel: return the size that was written; the next call gets the error
            raise
        sent += count or 0
    return sent
