"""Why a call may not wait where it was made."""

from __future__ import annotations

import os

from hubcore._base.originals import get_ident
from hubcore.exceptions import BlockingSwitchOutError, HubDestroyed, InvalidThreadUseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from hubcore._core.base_loop import BaseLoop
    from hubcore._core.ready_queue import ReadyQueue

    class ParkingHub(Protocol):
        """What this module reads of a hub."""

        @property
        def loop(self) -> BaseLoop: ...
        @property
        def thread_ident(self) -> int: ...
        @property
        def ready(self) -> ReadyQueue: ...


def check_may_wait(hub: ParkingHub, current: object, closing: int, forking_pid: int) -> None:
    """Raise the error for a wait of `current` in `hub` that cannot be; return if it may wait after all.

    `closing` is the hub's own count of why it may not be waited in; `forking_pid` is the process that was about to fork
    last, 0 if none was.
    """
    ident = get_ident()
    if hub.thread_ident != ident:
        raise InvalidThreadUseError(
            f"{hub!r} belongs to thread {hub.thread_ident:#x}, and thread {ident:#x} cannot wait in it; "
            "each thread has its own hub (get_hub()), and run_callback_threadsafe reaches another's"
        )
    if current is hub:
        raise BlockingSwitchOutError(
            "this call would have to wait, but it was made in the hub (by a callback, a link or a watcher), which must "
            "never wait; spawn a greenlet for it"
        )
    observer = hub.ready.observer
    if observer is not None and observer.calling:
        raise BlockingSwitchOutError(
            "this call would have to wait, but it was made by an instrument (hubcore.instrument), which runs between "
            "two greenlets and must never wait"
        )
    if hub.loop.polling and not hub.loop.leave_poll():
        raise BlockingSwitchOutError(
            "this call would have to wait, but it was made while the hub polls (by a finalizer or a signal handler), "
            "when nothing may wait"
        )
    if closing & 1:
        raise HubDestroyed(hub)
    if closing and forking_pid != os.getpid():
        raise BlockingSwitchOutError(
            "this call would have to wait, but it was made by a handler that os.register_at_fork() has had since "
            "before hubcore was imported; in a child that was just forked nothing may wait before the parent's "
            "greenlets are gone"
        )
