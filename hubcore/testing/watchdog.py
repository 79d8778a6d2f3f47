"""Turns a test that hangs into a failure that shows the stack of every greenlet.

Facts: faulthandler knows threads, not greenlets. A watching Python thread would keep a hub from raising LoopExit,
because another thread might wake its greenlets. A signal ends the sleep of the main thread's hub on every backend, but
not always the sleep of a loop without a hub, nor a wait inside C. Consequence: first an alarm signal fails the test. If
that has no effect, `_GRACE` seconds later faulthandler's C thread shows the threads and ends the process.
"""

from __future__ import annotations

import faulthandler
import gc
import signal
import sys
import threading
import traceback
from typing import Any

import greenlet

from hubcore._base.originals import write_fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_GRACE = 8.0
_MOST_SHOWN = 100
_DEEPEST = 20


class Hang(BaseException):
    """Raised in a test that takes too long. Not an Exception, because code that the test calls may catch those."""


class Watchdog:
    """Watches one test at a time; used in the main thread."""

    def __init__(self, stderr: int) -> None:
        self._stderr = stderr  # the fd; output that pytest captures would be lost with the process
        self._previous: Any = None
        self._armed = False
        self._seconds = 0.0

    def arm(self, seconds: float) -> None:
        """Raise `Hang` in the main greenlet after `seconds`. Does nothing outside the main thread."""
        self.disarm()
        if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
            return
        self._seconds = seconds
        self._previous = signal.signal(signal.SIGALRM, self._on_alarm)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        faulthandler.dump_traceback_later(seconds + _GRACE, exit=True, file=self._stderr)
        self._armed = True

    def disarm(self) -> None:
        """Cancel the alarm: the test has ended in time."""
        if self._armed:
            self._armed = False
            faulthandler.cancel_dump_traceback_later()
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._previous)

    def _on_alarm(self, signum: int, frame: FrameType | None) -> None:
        from hubcore.hub import get_hub_if_any

        try:
            stacks = every_stack()
        except Exception:
            stacks = traceback.format_exc()  # a hanging program may be in a state that cannot be described
        text = f"the test hangs: it has not ended within {self._seconds:g} seconds\n{stacks}"
        write_fd(self._stderr, text.encode(errors="replace"))
        hang = Hang(text)
        hub = get_hub_if_any()
        current = greenlet.getcurrent()
        if hub is None or hub.destroyed:
            raise hang
        if current is not hub.main:
            hub.interrupt(hub.main, hang)
        # An exception raised in a poll would hit the greenlet that happens to poll; in the hub no code would see it.
        if current is not hub and not hub.loop.polling:
            raise hang
        if current is hub.main:
            hub.interrupt(hub.main, hang)


def every_stack() -> str:
    """Return the hubs with their parked greenlets, and the stack of every greenlet and thread in the process."""
    from hubcore._core.scheduler import Scheduler
    from hubcore._diagnostics.describe import describe_parked

    lines = []
    greenlets = [found for found in gc.get_objects() if isinstance(found, greenlet.greenlet)]
    for hub in greenlets:
        if isinstance(hub, Scheduler) and not hub.destroyed:
            lines.append(f"{hub!r}\n{hub.loop!r}\n{describe_parked(hub)}")
    suspended = [found for found in greenlets if found.gr_frame is not None]
    for found in suspended[:_MOST_SHOWN]:
        lines.append(f"greenlet {found!r}:\n{''.join(traceback.format_stack(found.gr_frame, _DEEPEST))}")
    if len(suspended) > _MOST_SHOWN:
        lines.append(f"and {len(suspended) - _MOST_SHOWN} more greenlets")
    for ident, frame in sys._current_frames().items():
        lines.append(f"thread {ident:#x}:\n{''.join(traceback.format_stack(frame, _DEEPEST))}")
    return "\n".join(lines)
