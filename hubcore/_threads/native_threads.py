"""Threads that stay native when `threading` is patched: gRPC's, which wait in C, and those of other interpreters.

Fact: such a thread blocks in the C code of its library, which knows no greenlets, until an event arrives. Consequence:
as a greenlet it would block all others. So would a thread that runs another interpreter: greenlet loads in the main
interpreter only. As a native thread it can share the patched locks with greenlets, because the locks belong to no hub.

A thread that a native thread starts is a greenlet again, in the hub where the native thread was started. A hub of the
native thread itself would never run.
"""

from __future__ import annotations

import sys

from hubcore import config
from hubcore._base.main_thread import in_main_thread
from hubcore._base.originals import _local, get_ident
from hubcore._base.worker_threads import start_other_thread
from hubcore.hub import get_hub, get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import Any

    from hubcore.hub import Hub

#: The threads that stay native, by the "module" or "module:function" that starts them or that they run; and why.
KNOWN = {
    "grpc._channel:_run_channel_spin_thread": "waits in gRPC's core for events of calls",
    "grpc._channel:_spawn_poll_connectivity": "waits in gRPC's core for the state of a channel",
    "grpc._server:_serve": "waits in gRPC's core for calls to a server",
    "grpc._cython.cygrpc:PollerCompletionQueue": "waits in gRPC's core, for grpc.aio",
    "concurrent.interpreters:call_in_thread": "runs another interpreter",
    "concurrent.futures.interpreter:WorkerContext": "runs another interpreter, for InterpreterPoolExecutor",
}
# The modules between a program and the start of its thread.
_BETWEEN = ("threading", "_pydev_bundle.pydev_monkey")
_here = _local()


def add(names: Iterable[object]) -> None:
    """Add `names` to `config.native_threads`, whose threads stay native.

    ValueError for a name that is not "module" or "module:function", TypeError for a single string.
    """
    if isinstance(names, str):
        raise TypeError(f"native_threads must be a sequence of names, such as ({names!r},), not {names!r}")
    together = (*config.native_threads, *names)
    for name in together:
        module, colon, function = name.partition(":") if isinstance(name, str) else ("", "", "")
        if not all(part.isidentifier() for part in module.split(".")) or (colon and not function.isidentifier()):
            raise ValueError(f"native_threads has {name!r}; it takes names such as 'package.module', 'module:function'")
    config.native_threads = tuple(dict.fromkeys(together))  # type: ignore[arg-type]


def stays_native(function: Any) -> bool:
    """Return whether a thread that is now started to call `function` must be native."""
    # Under pydevd, threads call an object of pydevd, which traces them; see _pydev_bundle/pydev_monkey.py.
    called = getattr(function, "original_func", function)
    target, thread = called, getattr(called, "__self__", None)
    threading = sys.modules.get("threading")  # None if the program uses only `_thread`
    if threading is not None and isinstance(thread, threading.Thread):
        target = getattr(thread, "_target", None)
    starter = _starter()
    if starter is None and get_hub_if_any() is None and not in_main_thread():
        return True  # C code starts it from its own thread, where no hub would run
    return (
        (starter is not None and _is_listed(starter.f_globals.get("__name__"), starter.f_code.co_name))
        or _is_listed(getattr(target, "__module__", None), getattr(target, "__name__", None))
        or _is_listed_kind(type(getattr(target, "__self__", None)))
        or _is_listed_kind(type(thread))
        or _is_listed_context(target, thread)
    )


def _is_listed_context(target: object, thread: Any) -> bool:
    """Return whether a worker of an executor is to run its jobs in a context of a listed class."""
    if (getattr(target, "__module__", ""), getattr(target, "__name__", "")) != ("concurrent.futures.thread", "_worker"):
        return False
    return any(_is_listed_kind(type(each)) for each in getattr(thread, "_args", ()))


def _is_listed_kind(kind: type) -> bool:
    return _is_listed(kind.__module__, kind.__name__)


def _starter() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module not in _BETWEEN and not module.startswith("hubcore."):
            return frame
        frame = frame.f_back
    return None


def _is_listed(module: object, function: object) -> bool:
    if not isinstance(module, str):
        return False
    if f"{module}:{function}" in KNOWN or f"{module}:{function}" in config.native_threads:
        return True
    while module:
        if module in KNOWN or module in config.native_threads:
            return True
        module = module.rpartition(".")[0]
    return False


def start_native(function: Callable[[], object]) -> int:
    """Start a native thread that calls `function`; return its ident. Threads that it starts run in the caller's hub."""
    return start_other_thread(_run, (function, getattr(_here, "home", None) or get_hub()))


def _run(function: Callable[[], object], hub: Hub) -> None:
    _here.home = hub
    function()


def start_at_home(start: Callable[..., int], *args: object) -> int | None:
    """In a thread that stayed native, call `start(*args)` in the hub of its greenlets, and return the result.

    Elsewhere return None. HubDestroyed if that hub is gone: then the new thread must be native, too. Blocks the thread.
    """
    hub: Hub | None = getattr(_here, "home", None)
    if hub is None or hub.thread_ident == get_ident():
        return None
    ident: int = hub.spawn_threadsafe(start, *args).get()
    return ident
