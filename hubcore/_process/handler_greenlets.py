"""Signal handlers of the program, each call in a greenlet of its own, at once.

Facts: Python calls a handler in the main thread between two byte codes, on the stack that runs there. That may be any
greenlet, at any point, or the hub; when no greenlet runs, it is the greenlet that polls the loop. A handler may wait
for a lock that the interrupted greenlet owns, or sleep; the hub must never wait.

Consequence: the handler gets a greenlet. The interrupted greenlet pauses until the handler has ended or waits itself,
and then goes on before all others, as if it had not been interrupted. If the hub was interrupted, the handler runs
next.

A handler's exception is raised in the main greenlet, where programs expect it: at once if the main greenlet was
interrupted, else where it waits. A KeyboardInterrupt is raised in the interrupted greenlet and, when it leaves that, in
the main one; otherwise Ctrl-C could not end a greenlet that never waits.
"""

from __future__ import annotations

import atexit
from contextvars import copy_context

from greenlet import GreenletExit, getcurrent

from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._watchers import signals as _signals
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from hubcore._core.waiter import Waiter
    from hubcore.hub import Hub

    Function = Callable[[int, FrameType | None], Any]


class HandlerGreenlet(RawGreenlet):
    """A greenlet that calls a handler. To Python the handler runs in the main thread; this class identifies it."""

    __slots__ = ()


class Handler:
    """The handler that Python calls in place of `function`. Equal to `function`, for code that reads it from Python."""

    __slots__ = ("function",)

    may_wake = True  # for `_watchers.signals.handlers_may_wake`

    def __init__(self, function: Function) -> None:
        self.function: Function = function

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Run the handler for a signal. Python calls this in the main thread."""
        hub = get_hub_if_any()
        if hub is None or hub.destroyed:
            self.function(signum, frame)
            return
        run = _Run(hub)
        if not _running:
            atexit.unregister(_wait_for_running)
            atexit.register(_wait_for_running)  # as late as possible: the last one registered runs first
        _running.add(run)
        new = HandlerGreenlet(hub, run, (self.function, signum, frame))
        new.gr_context = copy_context()
        current = getcurrent()
        if current is hub or hub.loop.polling:
            hub.schedule(new)
            return
        _signals.forward()
        run.aside = True
        hub.run_now(new)
        run.aside = False
        error, run.error = run.error, None
        if error is None:
            return
        try:
            if current is hub.main or isinstance(error, KeyboardInterrupt):
                hub.note_interrupt(current, error)
                raise error
            hub.interrupt_now(hub.main, error)
        finally:
            del error  # its traceback refers to this frame

    def __eq__(self, other: object) -> bool:
        function = other.function if isinstance(other, Handler) else other
        return bool(self.function == function)

    def __hash__(self) -> int:
        return hash(self.function)

    def __repr__(self) -> str:
        return repr(self.function)


class _Run:
    """One call of a handler, in its greenlet."""

    __slots__ = ("aside", "ended", "error", "hub")

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.aside = False  # whether the interrupted greenlet waits for it
        self.error: BaseException | None = None
        self.ended: Waiter | None = None  # the waiter for its end

    def __call__(self, function: Function, signum: int, frame: FrameType | None) -> None:
        try:
            function(signum, frame)
        except BaseException as error:
            if self.aside:
                self.error = error
            elif isinstance(error, GreenletExit):
                raise  # it was killed, for instance by a hub that is being destroyed
            else:
                self.hub.interrupt_now(self.hub.main, error)
        finally:
            _running.discard(self)
            if self.ended is not None:
                self.ended.wake()


_running: set[_Run] = set()


def _wait_for_running() -> None:
    """Wait at the end of the process for handlers that still wait; the main greenlet went on without them. Switches."""
    hub = get_hub_if_any()
    # In a forked child the set may contain runs of the parent's hub.
    while hub is not None and (runs := [run for run in _running if run.hub is hub]):
        runs[0].ended = waiter = hub.new_waiter("a signal handler")
        try:
            hub.park(waiter)
        except SystemExit:
            pass  # the handler's own: the process is ending already


def given(handler: Any) -> Any:
    """Return the handler as the program gave it."""
    return handler.function if isinstance(handler, Handler) else handler
