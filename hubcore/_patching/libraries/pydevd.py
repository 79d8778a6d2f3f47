"""Lets pydevd, and so debugpy, debug a program whose threads are greenlets.

Facts: while the program stands still at a breakpoint, pydevd runs in threads of its own, and waits with the modules
that `_pydev_bundle._pydev_saved_modules` holds. With GEVENT_SUPPORT it imports these modules a second time, and then
needs gevent installed. It distinguishes threads by the interpreter's idents.
Consequence: hubcore makes unpatched copies of these modules for pydevd, with the modules' own loaders. pydevd then sees
one thread, in which all greenlets run. Up to CPython 3.11 the interpreter's trace function must be set again after each
switch.
"""

from __future__ import annotations

import sys

from hubcore._base.originals import original
from hubcore._patching.import_hooks import after_import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MODULES = ("_thread", "queue", "select", "socket", "threading", "time")
_SAVED = "_pydev_bundle._pydev_saved_modules"


def patch_pydevd() -> None:
    """Give pydevd unpatched copies of the modules it waits with, when the program imports it.

    Does nothing if pydevd was imported earlier with the modules that are patched now; see `waits_by_patched_modules`.
    """
    if _SAVED not in sys.modules:
        after_import(_SAVED, _separate)
    if not waits_by_patched_modules():
        after_import("pydevd", _trace_greenlets)


def waits_by_patched_modules() -> bool:
    """Return whether pydevd is imported and shares the patched modules instead of having its own copies."""
    saved: Any = sys.modules.get(_SAVED)
    return saved is not None and saved.threading is sys.modules.get("threading")


def own_threads() -> set[int]:
    """Return the idents of the threads that pydevd started with its own copies of the modules."""
    saved: Any = sys.modules.get(_SAVED)
    return set() if saved is None or waits_by_patched_modules() else set(saved.threading._active)


def _separate(module: Any) -> None:
    ours = {name: sys.modules.pop(name) for name in _MODULES if name in sys.modules}
    try:
        module.__spec__.loader.exec_module(module)  # imports the copies
        if "queue" in sys.modules:
            # The copy takes SimpleQueue from `_queue`, which is patched for copies that programs make.
            vars(sys.modules["queue"])["SimpleQueue"] = original("queue", "SimpleQueue")
    finally:
        sys.modules.update(ours)


def _trace_greenlets(module: Any) -> None:
    if sys.version_info >= (3, 12) or getattr(module, "pydevd_gevent_integration", None) is not None:
        return  # pydevd uses sys.monitoring, which is not per thread; or its gevent support does the same
    import greenlet

    tracing: Any = sys.modules["pydevd_tracing"]
    greenlet.settrace(lambda event, greenlets: tracing.reapply_settrace())
