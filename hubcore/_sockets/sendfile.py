"""socket.sendfile by sendfile(2): the kernel copies from file to socket, and the waits are in the hub."""

from __future__ import annotations

import os
import socket
from errno import EAGAIN

from hubcore._base.originals import get_blocking, original, set_blocking
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._io.fd_waits import FdWaits

_MOST = 1 << 30  # bytes in one call; some kernels refuse 2 GiB and more
_give_up = socket._GiveupOnSendfile  # type: ignore[attr-defined]  # makes socket.sendfile continue with send()


def send(waits: FdWaits, file: Any, offset: int, count: int | None) -> int:
    """Send `count` bytes of `file` (None: all) from `offset` on, and set the file's position after the last byte sent.

    Switches when the kernel accepts no more. As in the standard library, the socket's timeout applies to each wait.
    If sendfile(2) does not work for the file, raises the exception after which socket.sendfile continues with send().
    """
    try:
        fileno = file.fileno()
        size = os.fstat(fileno).st_size
    except (AttributeError, OSError) as error:  # io.UnsupportedOperation is an OSError
        raise _give_up(error) from None
    if not size:
        return 0
    if waits.timeout == 0.0:
        raise ValueError("non-blocking sockets are not supported")
    try:
        sendfile = original("os", "sendfile")  # the patched one waits, too
    except AttributeError:
        raise _give_up("this platform has no sendfile") from None
    blocking = waits.lent and get_blocking(waits.fd)
    set_blocking(waits.fd, False)  # sendfile(2) has no flag like MSG_DONTWAIT, which `_sockets.stream_calls` uses
    sent = 0
    try:
        while count is None or sent < count:
            get_hub().spend()
            try:
                n = sendfile(waits.fd, fileno, offset + sent, _MOST if count is None else min(count - sent, _MOST))
            except OSError as error:
                if error.errno == EAGAIN:
                    waits.wait_write(waits.timeout)
                    continue
                if not sent:
                    raise _give_up(error) from None
                raise
            if n == 0:
                break
            sent += n
    finally:
        if blocking and waits.fd >= 0:
            set_blocking(waits.fd, True)
        if sent and hasattr(file, "seek"):
            file.seek(offset + sent)
    return sent
