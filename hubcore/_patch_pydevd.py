"""pydevd, and so debugpy, debugs a program whose threads are greenlets.

Facts: it goes on in threads of its own while the program stands still at a breakpoint, and waits for them by what
`_pydev_bundle._pydev_saved_modules` holds. It imports these modules a second time if gevent is to be expected
(GEVENT_SUPPORT), and then needs gevent to be there. It tells threads apart by idents that the interpreter knows.
Consequence: its copies are made here, from the modules' own loaders; they are not patched. It then sees one thread in
which all greenlets run. Until CPython 3.11 the interpreter's trace function has to be set again after each switch.
"""

from __future__ import annotations

import sys

from hubcore._after_import import after_import
from hubcore._originals import original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MODULES = ("_thread", "queue", "select", "socket", "threading", "time")
_SAVED = "_pydev_bundle._pydev_saved_modules"


def patch_pydevd() -> None:
    """Give pydevd modules that are not patched, as soon as it is imported.

    If it has been imported, with the modules that are patched now, nothing; see `waits_by_patched_modules`.
    """
    if _SAVED not in sys.modules:
        after_import(_SAVED, _separate)
    if not waits_by_patched_modules():
        after_import("pydevd", _trace_greenlets)


def waits_by_patched_modules() -> bool:
    """Whether pydevd is there and has no modules of its own."""
    saved: Any = sys.modules.get(_SAVED)
    return saved is not None and saved.threading is sys.modules.get("threading")


def own_threads() -> set[int]:
    """The idents of the threads that pydevd has started by modules of its own."""
    saved: Any = sys.modules.get(_SAVED)
    return set() if saved is None or waits_by_patched_modules() else set(saved.threading._active)


def _separate(module: Any) -> None:
    ours = {name: sys.modules.pop(name) for name in _MODULES if name in sys.modules}
    try:
        module.__spec__.loader.exec_module(module)  # which imports them
        if "queue" in sys.modules:
            # The copy has it from `_queue`, which is patched for copies that programs make.
            vars(sys.modules["queue"])["SimpleQueue"] = original("queue", "SimpleQueue")
    finally:
        sys.modules.update(ours)


def _trace_greenlets(module: Any) -> None:
    if sys.version_info >= (3, 12) or getattr(module, "pydevd_gevent_integration", None) is not None:
        return  # it uses sys.monitoring, which knows no threads; or does the same by itself
    import greenlet

    tracing: Any = sys.modules["pydevd_tracing"]
    greenlet.settrace(lambda event, greenlets: tracing.reapply_settrace())
