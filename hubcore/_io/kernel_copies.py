"""os.sendfile and os.splice: where the kernel's call would block, the greenlet waits and others run.

As in `fd_calls`, the fds' flags stay: the greenlet waits until the call would not block, and then makes it.

Facts: sendfile(2) and splice(2) to a socket have no flag like MSG_DONTWAIT, and on a socket that blocks, sendfile(2)
returns only when the kernel has taken everything. Once poll(2) reports a stream socket as writable, it has room for a
page. Consequence: to such a socket, `sendfile` reads the file and sends with MSG_DONTWAIT, and `splice` moves a page:
like the kernel's, it may move less than it was asked for. To a pipe, both calls return once a part has gone.
"""

from __future__ import annotations

import os
import stat
from mmap import PAGESIZE

from hubcore._base.hints import Callable
from hubcore._io.fd_calls import blocks, may_wait, wait_for_data, wait_for_room, write_pieces

_CHUNK = 262144  # bytes of the file in memory at a time
_MOST = 0x7FFFF000  # what one sendfile(2) sends at most

_sendfile: Callable[..., int] | None = getattr(os, "sendfile", None)
_splice: Callable[..., int] | None = getattr(os, "splice", None)
_NONBLOCK = getattr(os, "SPLICE_F_NONBLOCK", 0)


def sendfile(out_fd: int, in_fd: int, offset: int | None, count: int) -> int:
    """Like os.sendfile of Linux. Switches if `out_fd` blocks and has no room.

    A kill or a Timeout during the wait may leave a part sent, as in socket.sendall.
    """
    assert _sendfile is not None
    if _are_numbers(out_fd, in_fd, count) and count > 0 and may_wait() and blocks(out_fd, os.O_RDONLY):
        kind = _kind(out_fd)
        if kind == stat.S_IFSOCK:
            try:
                start = os.lseek(in_fd, 0, os.SEEK_CUR)  # fails for a file without a position
                data = os.pread(in_fd, min(count, _CHUNK), start if offset is None else offset)
            except (OSError, TypeError, ValueError, OverflowError):
                wait_for_room(out_fd)  # then the kernel's call raises the right error, or copies from another source
            else:
                return _send(out_fd, in_fd, start, offset, min(count, _MOST), data)
        elif kind in (stat.S_IFIFO, stat.S_IFCHR):
            wait_for_room(out_fd)
    return _sendfile(out_fd, in_fd, offset, count)


def _send(out_fd: int, in_fd: int, start: int, offset: int | None, count: int, data: bytes) -> int:
    """Send `count` bytes of the file; `data` is the first piece. Without `offset` the file's position moves."""
    first = start if offset is None else offset
    sent = 0
    try:
        while data:
            with memoryview(data) as view:
                went = write_pieces(out_fd, view, True, len(data))
            sent += went
            if went < len(data) or sent >= count:
                break
            may_wait()  # spends from the run's budget
            data = os.pread(in_fd, min(count - sent, _CHUNK), first + sent)
    finally:
        if offset is None:
            os.lseek(in_fd, start + sent, os.SEEK_SET)
    return sent


def splice(
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
    flags: int = 0,
) -> int:
    """Like os.splice. Switches if `src` has no data or `dst` no room, unless one of them does not block.

    With SPLICE_F_NONBLOCK it never switches, as long as no end is a socket.
    """
    assert _splice is not None
    while _are_numbers(src, dst, count, flags) and count > 0 and may_wait():
        if not (blocks(src, os.O_WRONLY) and blocks(dst, os.O_RDONLY)):
            break
        if not flags & _NONBLOCK:
            wait_for_data(src)
        if _kind(dst) == stat.S_IFSOCK:
            wait_for_room(dst)
            size = min(count, PAGESIZE)
        else:
            size = count
            if not flags & _NONBLOCK:
                wait_for_room(dst)
        try:
            return _splice(src, dst, size, offset_src, offset_dst, flags | _NONBLOCK)
        except BlockingIOError:
            if flags & _NONBLOCK:
                raise
            # Another reader or writer was faster.
    return _splice(src, dst, count, offset_src, offset_dst, flags)


def _are_numbers(*values: object) -> bool:
    """Return whether the arguments are plain ints, fds not negative; the kernel's call judges all others."""
    return all(type(value) is int and value >= 0 for value in values)


def _kind(fd: int) -> int:
    try:
        return stat.S_IFMT(os.fstat(fd).st_mode)
    except OSError:
        return 0
