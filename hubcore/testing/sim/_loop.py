"""SimLoop: a loop whose poll gives way to the simulated world.

The time is a host's clock. What real fds are watched, pipes within a host and the mirrors of sockets, is asked at each
pass, without waiting.
"""

from __future__ import annotations

from typing import Any

from hubcore.backends.native import WakePipe, original
from hubcore.backends.select_ import SelectLoop


class _NoPipe(WakePipe):
    """Nothing sleeps in a host's poll: there is nothing to wake."""

    __slots__ = ()

    def __init__(self) -> None:
        self._read = self._write = -1


_NO_PIPE = _NoPipe()


class HostLoop(SelectLoop):
    """The loop of one life of a host's program."""

    name = "sim"
    approx_timer_resolution = 1e-9

    def __init__(self, process: Any) -> None:
        self.process = process
        self._clock = process.host.clock_here
        self.woken: bool = False
        super().__init__(None, None)

    def _open(self) -> None:
        self.poller = original("select", "poll")()
        self.wake_pipe = _NO_PIPE

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

    def release(self) -> None:
        """As Loop.release."""
        self.poller = original("select", "poll")()
