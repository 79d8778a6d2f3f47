"""SimLoop: a loop whose poll gives way to the simulated world.

The time is a host's clock. What real fds are watched, pipes within a host and the mirrors of sockets, is asked at each
pass, without waiting.
"""

from __future__ import annotations

import select
from typing import Any

from hubcore._base.originals import original
from hubcore.backends.select_ import SelectLoop


class HostLoop(SelectLoop):
    """The loop of one life of a host's program."""

    name = "sim"
    approx_timer_resolution = 1e-9

    def __init__(self, process: Any) -> None:
        self.process = process
        self._clock = process.host.clock_here
        self.woken = False
        super().__init__(None, None)

    def _open(self) -> None:
        self.poller = original("select", "poll")()
        self._wake_read = self._wake_write = -1  # nothing sleeps in this poll

    def clock(self) -> float:
        """The host's monotonic time."""
        now: float = self._clock.monotonic()
        return now

    def poll(self, timeout: float) -> None:
        """As Loop.poll: time passes for the world."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        self.process.poll(self, timeout)

    def look_at_fds(self) -> None:
        """Make ready who waits for a real fd that is ready."""
        SelectLoop.poll(self, 0.0)

    def wake(self) -> None:
        """As Loop.wake."""
        self.woken = True
        self.process.notify()

    def reinit(self) -> None:
        """As Loop.reinit."""
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self._open()

    def _release(self) -> None:
        self.poller = select.poll()
