"""Diagnostics: the state of the process, deadlocks, and other help with finding faults.

print_run_info()     all threads and all greenlets: states, waits, owners, spawn sites, stacks
print_deadlocks()    greenlets that wait for each other, even while others still run
snapshot()           what every greenlet does now, as data; greenlets that do the same are counted
assert_switches()    asserts that a block lets others run
hub.statistics()     numbers that are cheap enough to read every few seconds
"""

from __future__ import annotations

from functools import update_wrapper

from hubcore._base.hints import Any, Callable, FrameType
from hubcore._base.package import publish_all
from hubcore._debug.assert_switches import assert_switches
from hubcore._debug.greenlet_tree import GreenletTree
from hubcore._debug.run_info import format_run_info, print_run_info
from hubcore._diagnostics.deadlocks import Deadlock, find_deadlocks, format_deadlocks, print_deadlocks
from hubcore._diagnostics.statistics import Statistics
from hubcore._observe.snapshot import snapshot

__all__ = [
    "Deadlock",
    "GreenletTree",
    "Statistics",
    "assert_switches",
    "clear_stack_frames",
    "find_deadlocks",
    "format_deadlocks",
    "format_run_info",
    "print_deadlocks",
    "print_run_info",
    "snapshot",
    "wrap_errors",
]


class wrap_errors:
    """A callable that calls `func`, and returns an exception of the classes `errors` instead of raising it.

    A greenlet that runs it has such an exception as its value, and the hub does not report it.
    """

    def __init__(self, errors: type[BaseException] | tuple[type[BaseException], ...], func: Callable[..., Any]) -> None:
        if not callable(func):
            raise TypeError(f"wrap_errors(): func must be callable, not {func!r}")
        self.__errors = errors
        self.__func = func
        update_wrapper(self, func, updated=())

    @property
    def func(self) -> Callable[..., Any]:
        """The wrapped callable."""
        return self.__func

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.__func(*args, **kwargs)
        except self.__errors as error:
            return error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__func, name)

    def __repr__(self) -> str:
        return repr(self.__func)


def clear_stack_frames(frame: FrameType | None) -> None:
    """Clear the local variables of `frame` and of all its callers, except frames that still run."""
    while frame is not None:
        try:
            frame.clear()
        except RuntimeError:
            pass  # it is running, or suspended
        frame = frame.f_back


publish_all(globals())
