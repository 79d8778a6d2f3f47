"""RawGreenlet: a greenlet that a hub starts, parks, wakes and interrupts, and nothing more.

It derives directly from greenlet's own class: greenlet checks the type of its arguments at each switch, and that check
walks the bases.
"""

from __future__ import annotations

import sys

from greenlet import GreenletExit

from hubcore._base import uncompiled as cython
from hubcore._base.argument_checks import as_exception
from hubcore._base.package import PACKAGE
from hubcore._core.deadlines import Deadline
from hubcore.exceptions import Cancelled

if not cython.compiled:
    from hubcore._base.hints import Any, Callable
    from hubcore._capi.fallback import (
        begin_stack,
        call_or,
        greenlet,
        import_greenlet,
        raise_failure,
        running_code,
        running_instruction,
        set_parent,
    )

    NEW, SCHEDULED, STARTED, FINISHED = range(4)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Protocol

    from hubcore._core.ready_queue import ReadyQueue
    from hubcore._core.waiter import Waiter

    class Host(Protocol):
        """The part of a hub that a greenlet uses."""

        SYSTEM_ERROR: tuple[type[BaseException], ...]

        @property
        def loop(self) -> Any: ...
        @property
        def ready(self) -> ReadyQueue: ...
        @property
        def thread_ident(self) -> int: ...
        @property
        def destroyed(self) -> bool: ...
        def schedule(self, new: Any) -> None: ...
        def interrupt(self, target: Any, exception: object) -> None: ...
        def handle_error(self, context: object, type: Any, value: Any, tb: Any) -> None: ...


import_greenlet()

_last_serial = 0


def next_serial() -> int:
    """Return a number that no greenlet of this process has had."""
    global _last_serial
    _last_serial += 1
    return _last_serial


#: What `call_or` returns for a call that failed, whose error is then set.
CALL_FAILED = object()


class RawGreenlet(greenlet):
    """A greenlet that a hub starts, parks, wakes and interrupts; `spawn_raw` makes it, Greenlet extends it."""

    __slots__ = (
        "_interrupts",
        "_locals",
        "_pauses",
        "_phase",
        "_scope",
        "_serial",
        "_spawn_code",
        "_spawn_instruction",
        "_target",
        "_waiter",
        "args",
        "hub",
    )

    def __init__(self, hub: Host, target: Callable[..., object] | None, args: tuple[object, ...] = ()) -> None:
        self._prepare(hub, target, args)

    def _prepare(self, hub: Host, target: Callable[..., object] | None, args: tuple[object, ...]) -> None:
        self.hub: Host = hub
        self._waiter: Waiter | None = None  # while it is parked
        self._interrupts: list[object] | None = None  # what to raise when it waits next, in this order
        self._scope: Any = None  # the innermost scope that it is in
        self._locals: Any = None  # hubcore.local's: what frees its greenlet-local values when it is dropped
        self._pauses = 0  # those that left its interrupts pending
        self._phase = NEW
        self._serial = 0  # its number in reports, given at the first of them
        self._target = target
        self.args: tuple[object, ...] = args
        set_parent(self, hub)
        # `spawn_site` computes the line number when a caller needs it.
        self._spawn_code: CodeType | None = running_code(PACKAGE)
        self._spawn_instruction = running_instruction(PACKAGE)

    @property
    def spawn_site(self) -> tuple[str, int, str]:
        """File, line and function of the call that made this greenlet."""
        from hubcore._base.spawn_stack import site_of

        return site_of(self._spawn_code, self._spawn_instruction)

    def spawn_code(self) -> tuple[CodeType | None, int]:
        """The same as code and instruction, which cost nothing to read."""
        return self._spawn_code, self._spawn_instruction

    @property
    def waiting_on(self) -> object:
        """The object that it is parked on; None if it is not parked."""
        waiter = self._waiter
        return None if waiter is None else waiter.waiting_on

    @property
    def serial(self) -> int:
        """Its number in snapshots and recordings: unlike its address, no later greenlet of the process has the same."""
        return self.get_serial()

    def get_serial(self) -> int:
        """The same, for compiled callers."""
        if self._serial == 0:
            self._serial = next_serial()
        return self._serial

    def run(self) -> object:
        """Entry point of the greenlet: its first switch calls this."""
        self._begin()
        target: Any = self._target
        self._target = None
        result: object = call_or(CALL_FAILED, target, self.args, None)
        if result is CALL_FAILED:
            result = self._failed()
        self._phase = FINISHED
        self._locals = None
        return result

    def _begin(self) -> None:
        begin_stack()
        self._phase = STARTED

    def _failed(self) -> object:
        """Report the exception of its target; return GreenletExit and Cancelled, which end a greenlet on purpose."""
        try:
            raise_failure()
        except (GreenletExit, Cancelled) as exit:
            return exit
        except BaseException:
            self.hub.handle_error(self, *sys.exc_info())
        return None

    def _move_to(self, hub: Host) -> None:
        """Belong to `hub` from now on. For a forked child, whose hub is a new one."""
        self.hub = hub
        self._waiter = None
        set_parent(self, hub)

    @cython.binding(True)  # for its signature: the default is no literal
    def kill_nowait(self, exception: type[BaseException] | BaseException = GreenletExit) -> None:
        """Raise `exception` at its current park, or at its next one. If it was not started, it never runs.

        The thread of its hub only; never switches.
        """
        if self._phase < STARTED:
            self._finish_unstarted(as_exception(exception))
        elif self._phase == STARTED:
            self.hub.interrupt(self, exception)

    def _finish_unstarted(self, exception: BaseException) -> None:
        """Finish with `exception` without having run. Does nothing once the greenlet has started."""
        if self._phase < STARTED:
            self._phase = FINISHED

    def __repr__(self) -> str:
        state = ("not scheduled", "not started", "started", "finished")[self._phase]
        return f"<{type(self).__name__} {state} at {id(self):#x}>"


class StartDeadline(Deadline):
    """The time at which the hub schedules a greenlet of `Greenlet.start_later`."""

    __slots__ = ("greenlet",)

    def __init__(self, greenlet: RawGreenlet) -> None:
        Deadline.__init__(self)
        self.greenlet: RawGreenlet = greenlet

    def _fire(self, now: float) -> None:
        self.greenlet.hub.ready.push(self.greenlet)

    def _give_up(self, exception: BaseException) -> None:
        self.greenlet._finish_unstarted(exception)
