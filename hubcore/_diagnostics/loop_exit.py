"""LoopExit: nothing is left to run, and nothing can wake a parked greenlet."""

from __future__ import annotations

import sys

from hubcore._core.registry import hubs
from hubcore._diagnostics.describe import describe_parked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.scheduler import Scheduler


def loop_exit_text(hub: Scheduler) -> str:
    """The message of the LoopExit that `hub` raises."""
    return (
        "This operation would block forever: nothing is left to run, and no fd, timer or other thread can wake a "
        "greenlet.\n"
        f"    {hub!r}\n    parked greenlets: {hub.parked.count}\n{describe_parked(hub)}{_deadlocks()}"
    )


def _deadlocks() -> str:
    """The deadlocks, if they are why nothing is left. Never raises: the LoopExit itself has to come."""
    try:
        from hubcore._diagnostics.deadlocks import format_deadlocks

        return "".join(f"\n    {line}" for line in format_deadlocks(stacks=False))
    except Exception as error:
        return f"\n    (looking for deadlocks failed with {error!r})"


def other_threads_may_wake(hub: Scheduler) -> bool:
    """Whether something parked here can be woken from other threads, and another thread is alive to do that.

    What a greenlet waits on says so itself by a true attribute `cross_thread`. Threads that only serve hubcore, and
    have nothing to do while no look-up or job is under way, do not count; nor do those that only watch hubs. A signal
    handler of the program's counts as a thread: `stop.wait()`, which SIGTERM is to end, is how programs wait.
    """
    if not any(getattr(waiter.waiting_on, "cross_thread", False) for waiter in hub.parked):
        return False
    from hubcore._base.worker_threads import any_starting, idle_thread_idents
    from hubcore._core.thread_wait import any_beginning
    from hubcore._watchers.signals import handlers_may_wake

    if any_starting() or handlers_may_wake(hub) or any_beginning():
        return True

    # A thread whose hub greenlet waits runs no Python frame, and so is not among those of _current_frames.
    others = set(sys._current_frames()) | {each.thread_ident for each in tuple(hubs)}
    return bool(others - {hub.thread_ident} - idle_thread_idents())
