"""A run, in the process that it is given: everything is put in place, the driver drives, and all is taken back."""

from __future__ import annotations

import gc
import linecache
import sys
import traceback
from collections.abc import Callable
from signal import SIGINT
from types import TracebackType
from typing import Any

from hubcore._base.originals import original
from hubcore._sync.steps import begin_part
from hubcore.hub import get_hub_if_any, set_hub
from hubcore.testing.sim import _builtins, _disk, _mirror, _natives, _socket, _work
from hubcore.testing.sim._driver import Driver
from hubcore.testing.sim._faults import Faults
from hubcore.testing.sim._host import Host
from hubcore.testing.sim._order import Choices
from hubcore.testing.sim._output import Output
from hubcore.testing.sim._settings import Outcome, Settings
from hubcore.testing.sim._simulation import Simulation

_OWN = __file__.rpartition("/testing/")[0] + "/"
_LINES = 400  # of the log, that come back
_getsignal, _set_signal = original("signal", "getsignal"), original("signal", "signal")


def install() -> None:
    """Have the process be ready for runs; outside of one, everything is as it was."""
    _socket.install()
    _mirror.install()
    _builtins.install()
    _disk.install()
    _work.install()


def uninstall() -> None:
    """Undo `install`."""
    _work.uninstall()
    _disk.uninstall()
    _builtins.uninstall()
    _mirror.uninstall()
    _socket.uninstall()


def simulate(main: Callable[..., object], args: tuple[object, ...], settings: Settings) -> Outcome:
    """One run of `main(sim, *args)`. RuntimeError within a run."""
    if _builtins.world is not None:
        raise RuntimeError("a simulation is running already, and cannot be begun within itself")
    choices = Choices(settings.picks, settings.only)
    world = Driver(settings.seed, settings.order, settings.timeout, settings.latency, choices)
    outcome = Outcome(settings.seed, settings.order)
    if settings.record or settings.trap:
        world.log.watcher = _watcher(outcome, settings.trap)
    before = get_hub_if_any()
    natives = _natives.sockets()
    begin_part()
    set_hub(None)
    collects = gc.isenabled()
    gc.disable()
    on_interrupt = _getsignal(SIGINT)
    faults = Faults(world, settings.faults)
    sim = Simulation(world, faults)
    output = Output(world)
    world.on_enter.append(_builtins.enter)
    try:
        with output:
            _builtins.world = world
            host = Host(world, settings.host, main, (sim, *args), None)
            world.main = host.begin()
            try:
                world.drive()
                error = world.failure
            except BaseException as raised:
                error = raised
            outcome.digest = world.log.digest
            outcome.log = world.log.tail(_LINES)
            for process in list(world.processes):
                process.host.kill()
    finally:
        _builtins.leave()
        _disk.forget_all()
        world.remove_folder()
        set_hub(before)
        if collects:
            gc.enable()
        if _getsignal(SIGINT) is not on_interrupt:  # of a server whose host was killed
            _set_signal(SIGINT, on_interrupt)
    outcome.result = host.result
    if error is None:
        error = _natives.check(natives)
    if error is not None:
        outcome.error = error
        outcome.trace = "".join(traceback.format_exception(type(error), error, _of_the_program(error)))
        outcome.place = place_of(error)
    outcome.now, outcome.steps, outcome.picks = world.now, world.steps, choices.made
    outcome.reordered = choices.changed
    outcome.faults = list(faults.planned)
    outcome.summary = faults.summary()
    outcome.output = output.text
    return outcome


def _of_the_program(error: BaseException) -> TracebackType | None:
    """The traceback of `error` from where the program's own frames begin."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN):
        trace = trace.tb_next
    return trace if trace is not None else error.__traceback__


def place_of(error: BaseException) -> tuple[str, str, int]:
    """The type of `error`, and where it was raised: the innermost frame outside of hubcore."""
    place: tuple[str, str, int] = ("", "", 0)
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((_OWN, "hubcore/")):
            place = ("", file, trace.tb_lineno)
        trace = trace.tb_next
    return (f"{type(error).__module__}.{type(error).__qualname__}", *place[1:])


def _watcher(outcome: Outcome, trap: int) -> Callable[[int, tuple[Any, ...]], None]:
    def watch(number: int, event: tuple[Any, ...]) -> None:
        if not trap:
            outcome.events.append(event)
        elif number == trap:
            frame = sys._getframe(2)
            linecache.checkcache()
            outcome.stack = "".join(traceback.format_stack(frame, 15))

    return watch
