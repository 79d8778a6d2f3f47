"""The original poll(2), also after `select` is patched: for a thread without a hub, and for a look without a wait."""

from __future__ import annotations

from math import ceil

from hubcore._base.originals import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from select import poll

    native_poll: Callable[[], poll]

__all__ = ["LONGEST", "milliseconds", "native_poll", "wait_natively"]

native_poll = original("select", "poll")
LONGEST = 1e6  # seconds of one wait; poll(2) takes milliseconds in an int


def milliseconds(seconds: float) -> int:
    """Return `seconds`, at most LONGEST, as poll's milliseconds; rounded up, so that poll never returns too early."""
    return ceil(min(seconds, LONGEST) * 1000)


def wait_natively(fd: int, events: int, seconds: float | None = None) -> None:
    """Block the thread until `fd` has one of `events`, at most `seconds`, which are capped at LONGEST."""
    poller = native_poll()
    poller.register(fd, events)
    poller.poll(None if seconds is None else milliseconds(seconds))
