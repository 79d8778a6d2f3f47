"""Interrupts of greenlets that have switched to another one by hand.

A greenlet that switches to another one itself (`greenlet.greenlet(function).switch()`, as generators and bridges made
of greenlets do) is not parked, and may never wait: it goes on when the other one switches back or ends. So the hub
throws the interrupt into it. The greenlets that descend from it waited on its behalf. The hub ends them, because their
results would reach it in another place.
"""

from __future__ import annotations

from greenlet import GreenletExit

from hubcore._base import uncompiled as cython
from hubcore._core.raising import raise_here
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.running_loop import restore_state

if not cython.compiled:
    from hubcore._capi.fallback import greenlet, import_greenlet
    from hubcore._core.running_loop import asides

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore._core.interrupts import InterruptMixin

import_greenlet()


def reach(hub: InterruptMixin, target: greenlet) -> None:
    """Raise the first interrupt of `target` in it if it has switched by hand. No effect if it is parked or ready.

    A callback: runs in the hub greenlet, and switches.
    """
    own: Any = hub  # a Scheduler
    if hub._interrupts_of(target) is None or hub._waiter_of(target) is not None:
        return
    if target.dead:
        hub._set_interrupts(target, None)
        return
    if target.gr_frame is None:
        return  # not started
    if not _descends(target, own.main, None):
        return  # of another thread
    ready = [getattr(entry, "greenlet", None) for entry in own.ready.snapshot()]
    if target in ready:
        return  # it raises the interrupt itself when it resumes
    aside = None
    parked = [each for each in list(hub._foreign) if hub._waiter_of(each) is not None]
    for each in parked + [each for each in ready if each is not None and not isinstance(each, RawGreenlet)]:
        if each is not target and _descends(each, target, hub):
            aside = asides.get(each, aside)
            _end(hub, each, target)
    exception = hub._next_interrupt(target)
    if aside is not None:
        restore_state(aside)  # it shared its running loop with the greenlet to which it switched
    # This frame refers to the exception until the hub runs again.
    own.loop.run_callback(_nothing)
    try:
        raise_here(exception)
    except BaseException as error:
        greenlet.throw(target, type(error), error, error.__traceback__)


def _end(hub: InterruptMixin, descendant: greenlet, target: greenlet) -> None:
    """End `descendant`, and the greenlets between it and `target`. None may switch to `target`, which is elsewhere."""
    each = descendant
    while each is not target:
        above: Any = each.parent
        each.parent = hub
        hub.interrupt(each, GreenletExit)
        each = above


def _descends(each: greenlet | None, ancestor: greenlet, end: greenlet | None) -> bool:
    """Return whether `ancestor` is `each` or among its parents below `end`."""
    while each is not None and each is not end:
        if each is ancestor:
            return True
        each = each.parent
    return False


def _nothing() -> None:
    """Do nothing."""
