"""The driver: the greenlet that decides which host goes on, by what happens next in the world.

Each host's hub runs until its loop polls; there it switches here. The driver takes the next event, goes on to its time,
and has it happen: a packet arrives, a fault begins, a host goes on. No code of a host's program runs in it.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Callable
from math import inf
from typing import Any

from greenlet import getcurrent, greenlet

from hubcore._diagnostics.describe import describe_parked
from hubcore.hub import get_hub_if_any, set_hub
from hubcore.testing.sim._errors import SimulationDeadlock, SimulationTimeout
from hubcore.testing.sim._network import Network
from hubcore.testing.sim._order import Choices
from hubcore.testing.sim._world import World

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.testing.sim._process import Process

_switch: Any = greenlet.switch
_COLLECT_EVERY = 2000  # events, at the same ones in every run; the collector's own moments depend on what came before
_GRACE = 60.0  # virtual seconds in which what `main` does about its timeout has to end


class Driver(World):
    """The world of several hosts, in one thread."""

    def __init__(
        self,
        seed: int,
        order: str = "fifo",
        limit: float = inf,
        latency: tuple[float, float] = (0.0005, 0.005),
        choices: Choices | None = None,
    ) -> None:
        super().__init__(seed)
        self.order = order
        self.limit: float = limit
        self.choices: Choices = choices if choices is not None else Choices()
        self.network: Network = Network(self, latency)
        self.processes: list[Process] = []  # those that live
        self.next_collection: int = _COLLECT_EVERY
        self.predicates: list[Callable[[], object]] = []
        self.main: Process | None = None  # whose end is the run's
        self.failure: BaseException | None = None
        self.over: bool = False
        self._driver = getcurrent()
        self._numbers = 0
        self._pids = self.chance.stream("pid")
        self._entered: Process | None = None
        self._told: BaseException | None = None  # what main was told already
        self._folder = ""
        self.real_pid: int = os.getpid()
        self.on_enter: list[Callable[[Process], object]] = []  # what is to be the process's own while it runs

    # For processes.

    @property
    def folder(self) -> str:
        """Where the hosts' disks are; made when it is first asked for."""
        if not self._folder:
            # Of one length in all processes, as programs may send what they are called.
            self._folder = os.path.join(tempfile.gettempdir(), f"hubcore-sim-{self.real_pid:010d}")
            shutil.rmtree(self._folder, ignore_errors=True)
            os.makedirs(self._folder)
        return self._folder

    def remove_folder(self) -> None:
        """The run is over."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def next_process(self) -> int:
        """The number of a new process."""
        self._numbers += 1
        return self._numbers

    def draw_pid(self, name: str) -> int:
        """A process id."""
        return self._pids.randint(300, 4_000_000)

    def enter(self, process: Process) -> None:
        """`process` goes on: be its thread."""
        self.current = process
        before = self._entered
        if process is not before:
            if before is not None and before.modules is not None:
                before.modules.leave()
            if process.modules is not None:
                process.modules.enter()
            self._entered = process
            set_hub(process.hub)
            for call in self.on_enter:
                call(process)

    def leave(self) -> None:
        """From a greenlet of a process to the driver; returns when the driver lets that greenlet go on."""
        _switch(self._driver)

    def wake_company(self, process: Process | None) -> None:
        """Let all go on but `process` in which something was made ready: by an event of the world, or by `process`, by
        an object that a test shares between hosts."""
        for other in self.processes:
            if other is not process and other.loop.ready.count:
                other.notify()

    def may_go_on_until(self, time: float) -> bool:
        """Whether nothing happens until then, so that who runs now goes on without the driver."""
        return not self.predicates and not self.over and time <= self.limit and self.next_time() > time

    def collect(self) -> None:
        """Collect garbage, at the same events in every run."""
        self.next_collection = self.steps + _COLLECT_EVERY
        gc.collect()

    def fail(self, error: BaseException) -> None:
        """The run has failed with `error`. It ends where it polls next."""
        if self.failure is None:
            self.failure = error
        self.over = True

    # The driver itself.

    def drive(self) -> None:
        """Have everything happen until the main program has ended or the run has failed."""
        before = get_hub_if_any()
        self._driver = getcurrent()
        try:
            while not self.over:
                at = self.next_time()
                if at == inf:
                    self._everybody_waits()
                elif at > self.limit:
                    self._too_late()
                else:
                    self.happen()
                    self.wake_company(None)
                    if self.predicates:
                        self._check()
                if self.steps >= self.next_collection:
                    self.collect()
        finally:
            if self._entered is not None and self._entered.modules is not None:
                self._entered.modules.leave()
            self._entered = self.current = None
            set_hub(before)

    def _check(self) -> None:
        process = self.main
        assert process is not None
        self.enter(process)  # so that it sees that host's clocks; it may not wait, as the loop polls
        for predicate in self.predicates:
            if not predicate():
                text = getattr(predicate, "__name__", repr(predicate))
                raise AssertionError(f"{text} is no longer so, at {self.now:.6f} s")

    def _everybody_waits(self) -> None:
        text = f"all hosts wait, and nothing will change that, at {self.now:.6f} s\n{self.describe_waits()}"
        self._tell_main(SimulationDeadlock(text, None if self.main is None else self.main.hub))

    def _too_late(self) -> None:
        self.now: float = self.limit
        text = f"the run has not ended after {self.limit:g} virtual seconds\n{self.describe_waits()}"
        self.limit += _GRACE
        self._tell_main(SimulationTimeout(text))

    def _tell_main(self, error: Exception) -> None:
        """Raise `error` in the main program where it waits; the second time it ends the run."""
        process = self.main
        if self._told is not None or process is None or process.over or process.host.paused:
            raise self._told or error
        self._told = error
        process.hub.interrupt(process.main, error)
        process.notify()

    def describe_waits(self) -> str:
        """Who waits on what, host by host."""
        lines = []
        for process in self.processes:
            state = "paused" if process.host.paused else f"{process.hub.parked.count} parked"
            lines.append(f"  {process.host.name}: {state}")
            if process.hub.parked.count:
                lines.append(describe_parked(process.hub))
        return "\n".join(lines)
