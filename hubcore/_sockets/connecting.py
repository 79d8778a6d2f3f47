"""socket.connect: the kernel's call without a wait, then a wait in the hub.

Facts (Linux, net/ipv4/af_inet.c): after a connect(2) that did not wait, the socket counts as connecting until the next
connect(2), which returns the outcome; until then a connected socket accepts another connect(2), and one that was
refused fails the next with ECONNABORTED. SO_ERROR returns the outcome but leaves that state. Consequence: the outcome
comes from a second connect(2). A `shutdown` meanwhile ends that state itself, and a second connect(2) would begin anew;
so there the outcome is SO_ERROR's, as on other systems.
"""

from __future__ import annotations

import os
import socket as _stdlib
import sys
from _socket import socket as _native
from errno import EAGAIN, EALREADY, EINPROGRESS, EISCONN

from hubcore._base.hints import Any, Late
from hubcore._base.originals import set_blocking
from hubcore._sockets.lending import let_block
from hubcore.hub import get_hub, sleep

try:
    from hubcore._sockets.address_calls import connect_again as _connect_again
except ImportError:  # an uncompiled run
    _connect_again = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._io.fd_waits import FdWaits
else:
    FdWaits = Late("hubcore._io.fd_waits:FdWaits")

_LINUX = sys.platform.startswith("linux")
_FOREVER = -1.0


def connect(sock: Any, address: Any) -> None:
    """Connect `sock` to `address`, which needs no look-up. Raises what socket.connect raises. Switches."""
    waits: FdWaits = sock._fd_waits
    waits.was_shut = False
    if waits.lent:
        set_blocking(waits.fd, False)  # connect(2) has no flag like MSG_DONTWAIT
    code: int = _native.connect_ex(sock, address)
    if code == EAGAIN and waits.timeout != 0.0:
        code = _connect_when_there_is_room(sock, address)
    if code in (EINPROGRESS, EALREADY):
        if waits.timeout == 0.0:
            raise BlockingIOError(code, os.strerror(code))
        code = _outcome(sock, address)
    if waits.lent:
        let_block(sock)
    if code:
        raise OSError(code, os.strerror(code))


def _outcome(sock: Any, address: Any) -> int:
    """Wait until the attempt has ended; return its error's number, or 0."""
    waits: FdWaits = sock._fd_waits
    timeout = waits.timeout
    end = get_hub().loop.update_now() + timeout if timeout > 0.0 else 0.0
    left = timeout
    while True:
        waits.wait_connected(left)
        code: int
        if waits.was_shut or not _LINUX:
            code = sock.getsockopt(_stdlib.SOL_SOCKET, _stdlib.SO_ERROR)
        else:
            code = _connect_again(sock, address) if _connect_again is not None else -1
            if code < 0:
                code = _native.connect_ex(sock, address)
        if code == EISCONN:
            return 0
        if code not in (EINPROGRESS, EALREADY):
            return code
        # Nothing had happened: the event was another's.
        if timeout > 0.0:
            left = end - get_hub().loop.update_now()
            if left <= 0.0:
                raise TimeoutError("timed out")


def _connect_when_there_is_room(sock: Any, address: Any) -> int:
    # The backlog of a listening Unix socket is full. No event reports when that changes, because the kernel reports an
    # unconnected socket as writable all the time. Hence a poll with growing delays.
    loop = get_hub().loop
    timeout = sock._fd_waits.timeout
    end = loop.update_now() + timeout
    delay = 0.001
    while True:
        left = end - loop.update_now()
        if timeout > 0.0 and left <= 0.0:
            raise TimeoutError("timed out")
        sleep(min(delay, left) if timeout > 0.0 else delay)
        code: int = _native.connect_ex(sock, address)
        if code != EAGAIN:
            return code
        delay = min(delay * 2, 0.05)
