"""asyncio's running loop, for each greenlet its own.

Facts: asyncio keeps the running loop per thread, and with it a loop sets the thread's hooks for asynchronous generators
and, in debug mode, how much of a coroutine's origin is kept; from Python 3.14 on the current task is kept per thread,
too. Consequence: a greenlet that gives up the processor takes all of them off and puts them on when it goes on, so that
others see no running loop and can run one of their own. The current task of older Pythons is kept per loop, and a loop
runs in one greenlet.

Whoever switches by hand (greenlet.switch, greenlet.throw) takes its loop along, as it does everything of the thread's:
code that awaits by switching to the greenlet of its coroutine counts on that.

A hub does so only while `per_greenlet_state.enabled` is true: from the import of asyncio on, or once a thread has a
trace function of its own (`_tracing`), which is kept apart in the same way.
"""

from __future__ import annotations

import sys

import cython

from hubcore import _tracing

if not cython.compiled:
    from hubcore._tracing import restore_tracing, save_tracing
    from hubcore._uncompiled import call_keeping_failure, import_greenlet, switch_fails

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import Any

    from greenlet import greenlet

import_greenlet()


class PerGreenletState:
    """Notices what is to be kept apart, and says in `enabled` whether there is any: asyncio, or trace functions.

    Until asyncio is imported it stands in sys.meta_path, first, where it is asked for every module that is imported.
    """

    __slots__ = ("enabled",)

    def __init__(self) -> None:
        self.enabled = "asyncio" in sys.modules
        if not self.enabled:
            finders: list[Any] = sys.meta_path
            finders.insert(0, self)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """What the import system asks a finder: where the module `name` is. It never knows."""
        if name == "asyncio":
            self.enabled = True
            if self in sys.meta_path:
                sys.meta_path.remove(self)

    def begin_tracing(self) -> None:
        """The calling greenlet has trace functions of its own until `_tracing.end`. Never switches."""
        self.enabled = True
        _tracing.begin()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {'something' if self.enabled else 'nothing'} to keep apart>"


# asyncio's functions, once it is imported: reading and setting the running loop, and from 3.14 on the current task.
_get: Any = None
_set: Any = None
_swap_task: Any = None


def _find_functions() -> bool:
    """Look for asyncio's functions; False while it is still being imported, and so runs no loop."""
    global _get, _set, _swap_task
    asyncio: Any = sys.modules.get("asyncio")
    # The package has them when asyncio.events is whole and has put the functions written in C in place of its own.
    _set = getattr(asyncio, "_set_running_loop", None)
    if _set is None:
        return False
    _swap_task = getattr(asyncio.tasks, "_swap_current_task", None) if sys.version_info >= (3, 14) else None
    _get = asyncio._get_running_loop
    return True


def forget_running_loop() -> None:
    """No loop runs in the calling greenlet: for the hub's, which may come after one that left its loop behind."""
    _stop_loop()


def switch_saving(target: greenlet) -> bool:
    """As `switch_fails`: switch to `target`, which will see no running loop. The caller's goes on with the caller."""
    aside = save_state()
    failed = switch_fails(target)
    if aside is not None:
        call_keeping_failure(restore_state, (aside,))
    return failed


def switch_sharing(target: greenlet) -> bool:
    """As `switch_fails`; `target` sees the caller's loop, as a signal's handler sees that of what it interrupts."""
    loop = _stop_loop()
    if loop is not None:
        _run_loop(loop)
    failed = switch_fails(target)
    if loop is not None:
        call_keeping_failure(_run_loop, (loop,))  # `target` may have taken it off by waiting
    return failed


def save_state() -> tuple[Any, ...] | None:
    """Take the caller's running loop and trace functions off the thread; what `restore_state` takes, or None."""
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
    """Have no loop run in this thread; what `_run_loop` takes to undo that, None if none runs."""
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
    """Have the loop run again that was stopped."""
    loop, hooks, depth, task = stopped
    sys.set_asyncgen_hooks(*hooks)
    if depth:
        sys.set_coroutine_origin_tracking_depth(depth)
    _set(loop)
    if task is not None:
        _swap_task(loop, task)


#: Of the process, for all hubs.
per_greenlet_state = PerGreenletState()
