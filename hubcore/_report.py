"""What hubs say when something is wrong: who waits on what, and failures that nobody looks at."""

from __future__ import annotations

import sys
from _thread import get_ident

from hubcore._rawgreenlet import RawGreenlet
from hubcore._stacks import shown
from hubcore.exceptions import BlockingSwitchOutError, HubDestroyed, InvalidThreadUseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from greenlet import greenlet

    from hubcore._park import Waiter
    from hubcore._scheduler import Scheduler
    from hubcore.hub import Hub

_MOST_LISTED = 50  # a report of 100,000 parked greenlets helps nobody


def describe_wait(waiter: Waiter, now: float, with_greenlet: bool = True) -> str:
    """One line: which greenlet, on what, for how long, who owns that, and where the greenlet was spawned.

    `with_greenlet` False: only what is about the wait.
    """
    greenlet = waiter.greenlet
    who = "main greenlet" if greenlet is not None and greenlet.parent is None else shown(greenlet)
    line = f"{who} waits on {shown(waiter.waiting_on)} for {max(0.0, now - waiter.since):.3g} s"
    owner = getattr(waiter.waiting_on, "owner", None)
    if owner is not None:
        line += f", which {shown(owner)} owns"
    if not with_greenlet:
        return line.removeprefix(f"{who} ")
    if isinstance(greenlet, RawGreenlet):
        file, number, function = greenlet.spawn_site
        line += f"; spawned in {function} ({file}:{number})"
    return line


def describe_parked(hub: Hub) -> str:
    """The parked greenlets of `hub`, a line each, longest wait first."""
    now = hub.loop.update_now()
    waiters = list(hub.parked)
    lines = [f"    {describe_wait(waiter, now)}" for waiter in waiters[:_MOST_LISTED]]
    if len(waiters) > _MOST_LISTED:
        lines.append(f"    and {len(waiters) - _MOST_LISTED} more")
    return "\n".join(lines)


def why_it_may_not_wait(hub: Scheduler, current: greenlet, closing: int) -> BaseException | None:
    """What to raise where `current` would have to wait in `hub` and may not; None if it may after all."""
    ident = get_ident()
    if hub.thread_ident != ident:
        return InvalidThreadUseError(
            f"{hub!r} belongs to thread {hub.thread_ident:#x}, and thread {ident:#x} cannot wait in it; "
            "each thread has its own hub (get_hub()), and run_callback_threadsafe reaches another's"
        )
    if current is hub:
        return BlockingSwitchOutError(
            "this call would have to wait, but it was made in the hub (by a callback, a link or a watcher), which must "
            "never wait; spawn a greenlet for it"
        )
    if hub.loop.polling:
        return BlockingSwitchOutError(
            "this call would have to wait, but it was made while the hub polls (by a finalizer or a signal handler), "
            "when nothing may wait"
        )
    if closing & 1:
        return HubDestroyed(hub)
    from hubcore._fork import in_child

    if not in_child():
        return None
    return BlockingSwitchOutError(
        "this call would have to wait, but it was made by a handler that os.register_at_fork() has had since before "
        "hubcore was imported; in a child that was just forked nothing may wait before the parent's greenlets are gone"
    )


def nothing_left(hub: Hub) -> str:
    """The message of a LoopExit."""
    return (
        "This operation would block forever: nothing is left to run, no fd, timer or other thread can wake anybody.\n"
        f"    {hub!r}\n    parked greenlets: {hub.parked.count}\n{describe_parked(hub)}{_deadlocks()}"
    )


def _deadlocks() -> str:
    """Who waits for each other, if that is why nothing is left. Never raises: the LoopExit itself has to come."""
    try:
        from hubcore._deadlocks import format_deadlocks

        return "".join(f"\n    {line}" for line in format_deadlocks(stacks=False))
    except Exception as error:
        return f"\n    (looking for deadlocks failed with {error!r})"


def other_threads_may_wake(hub: Hub) -> bool:
    """Whether something parked here can be woken from other threads, and another thread is alive to do that.

    What a greenlet waits on says so itself by a true attribute `cross_thread`. Threads that only serve hubcore, and
    have nothing to do while no look-up or job is under way, do not count; nor do those that only watch hubs. A signal
    handler of the program's counts as a thread: `stop.wait()`, which SIGTERM is to end, is how programs wait.
    """
    if not any(getattr(waiter.waiting_on, "cross_thread", False) for waiter in hub.parked):
        return False
    from hubcore._native import any_beginning
    from hubcore._signals import handlers_may_wake
    from hubcore._workers import any_starting, idle_thread_idents
    from hubcore.hub import hubs

    if any_starting() or handlers_may_wake(hub) or any_beginning():
        return True

    # A thread whose hub greenlet waits runs no Python frame, and so is not among those of _current_frames.
    others = set(sys._current_frames()) | {each.thread_ident for each in tuple(hubs)}
    return bool(others - {hub.thread_ident} - idle_thread_idents())


def report_failure(context: object, kind: type[BaseException], value: BaseException, tb: TracebackType | None) -> None:
    """Log a failure on logger "hubcore", with its traceback and, for a greenlet, where it was spawned. Never raises."""
    try:
        import logging

        what = "the hub" if context is None else repr(context)
        if isinstance(context, RawGreenlet):
            file, number, function = context.spawn_site
            what += f", spawned in {function} ({file}:{number})"
        if getattr(context, "exception", None) is None:  # a Greenlet's own description says what it failed with
            what += f" failed with {kind.__name__}"
        logging.getLogger("hubcore").error("%s", what, exc_info=(kind, value, tb))
    except Exception:
        # Importing logging fails where no file can be opened any more, and a context may fail to describe itself; the
        # failure itself has to be seen all the same.
        sys.excepthook(kind, value, tb)
