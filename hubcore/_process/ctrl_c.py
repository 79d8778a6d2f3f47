"""Ctrl-C in a program whose threads are greenlets.

Fact: in plain CPython, KeyboardInterrupt is raised in the main thread; no other thread gets it. Consequence: while a
thread that is a greenlet computes, KeyboardInterrupt is raised in the main greenlet alone, where it waits or as soon as
it goes on. The thread keeps its locks and its data.

A greenlet that computes and never waits keeps the main greenlet from going on. So a Ctrl-C that comes before the main
greenlet has raised the one before is also raised in the greenlet that computes.
"""

from __future__ import annotations

import signal as _signal
from types import FrameType

from greenlet import getcurrent

from hubcore._base.originals import saved
from hubcore._process.handler_greenlets import Handler, HandlerGreenlet
from hubcore._watchers.signals import watched_by
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub


class CtrlC(Handler):
    """The handler that Python calls in place of `signal.default_int_handler`."""

    may_wake = False  # it wakes no waiter but by ending the program

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt in the main greenlet; a second time also in the greenlet that computes."""
        hub = get_hub_if_any()
        if "threading" not in saved or hub is None or hub.destroyed or not watched_by(hub):
            self.function(signum, frame)
            return
        current = getcurrent()
        in_main = current is hub.main or isinstance(current, HandlerGreenlet)
        if in_main or current is hub or hub.loop.polling or is_pending(hub):
            raise KeyboardInterrupt  # if the hub was interrupted, it raises it in the main greenlet
        hub.interrupt_now(hub.main, KeyboardInterrupt())


def is_pending(hub: Hub) -> bool:
    """Return whether the main greenlet of `hub` has still to raise a KeyboardInterrupt."""
    return hub.is_about_to_raise(hub.main, KeyboardInterrupt)


CTRL_C = CtrlC(_signal.default_int_handler)
