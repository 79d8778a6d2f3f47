"""The mailbox: where a debugger of this process leaves the address at which it wants to be answered.

The process owns one C struct, whose symbol `hubcore_mailbox` a tool finds in this module's file. A tool that may write
to the memory of the process (the right that debuggers need) writes a path and a request there, and then a zero byte to
the fd that wakes the main thread's hub. The hub connects to the path and answers. So the process listens nowhere, runs
no code for the tool, and does nothing at all until it is asked.
"""

from __future__ import annotations

import os

from hubcore._base import uncompiled as cython

if not cython.compiled:
    _opened: dict[str, int] = {}

    def set_mailbox(pid: int, fd: int) -> None:
        """Uncompiled there is no struct."""
        _opened["fd"] = fd

    def read_mailbox() -> tuple[int, bytes, bytes] | None:
        """Uncompiled there is no struct, so no request."""
        return None


def open_mailbox(wake_fd: int) -> None:
    """Publish that a zero byte written to `wake_fd` makes the process look here; -1: it no longer looks.

    HUBCORE_ATTACH=0 and PYTHON_DISABLE_REMOTE_DEBUG keep it closed.
    """
    if os.environ.get("HUBCORE_ATTACH") == "0" or os.environ.get("PYTHON_DISABLE_REMOTE_DEBUG"):
        wake_fd = -1
    set_mailbox(os.getpid(), wake_fd)


def take_request() -> tuple[int, str, str] | None:
    """Return the number, path and request that were posted since the last call; None if there are none."""
    found = read_mailbox()
    if found is None:
        return None
    number, path, request = found
    return number, os.fsdecode(path), request.decode("ascii", "replace")
