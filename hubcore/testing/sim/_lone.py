"""SimLoop: the backend "sim", for a hub that has its thread to itself: one host, and no driver.

What would be the driver's part is done in the poll: virtual time goes on from event to event, and where only the real
world can end a wait (a native thread, a child process, a pipe of another process), real time passes.

HUB_BACKEND=sim gives this to every hub; HUBCORE_SIM_SEED is the seed. Where that is set, the clocks, the randomness and
the names of the process are simulated, too, as in a run.
"""

from __future__ import annotations

import os
import select
import sys
from _thread import _count as thread_count
from math import inf
from typing import Any

from hubcore import config
from hubcore._base.originals import get_ident, original
from hubcore._base.worker_threads import any_starting, idle_thread_idents
from hubcore.backends.native import WakePipe
from hubcore.backends.select_ import SelectLoop
from hubcore.testing.sim import _builtins, _mirror, _socket
from hubcore.testing.sim._clock import Clock
from hubcore.testing.sim._kernel import Kernel
from hubcore.testing.sim._network import Network
from hubcore.testing.sim._resolver import SimResolver
from hubcore.testing.sim._world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub

SEED = "HUBCORE_SIM_SEED"
_SHORTEST, _LONGEST = 1e-6, 2e-5  # seconds that a pass costs
_real_monotonic: Any = original("time", "monotonic")


class LoneHost:
    """The one host."""

    name = "localhost"
    ips = ()
    paused = False

    def __init__(self, world: World, network: Network) -> None:
        from random import Random

        self.world = world
        self.network = network
        self.shared_random = Random(world.chance.stream("random", self.name).getrandbits(64))
        self.clock_here = Clock(world, 0.0)
        self.kernel = Kernel(world, network, self)
        self.fds_changed = False
        network.enter(self)

    def fd_changed(self) -> None:
        """A mirror has changed: what is ready is to be asked once more."""
        self.fds_changed = True


def _other_threads_run() -> bool:
    """Whether a native thread runs that could end a wait of this one."""
    if any_starting():
        return True
    # A set of the idents, not the frames: one of them is this call's, which would keep itself alive.
    return thread_count() > 0 and bool(set(sys._current_frames()) - {get_ident()} - idle_thread_idents())


class LoneProcess:
    """The program: whatever runs in the thread."""

    lone = True

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.host = LoneHost(self.world, Network(self.world, (0.0, 0.0)))
        self.kernel = self.host.kernel
        self.world.current = self
        self.pid = os.getpid()
        self._cost = self.world.chance.stream("cost").random

    def notify(self) -> None:
        """Something is ready: the poll under way sees it."""

    def poll(self, loop: SimLoop, timeout: float) -> None:
        """See the module's text."""
        world = self.world
        loop.look(0.0)
        earliest = world.now + _SHORTEST + (_LONGEST - _SHORTEST) * self._cost()
        until = earliest if timeout == 0.0 else inf if timeout < 0.0 else max(earliest, world.now + timeout)
        while True:
            if self.host.fds_changed:
                self.host.fds_changed = False
                loop.look(0.0)
            if loop.pendingcnt or loop.woken:
                until = min(until, max(earliest, world.now))
            at = world.next_time()
            if loop.external or loop.jobs or _other_threads_run():
                # What another thread does takes real time, and all the world waits for it.
                left = min(at, until) - world.now
                if until > earliest and left > 0.0 and not loop.woken:
                    self._wait(loop, left)
                    if loop.woken:
                        continue
            if at <= until and at < inf:
                world.happen()
                continue
            break
        if until > earliest and not loop.woken and (timeout < 0.0 or len(loop.deadlines) == 0):
            self._wait(loop, until - world.now)
        elif until < inf:
            world.now = max(world.now, until)
        loop.woken = False

    def _wait(self, loop: SimLoop, seconds: float) -> None:
        """Wait for the real world, in real time."""
        start = _real_monotonic()
        loop.look(-1.0 if seconds == inf else seconds)
        self.world.now += min(_real_monotonic() - start, seconds)


class SimLoop(SelectLoop):
    """The backend "sim"."""

    name = "sim"
    approx_timer_resolution = 1e-9

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        seed, everything = _seed()
        self.process = LoneProcess(seed)
        self._clock = self.process.host.clock_here
        self.woken = False
        _socket.install()
        _mirror.install()
        super().__init__(flags, default)
        if everything:
            _simulate_everything(self.process)

    def clock(self) -> float:
        """The virtual time."""
        return self._clock.monotonic()

    def advance(self, seconds: float) -> None:
        """Advance the clock by `seconds` at once; what is then due happens at the next pass."""
        if not seconds >= 0.0:
            raise ValueError(f"advance(): seconds must be 0 or more, not {seconds!r}")
        self.process.world.now += seconds

    def poll(self, timeout: float) -> None:
        """As Loop.poll."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        self.process.poll(self, timeout)

    def look(self, timeout: float) -> None:
        """Make ready who waits for a real fd that is ready; wait for one for `timeout` seconds (negative: no limit)."""
        before = self.pendingcnt
        SelectLoop.poll(self, timeout)
        if self.pendingcnt > before:
            self.woken = True

    def _open(self) -> None:
        super()._open()
        self.poller.unregister(self.wake_pipe)
        self.wake_pipe.close()
        self.wake_pipe = _NotedPipe(self)
        self.poller.register(self.wake_pipe, select.POLLIN)

    def release(self) -> None:
        """As Loop.release."""
        super().release()
        if _builtins.world is self.process.world:
            _builtins.leave()


class _NotedPipe(WakePipe):
    """A wake pipe whose loop sees that it has been woken."""

    __slots__ = ("_loop",)

    def __init__(self, loop: SimLoop) -> None:
        super().__init__()
        self._loop = loop

    def clear(self) -> None:
        """As WakePipe.clear."""
        self._loop.woken = True
        super().clear()


def _seed() -> tuple[int, bool]:
    """The seed, and whether all that is of chance is simulated."""
    text = os.environ.get(SEED, "")
    if not text:
        return 0, False
    try:
        return int(text), True
    except ValueError:
        raise ValueError(f"{SEED} is {text!r}; it takes a whole number") from None


class LoneResolver(SimResolver):
    """The look-ups of the one host."""

    def __init__(self, hub: Hub | None = None) -> None:
        assert hub is not None
        super().__init__(hub, hub.loop.process.host)  # type: ignore[attr-defined]


def _simulate_everything(process: LoneProcess) -> None:
    if _builtins.world is None:
        _builtins.install()
        _builtins.world = process.world
        _builtins.enter(process)
        config.resolver = LoneResolver
