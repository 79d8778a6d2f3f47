"""Fork: the child starts with a fresh hub and runs none of the parent's greenlets.

If the child ran them, everything would happen twice: each would send twice, commit twice, answer twice. So the child
sets the hub of the forking thread aside, with all its parked greenlets, and never resumes, unwinds or collects them.
The greenlet that called fork goes on alone; it gets a new hub when it needs one.

Handlers of os.register_at_fork may wait, for a lock say. Before the fork, and after it in the parent, they wait as
usual. In the child they wait in the fresh hub, where no other greenlet runs. But Python first calls the handlers that
were registered before hubcore was imported. They still find the parent's hub in place and cannot wait: they get
BlockingSwitchOutError.
"""

from __future__ import annotations

import os

from greenlet import getcurrent, greenlet

from hubcore import hub
from hubcore._core import thread_wait as _thread_wait
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.registry import hubs
from hubcore._watchers import signals as _signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub

# Hubs of the parent process with their parked greenlets: the destruction of a parked greenlet would run its finally
# blocks, which only the parent must run. So nothing is ever removed from here.
_set_aside: list[Hub | greenlet | None] = []


# By greenlet that is about to fork, its hub.
_forking: dict[greenlet, Hub] = {}


def _before_fork() -> None:
    own = hub.get_hub_if_any()
    if own is not None:
        _forking[getcurrent()] = own
        own.fork_begins()


def _after_fork_in_parent() -> None:
    own = _forking.pop(getcurrent(), None)
    if own is not None:
        own.fork_ends()


def _after_fork_in_child() -> None:
    parents_hub = hub.get_hub_if_any()
    _forking.clear()
    _signals.forget_after_fork()
    _end_parents_waits()
    _set_aside.extend(hubs)  # those of other threads too, which are not here
    hubs.clear()
    # Also where this thread had none: another's may be cached, and a thread of the child may get that one's ident.
    hub.set_hub(None)
    if parents_hub is None:
        return
    loop = parents_hub.loop
    fork_callbacks = [(watcher.callback, watcher.args) for watcher in loop.started_fork_watchers()]
    # The loop's fds are closed here without a change to the kernel objects behind them, which the parent still uses.
    loop.abandon_after_fork()
    current = getcurrent()
    if isinstance(current, RawGreenlet):
        new = hub.get_hub_class()(backend=type(loop))
        new.adopt(current)
    elif fork_callbacks:
        new = hub.get_hub()
    for callback, args in fork_callbacks:
        if callback is not None:
            hub.get_hub().loop.run_callback(callback, *(args or ()))


def _end_parents_waits() -> None:
    """Abandon the parent's waits, so that in the child no item, permit or lock goes to the parent's waiters."""
    current = getcurrent()
    waiters = [waiter for each in hubs for waiter in each.parked if waiter.greenlet is not current]
    waiters += _thread_wait.forget_after_fork()
    _set_aside.extend(waiter.greenlet for waiter in waiters)
    # The waiters that were handed nothing go first, so that a value that is handed back goes to none of them.
    for handed in (False, True):
        for waiter in waiters:
            if waiter.ended == handed:
                waiter.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
