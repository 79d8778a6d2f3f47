"""os.eventfd_read, os.eventfd_write and os.sched_yield: others run where the kernel's call would wait.

Fact: poll(2) reports an eventfd as writable if the value 1 fits; a larger value may still have to wait, and there is no
event for it. Consequence: the kernel's own count (/proc/self/fdinfo) decides about a larger value.
"""

from __future__ import annotations

import os

from hubcore._base.hints import Any
from hubcore._io.fd_calls import blocks, may_wait, wait_for_data, wait_for_room
from hubcore._io.pauses import GrowingPauses
from hubcore.hub import get_hub

_eventfd_read: Any = getattr(os, "eventfd_read", None)
_eventfd_write: Any = getattr(os, "eventfd_write", None)
_sched_yield: Any = getattr(os, "sched_yield", None)

_MOST = 2**64 - 2  # what an eventfd can hold


def eventfd_read(fd: int) -> int:
    """As os.eventfd_read. Switches while the value is 0 and `fd` blocks."""
    if _is_fd(fd) and may_wait() and blocks(fd, os.O_WRONLY):
        wait_for_data(fd)
    value: int = _eventfd_read(fd)
    return value


def eventfd_write(fd: int, value: int) -> None:
    """As os.eventfd_write. Switches while the value does not fit and `fd` blocks."""
    if _is_fd(fd) and type(value) is int and 0 < value <= _MOST and may_wait() and blocks(fd, os.O_RDONLY):
        if value == 1:
            wait_for_room(fd)
        else:
            pauses = GrowingPauses(f"room in eventfd {fd}")
            while _count_of(fd) + value > _MOST:
                pauses.pause()
    _eventfd_write(fd, value)


def _is_fd(fd: object) -> bool:
    return type(fd) is int and fd >= 0


def _count_of(fd: int) -> int:
    """Return the present value of the eventfd `fd`; 0 if the system does not show it."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            for line in file:
                name, _, number = line.partition(":")
                if name == "eventfd-count":
                    return int(number, 16)
    except (OSError, ValueError):
        pass
    return 0


def sched_yield() -> None:
    """As os.sched_yield, and let the ready greenlets run. May switch."""
    if may_wait():
        get_hub().yield_now()
    _sched_yield()
