"""What the calls of a socket that was shut down for reading return where the kernel has no data for them.

Facts: such a read of a datagram socket, and accept(2) of such a Unix listener, end at once if they block, but fail with
EAGAIN if they do not, as all of hubcore's calls. Consequence: here EAGAIN is taken for the end.
"""

from __future__ import annotations

import os
import socket as _stdlib
from _socket import socket as _native
from errno import EINVAL, ENOTCONN

from hubcore._base.hints import Any, Late

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._io.fd_waits import FdWaits
else:
    FdWaits = Late("hubcore._io.fd_waits:FdWaits")

_UNIX = int(getattr(_stdlib, "AF_UNIX", -1))

#: What a read returns at the end of the input, by the C class's method.
AT_END: dict[object, Any] = {
    _native.recv: b"",
    _native.recv_into: 0,
    _native.recvfrom: (b"", None),
    _native.recvfrom_into: (0, None),
    _native.recvmsg: (b"", [], 0, None),
    _native.recvmsg_into: (0, [], 0, None),
}
accept: Any = _native._accept  # type: ignore[attr-defined]


def shut_down(sock: Any, how: int) -> None:
    """Shut `sock` down, as shutdown(2); a reader that waits goes on. Never switches."""
    reading = how != _stdlib.SHUT_WR
    try:
        _native.shutdown(sock, how)
    except OSError as error:
        # For a datagram socket without a peer the kernel reports this, and shuts it down all the same.
        if error.errno == ENOTCONN:
            sock._fd_waits.shut_down(reading)
        raise
    sock._fd_waits.shut_down(reading)


def is_at_end(call: object, waits: FdWaits) -> bool:
    """Return whether `call`, which found nothing on a socket that was shut down, is at the end, not too early."""
    return (call in AT_END and waits.at_end()) or (call is accept and waits.family == _UNIX)


def at_end(call: object) -> Any:
    """Return the result of `call` at the end of the input; OSError (EINVAL) for accept."""
    if call is accept:
        raise OSError(EINVAL, os.strerror(EINVAL))
    return AT_END[call]
