"""One life of a host's program: from its start to its end, a kill, or a crash.

Its hub is a hub as in production; only its loop's poll gives way to the driver. Killed, its greenlets are set aside:
never resumed, unwound or collected, as those of a process that is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from greenlet import getcurrent, greenlet

from hubcore._core.coverage import resumed
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.registry import hubs
from hubcore._core.running_loop import per_greenlet_state, restore_state, save_state
from hubcore.hub import set_hub
from hubcore.testing.sim import _order
from hubcore.testing.sim._hub import HostHub
from hubcore.testing.sim._modules import OwnModules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import Waiter
    from hubcore.testing.sim._loop import HostLoop
    from hubcore.testing.sim._world import Event

_switch: Any = greenlet.switch  # not the hub's own, which parks
_SHORTEST, _LONGEST = 1e-6, 2e-5  # seconds that a pass costs: so nobody can stop time
# What was running in processes that are gone: to collect a parked greenlet would be to run its finally blocks.
_set_aside: list[Any] = []


class Program(RawGreenlet):
    """The main greenlet of a host's program."""

    name = ""

    def __repr__(self) -> str:
        return f"<the program of {self.name}>"


def _be_a_main_thread() -> None:
    """Have the threads that the program starts be no daemons by themselves, as those of a main thread."""
    import threading

    thread: Any = threading.current_thread()
    thread._daemonic = False
    thread._name = "MainThread"


class Process:
    """A program that runs on `host`."""

    #: Whether it has the thread to itself, and no driver.
    lone = False

    def __init__(
        self, host: Any, main: Callable[..., object], args: tuple[object, ...], modules: tuple[str, ...] = ()
    ) -> None:
        world = host.world
        self.host = host
        self.world = world
        self.kernel: Any = host.kernel
        self.number: Any = world.next_process()
        self.pid: Any = world.draw_pid(host.name)
        self._cost = world.chance.stream("cost", host.name).random
        self.modules: OwnModules | None = OwnModules(modules) if modules else None
        self.over: bool = False
        self.result: Any = None
        self.idle_waiters: list[Waiter] = []  # who waits until it waits for the first time
        self._was_idle = False
        self._wake: Event[Any] | None = None  # when it goes on
        self._earliest = 0.0  # before which it does not: its last pass is not paid yet
        self._parked = True
        self._missed = False  # it was to go on while it was paused
        set_hub(None)
        self.hub: HostHub = HostHub(self)
        self.loop: HostLoop = self.hub.loop  # type: ignore[assignment]
        self.hub.resolver = host.resolver_for(self.hub)
        _order.apply(world.order, self.hub, world.chance.stream("order", host.name, self.number), world.choices)
        self.main: Program = Program(self.hub, self._run, (main, args))
        self.main.name = host.name
        self.hub.set_main(self.main)
        self.hub.schedule(self.main)
        self._poller: greenlet = self.hub  # where it goes on
        self._wake = world.at(world.now, self._go_on)

    # Its end.

    def _run(self, main: Callable[..., object], args: tuple[object, ...]) -> None:
        error: BaseException | None = None
        _be_a_main_thread()
        try:
            try:
                self.result = (main if self.modules is None else self.modules.own(main))(*args)
            finally:
                self.host.join_threads(self)
        except SystemExit as exit:
            if exit.code not in (None, 0):
                error = exit
        except BaseException as raised:
            error = raised
        self.host.ended(self, error)
        self.leave_for_good()

    def leave_for_good(self) -> None:
        """In a greenlet of the process, which is over: never comes back."""
        while True:
            self.world.leave()

    def end(self) -> None:
        """It is over: nothing of it runs any more. Its sockets are the host's to close."""
        if self.over:
            return
        self.over = True
        self.world.call_off(self._wake)
        self._wake = None
        hubs.discard(self.hub)
        # What others hand over, by an object that a test shares between hosts, goes to nobody here.
        waiters = list(self.hub.parked)
        for handed in (False, True):
            for waiter in waiters:
                if waiter.ended == handed:
                    waiter.abandon()
        _set_aside.append((self, waiters, self.hub.ready.snapshot(), [waiter.greenlet for waiter in waiters]))
        for waiter in self.idle_waiters:
            waiter.wake()
        self.idle_waiters.clear()

    # Its turns.

    def has_company(self) -> bool:
        """Whether other programs run in the same world."""
        return any(other is not self for other in self.world.processes)

    def notify(self) -> None:
        """Something may be ready here: let it go on once its last pass is paid. Any thread may call it."""
        if self.over or not self._parked:
            return
        if self.host.paused:
            self._missed = True
            return
        at = self._earliest if self._earliest > self.world.now else self.world.now
        wake = self._wake
        if wake is not None and wake[3] is not None:
            if wake[0] <= at:
                return
            self.world.call_off(wake)
        self._wake = self.world.at(at, self._go_on)

    def clock_changed(self) -> None:
        """The host's clock was set, or drifts otherwise: deadlines come at another time."""
        if self._parked and not self.over:
            self._earliest = max(self._earliest, self.world.now)
            self.notify()

    def resume(self) -> None:
        """The host goes on after a pause."""
        if self._missed:
            self._missed = False
            self.notify()

    def _go_on(self) -> None:
        """In the driver: let it run until it polls."""
        if self.over:
            return
        if self.host.paused:
            self._missed = True
            return
        world = self.world
        self._wake = None
        self._parked = False
        world.log.step(world.now, self.host.name, "run")
        world.enter(self)
        _switch(self._poller)

    def poll(self, loop: HostLoop, timeout: float) -> None:
        """In a greenlet of the process: what its loop's poll is."""
        world = self.world
        if self.over:
            self.leave_for_good()
        if loop.fd_watches:
            loop.look_at_fds()
        world.wake_company(self)
        now = world.now
        slow = self.host.slowness
        earliest = now + (_SHORTEST + (_LONGEST - _SHORTEST) * self._cost()) * slow + self.host.take_debt()
        if timeout == 0.0 or loop.woken or len(loop.ready):
            until = earliest
        else:
            deadline = loop.deadlines.earliest()
            until = inf if deadline == inf else max(earliest, self.host.clock_here.world_time(deadline))
        loop.woken = False
        if until > earliest and not self._was_idle:
            self._was_idle = True
            for waiter in self.idle_waiters:
                waiter.wake()
            self.idle_waiters.clear()
            world.wake_company(self)
        if until < inf and world.may_go_on_until(until) and not self.host.paused:
            world.now = until
            world.steps += 1
            if world.steps >= world.next_collection:
                world.collect()
            return
        self._earliest = earliest
        self._wake = None if until == inf else world.at(until, self._go_on)
        self._parked = True
        self._poller = getcurrent()
        aside = save_state() if per_greenlet_state.enabled else None
        try:
            world.leave()
        finally:
            if aside is not None:
                restore_state(aside)
        resumed()
        if loop.fd_watches:
            loop.look_at_fds()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number} of {self.host.name}>"
