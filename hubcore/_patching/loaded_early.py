"""Modules that the engine imports only when it needs them, imported when threads are patched.

From then on importlib's locks are cooperative ones, as `_thread` makes them: an import that meets another thread's
import of the same module parks. The engine must not import while a greenlet parks or in the hub's turn: the park inside
the park would be handed what the outer one waits for, and the hub's own greenlet cannot park at all.
"""

from __future__ import annotations

from importlib import import_module

_NEEDED_IN_A_TURN = (
    "hubcore._base.spawn_stack",
    "hubcore._core.by_hand",
    "hubcore._core.child_exit",
    "hubcore._core.wait_errors",
    "hubcore._diagnostics.blocking",
    "hubcore._diagnostics.deadlocks",
    "hubcore._diagnostics.describe",
    "hubcore._diagnostics.loop_exit",
    "hubcore._diagnostics.monitor",
    "hubcore._diagnostics.statistics",
    "hubcore._sync.wait",
    "hubcore._watchers.child",
    "hubcore._watchers.rare",
    "hubcore._watchers.signals",
    "hubcore.scopes",
    "hubcore.timeout",
)


def load_early() -> None:
    """Import the modules. Call it while importlib's locks are still the original ones."""
    for name in _NEEDED_IN_A_TURN:
        import_module(name)
