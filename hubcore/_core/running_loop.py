"""asyncio's running loop, separate for each greenlet.

Facts: asyncio keeps the running loop per thread. A running loop also sets the thread's hooks for asynchronous
generators and, in debug mode, its depth of coroutine origin tracking. From Python 3.14 on, asyncio keeps the current
task per thread, too. Consequence: a greenlet that gives up the processor saves and clears all of these, and restores
them when it resumes. So other greenlets see no running loop and can run one of their own. Older Pythons keep the
current task per loop, and a loop runs in one greenlet.

A greenlet that switches by hand (greenlet.switch, greenlet.throw) leaves its loop in place, like all other state of the
thread: code that awaits by a switch to the greenlet of its coroutine relies on that.

A hub saves and restores only while `per_greenlet_state.enabled` has the bit SAVES: from the import of asyncio on, or
once a greenlet has trace functions of its own (`_core.tracing`), which are saved in the same way. The bit OBSERVED
makes hubs notify their observers of each switch (`_core.observer`). While no bit is set, neither costs anything.
"""

from __future__ import annotations

import sys

from hubcore._base import uncompiled as cython
from hubcore._core import tracing as _tracing

if not cython.compiled:
    from hubcore._capi.fallback import call_keeping_failure, getcurrent, import_greenlet, switch_fails
    from hubcore._core.tracing import restore_tracing, save_tracing

    SAVES, OBSERVED = 1, 2

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType
    from typing import Any

    from greenlet import greenlet

    from hubcore._core.observer import Observer

import_greenlet()


class PerGreenletState:
    """What a switch has to do besides switching: the bits of `enabled`. It notices the import of asyncio by itself.

    Until asyncio is imported it is the first finder in sys.meta_path, so that it sees each import of a new module.
    """

    __slots__ = ("enabled", "make_observer")

    def __init__(self) -> None:
        self.enabled: int = SAVES if "asyncio" in sys.modules else 0
        self.make_observer: Callable[[Any], Observer] | None = None  # of a hub that is made while OBSERVED is set
        if not self.enabled:
            finders: list[Any] = sys.meta_path
            finders.insert(0, self)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Notice the import of asyncio. The import system calls this for each new module; it finds none."""
        if name == "asyncio":
            self.enabled |= SAVES
            if self in sys.meta_path:
                sys.meta_path.remove(self)

    def begin_tracing(self) -> None:
        """Give the calling greenlet trace functions of its own until `_core.tracing.end`. Never switches."""
        self.enabled |= SAVES
        _tracing.begin()

    def observe(self, make_observer: Callable[[Any], Observer] | None) -> None:
        """Have all hubs notify the observers that they have from now on, and new hubs make one; None ends that."""
        self.make_observer = make_observer
        self.enabled = self.enabled & SAVES if make_observer is None else self.enabled | OBSERVED

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'enabled' if self.enabled else 'disabled'}>"


# asyncio's functions, once it is imported: reading and setting the running loop, and from 3.14 on the current task.
_get: Any = None
_set: Any = None
_swap_task: Any = None


#: What each greenlet that has given up the processor with a running loop saved.
asides: dict[Any, tuple[Any, ...]] = {}


def _find_functions() -> bool:
    """Look up asyncio's functions; return False while it is still being imported: it runs no loop then."""
    global _get, _set, _swap_task
    asyncio: Any = sys.modules.get("asyncio")
    # The package exports them once asyncio.events is complete and has replaced its own functions by those written in C.
    _set = getattr(asyncio, "_set_running_loop", None)
    if _set is None:
        return False
    _swap_task = getattr(asyncio.tasks, "_swap_current_task", None) if sys.version_info >= (3, 14) else None
    _get = getattr(asyncio, "_get_running_loop", None)
    return _get is not None


def forget_running_loop() -> None:
    """Clear the running loop. For the hub greenlet: the greenlet that ran before it may have left its loop behind."""
    _stop_loop()


def switch_saving(target: greenlet) -> bool:
    """As `switch_fails`, but `target` sees no running loop; the caller's is restored when the caller resumes."""
    aside = save_state()
    own = None
    if aside is not None:
        own = getcurrent()
        asides[own] = aside
    failed = switch_fails(target)
    if aside is not None:
        asides.pop(own, None)
        call_keeping_failure(restore_state, (aside,))
    return failed


def switch_sharing(target: greenlet) -> bool:
    """As `switch_fails`; `target` sees the caller's loop, as a signal handler sees that of the code it interrupts."""
    loop = _stop_loop()
    if loop is not None:
        _run_loop(loop)
    failed = switch_fails(target)
    if loop is not None:
        call_keeping_failure(_run_loop, (loop,))  # a wait of `target` may have cleared it
    return failed


def save_state() -> tuple[Any, ...] | None:
    """Clear the caller's running loop and trace functions; return them for `restore_state`, None without any."""
    loop = _stop_loop()
    tracing = save_tracing()
    return None if loop is None and tracing is None else (loop, tracing)


def restore_state(aside: tuple[Any, ...]) -> None:
    """Undo `save_state`."""
    loop, tracing = aside
    if loop is not None:
        _run_loop(loop)
    if tracing is not None:
        restore_tracing(tracing)


def _stop_loop() -> tuple[Any, ...] | None:
    """Clear this thread's running loop; return its state for `_run_loop`, or None if no loop runs."""
    if _get is None and not _find_functions():
        return None
    loop = _get()
    if loop is None:
        return None
    task = None if _swap_task is None else _swap_task(loop, None)
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    depth = sys.get_coroutine_origin_tracking_depth()
    if depth:
        sys.set_coroutine_origin_tracking_depth(0)
    _set(None)
    return (loop, hooks, depth, task)


def _run_loop(stopped: tuple[Any, ...]) -> None:
    """Restore the running loop that `_stop_loop` has cleared."""
    loop, hooks, depth, task = stopped
    sys.set_asyncgen_hooks(*hooks)
    if depth:
        sys.set_coroutine_origin_tracking_depth(depth)
    _set(loop)
    if task is not None:
        _swap_task(loop, task)


#: One per process, for all hubs.
per_greenlet_state = PerGreenletState()
