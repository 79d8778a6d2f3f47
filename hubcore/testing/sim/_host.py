"""A host of a simulation: a name, an address, clocks, a kernel, and a program that can be killed and started again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from random import Random
from socket import AF_INET, AF_INET6
from typing import Any

from greenlet import getcurrent

from hubcore._base.hints import Late
from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub, get_hub_if_any, set_hub
from hubcore.testing.sim import _mirror
from hubcore.testing.sim._clock import Clock
from hubcore.testing.sim._disk import FAULTS, Disk
from hubcore.testing.sim._kernel import Kernel
from hubcore.testing.sim._modules import checked_names
from hubcore.testing.sim._network import is_local, plain_ip
from hubcore.testing.sim._process import Process
from hubcore.testing.sim._resolver import SimResolver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub
    from hubcore.testing.sim._driver import Driver
    from hubcore.testing.sim._network import Network
else:
    Hub = Late("hubcore.hub:Hub")

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\Z")


class _OtherHost:
    """What is waited on that other hosts bring about."""

    cross_thread = True

    def __init__(self, what: str) -> None:
        self._what = what

    def __repr__(self) -> str:
        return self._what


def _no_program() -> None:
    hub = get_hub()
    hub.park(hub.new_waiter(_OtherHost("something to do (it has no program)")))


class Host:
    """A host. Made by `Simulation.host`; its methods may be called from any host's program, and do not switch unless
    they say so.
    """

    def __init__(
        self,
        world: Driver,
        name: str,
        main: Callable[..., object] | None,
        args: tuple[object, ...],
        ip: str | None,
        modules: Iterable[str] = (),
    ) -> None:
        self.name: str = _checked_name(world, name)
        self.ips: tuple[str] = (_free_ip(world) if ip is None else _checked_ip(world, ip),)
        self.world = world
        self.network: Network = world.network
        self.paused: bool = False
        self.slowness: float = 1.0  # how many times as long a pass of its loop takes
        self.shared_random: Random = Random(world.chance.stream("random", name).getrandbits(64))
        self.clock_here: Clock = Clock(world, world.chance.stream("uptime", name).uniform(1e3, 1e6))
        self.result: Any = None  #: what the program returned
        self._disk: Disk | None = None
        self._main = _no_program if main is None else main
        self._args = args
        self._modules = checked_names(modules)
        world.network.enter(self)
        self.kernel: Kernel = Kernel(world, world.network, self)
        self.process: Process | None = None

    @property
    def ip(self) -> str:
        """Its address."""
        return self.ips[0]

    @property
    def path(self) -> str:
        """The folder of its disk: what `open` and `os.open` write there can fail, and is lost at a crash if it was not
        synced. Made when it is first asked for.
        """
        if self._disk is None:
            root = os.path.join(self.world.folder, self.name)
            self._disk = Disk(root, self.world.chance.stream("disk", self.name))
        return self._disk.root

    @property
    def alive(self) -> bool:
        """Whether its program runs: it has begun, and has not ended, been killed or crashed since."""
        return self.process is not None

    # What can be done to it.

    def start(self) -> None:
        """Start its program, again or for the first time; returns once that waits for the first time. Switches.

        RuntimeError if it runs.
        """
        process = self.begin()
        hub = get_hub()
        waiter = hub.new_waiter(_OtherHost(f"the start of {self.name}"))
        process.idle_waiters.append(waiter)
        hub.park(waiter)

    def begin(self) -> Process:
        """As `start`, without waiting. Never switches."""
        if self.process is not None:
            raise RuntimeError(f"{self.name} runs already; kill() or crash() it first")
        if not self.kernel.up:
            self.kernel = Kernel(self.world, self.network, self)
        before = get_hub_if_any()
        try:
            self.process = Process(self, self._main, self._args, self._modules)
        finally:
            set_hub(before)
        self.world.processes.append(self.process)
        self._log("start")
        return self.process

    def kill(self) -> None:
        """kill -9: nothing more of its program runs, no finally block; the kernel closes its sockets, so that its peers
        see the end of the stream, or a reset. RuntimeError if it does not run.
        """
        process = self._process("killed")
        self._log("kill")
        self._end(process)
        self.kernel.close_all()
        _mirror.close_all(self.kernel)
        self._do_not_return_into(process)

    def crash(self) -> None:
        """The power fails: its program is gone and nobody is told; what is sent to it gets no answer until it is
        started again. RuntimeError if it does not run.
        """
        process = self._process("crashed")
        self._log("crash")
        self._end(process)
        self.kernel.crash()
        if self._disk is not None:
            self._disk.crash()
        _mirror.close_all(self.kernel)
        self._do_not_return_into(process)

    def pause(self) -> None:
        """Stop its program where it is, as SIGSTOP does; its kernel goes on. RuntimeError if it does not run."""
        process = self._process("paused")
        if not self.paused:
            self.paused = True
            self._log("pause")
        if getattr(getcurrent(), "hub", None) is process.hub:
            process.hub.yield_now()  # it stops itself

    def resume(self) -> None:
        """Let its program go on. Harmless where it is not paused."""
        if self.paused:
            self.paused = False
            self._log("resume")
            if self.process is not None:
                self.process.resume()

    def clock(self, offset: float = 0.0, drift: float = 0.0) -> None:
        """Set its clocks: the time of day is off by `offset` seconds, and all its clocks run 1 + `drift` times as fast
        as the world's, from now on. Without arguments, they are right again but for what they have drifted.
        """
        self.clock_here.adjust(float(offset), float(drift))
        self._log("clock", f"offset {offset:+g} s, drift {drift:+g}")
        if self.process is not None:
            self.process.clock_changed()

    def spawn(self, function: Callable[..., object], *args: object) -> Greenlet:
        """Start a greenlet on this host that runs `function(*args)`. RuntimeError if its program does not run."""
        process = self._process("given a greenlet")
        before = get_hub_if_any()
        set_hub(process.hub)
        try:
            new = Greenlet(function, *args)
            new.start()
        finally:
            set_hub(before)
        process.notify()
        return new

    # For the simulation.

    def set_slowness(self, slowness: float) -> None:
        """Have its passes take that many times as long."""
        self.slowness = slowness
        self._log("slow", f"{slowness:.0f} times" if slowness != 1.0 else "no more")

    def _process(self, what: str) -> Process:
        if self.process is None:
            raise RuntimeError(f"{self.name} is down and cannot be {what}; start() it first")
        return self.process

    def _log(self, kind: str, text: str = "") -> None:
        self.world.log.add(self.world.now, self.name, kind, 0, text)

    def _end(self, process: Process) -> None:
        self.process = None
        self.paused = False
        if process in self.world.processes:
            self.world.processes.remove(process)
        process.end()

    def _do_not_return_into(self, process: Process) -> None:
        """If what called runs in `process`, which is gone, go on elsewhere for good."""
        hub = getattr(getcurrent(), "hub", None)
        if hub is process.hub or getcurrent() is process.hub:
            process.leave_for_good()

    def take_debt(self) -> float:
        """Seconds that its program has to stand still for what its disk did."""
        disk = self._disk
        if disk is None or disk.debt == 0.0:
            return 0.0
        debt, disk.debt = disk.debt, 0.0
        return debt

    def begin_disk_fault(self, random: Random) -> Any:
        """Have its disk be full, broken or slow; what undoes that, or why it cannot be."""
        disk = self._disk
        if disk is None:
            return "a host that has not used its disk"
        if disk.fault:
            return "a disk that was at fault"
        disk.fault = random.choice(FAULTS)
        self._log("disk", disk.fault)

        def end() -> None:
            disk.fault = ""

        return end

    def ended(self, process: Process, error: BaseException | None) -> None:
        """In `process`, whose program has ended."""
        if process.over:
            return
        world = self.world
        self.result = process.result
        self._log("end", "" if error is None else type(error).__name__)
        if process is world.main:
            world.failure = world.failure or error
            world.over = True
        elif error is not None:
            world.fail(error)
        self._end(process)
        self.kernel.close_all()
        _mirror.close_all(self.kernel)

    def join_threads(self, process: Process) -> None:
        """The program has returned: wait for its threads that are no daemons, as the interpreter does. Switches."""
        import threading

        while True:
            # A thread is known by the address of its greenlet, which is parked or ready here.
            greenlets: list[Any] = [waiter.greenlet for waiter in process.hub.parked]
            greenlets += [getattr(entry, "greenlet", entry) for entry in process.hub.ready.snapshot()]
            idents = {id(each) for each in greenlets}
            threads = [each for each in threading.enumerate() if each.ident in idents and not each.daemon]
            if not threads:
                return
            threads[0].join()

    def resolver_for(self, hub: Hub) -> SimResolver:
        """What looks up names for it."""
        return SimResolver(hub, self)

    def fd_changed(self) -> None:
        """A real fd of its program may be readable or writable now."""
        process = self.process
        if process is not None and process.loop.fd_watches:
            process.notify()

    def __repr__(self) -> str:
        state = "paused" if self.paused else "up" if self.alive else "down" if self.kernel.up else "without power"
        return f"<Host {self.name} {self.ip} {state}>"


def _checked_name(world: Driver, name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a host's name is a str, not {name!r}")
    if not _NAME.match(name) or (name == "localhost" and world.network.by_name):
        raise ValueError(f"a host cannot be called {name!r}; it takes letters, digits, - and _")
    if name in world.network.by_name:
        raise RuntimeError(f"there is a host {name!r} already")
    return name


def _checked_ip(world: Driver, ip: str) -> str:
    if not isinstance(ip, str):
        raise TypeError(f"a host's address is a str, not {ip!r}")
    try:
        plain = plain_ip(AF_INET6 if ":" in ip else AF_INET, ip)
    except OSError:
        raise ValueError(f"{ip!r} is no address; it takes one such as 10.0.0.7 or fd00::7") from None
    if is_local(plain) or (":" not in plain and int(plain.partition(".")[0]) >= 224) or plain.startswith("ff"):
        raise ValueError(f"{ip!r} cannot be a host's address: it is every host's own, or a group's")
    if plain in world.network.by_ip:
        raise RuntimeError(f"{plain} is the address of {world.network.by_ip[plain].name!r} already")
    return plain


def _free_ip(world: Driver) -> str:
    number = 1
    while f"10.0.{number >> 8}.{number & 255}" in world.network.by_ip:
        number += 1
    return f"10.0.{number >> 8}.{number & 255}"
