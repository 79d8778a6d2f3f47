"""poll(2) as the system has it, whatever the module `select` has later: for a thread without a hub, and for a look."""

from __future__ import annotations

from math import ceil

from hubcore._originals import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from select import poll

    native_poll: Callable[[], poll]

__all__ = ["LONGEST", "milliseconds", "native_poll", "wait_natively"]

native_poll = original("select", "poll")
LONGEST = 1e6  # seconds of one wait, of which poll(2) counts milliseconds in an int


def milliseconds(seconds: float) -> int:
    """What poll takes for `seconds`, at most LONGEST; rounded up, so that nobody looks before the time has come."""
    return ceil(min(seconds, LONGEST) * 1000)


def wait_natively(fd: int, events: int, seconds: float | None = None) -> None:
    """Block the thread until `fd` has one of `events`, at most `seconds`, of which LONGEST count."""
    poller = native_poll()
    poller.register(fd, events)
    poller.poll(None if seconds is None else milliseconds(seconds))
