"""patch_all: everything, in the right order, and what is worth a warning or an error."""

from __future__ import annotations

import os as _os
import sys as _sys
from importlib import import_module

from hubcore import _native_threads, events
from hubcore import _patch_pieces as pieces
from hubcore._main_thread import in_main_thread
from hubcore._patch_events import DidPatchAllEvent, DidPatchBuiltinModulesEvent, DoNotPatch, WillPatchAllEvent
from hubcore._patching import check_flags, is_module_patched, warn_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

#: Each module's argument of patch_all, in the order in which they are patched.
MODULES = ("os", "thread", "time", "socket", "select", "ssl", "subprocess", "signal", "queue")
#: Which of hubcore's modules each needs. They are imported before anything is patched.
_SOURCES = {"thread": ("thread", "threading", "_patch_threading", "local"), "select": ("select", "selectors")}

_before: dict[str, Any] | None = None  # what all calls of patch_all together asked for
_calls: list[dict[str, Any]] = []


def patch_all(
    socket: bool = True,
    dns: bool = True,
    time: bool = True,
    select: bool = True,
    thread: bool = True,
    os: bool = True,
    ssl: bool = True,
    subprocess: bool = True,
    sys: bool = False,
    aggressive: bool = True,
    Event: bool = True,
    builtins: bool = True,
    signal: bool = True,
    queue: bool = True,
    contextvars: bool = True,
    *,
    strict: bool = False,
    rebind: bool = False,
    native_threads: Iterable[str] = (),
    **kwargs: Any,
) -> bool:
    """Replace everything in the standard library that blocks by what lets other greenlets run instead.

    Call it in the main thread and before anything else is imported, or have `hubcore run` do it. Each argument leaves
    something out if it is False; `sys`, `builtins`, `contextvars` and `aggressive` are accepted for gevent's sake.

    What other modules have taken out of the standard library before stays as it was: with `strict`, StaleReferences is
    raised, which lists all of it, when everything is patched; with `rebind`, attributes of modules and classes that
    refer to it are replaced.

    Threads that C code keeps waiting stay native, where hubcore knows of them (gRPC's). `native_threads` names others:
    "module" or "module:function" that starts them or that they run.

    Called again it patches what the calls before left out. Returns False if a DoNotPatch prevented it. `kwargs` are for
    subscribers of the events (`hubcore.events`); TypeError for one if there is nobody to know it.
    """
    global _before
    arguments = {
        "socket": socket, "dns": dns, "time": time, "select": select, "thread": thread, "os": os, "ssl": ssl,
        "subprocess": subprocess, "sys": sys, "aggressive": aggressive, "Event": Event, "builtins": builtins,
        "signal": signal, "queue": queue, "contextvars": contextvars,
    }  # fmt: skip
    check_flags("patch_all", {**arguments, "strict": strict, "rebind": rebind})
    _refuse_unknown(kwargs, arguments)
    _native_threads.add(native_threads)
    warnings: list[str] = []
    if _before is not None and arguments not in _calls:
        warnings.append(
            "patch_all was called before with other arguments; what either call asks for is patched: "
            + ", ".join(f"{name}={value}" for name, value in arguments.items() if value != _before[name])
        )
    first = not is_module_patched("threading")
    try:
        _notify(WillPatchAllEvent(arguments, kwargs), warnings)
    except DoNotPatch:
        return False
    wanted = [name for name in MODULES if arguments[name]]
    if dns and not socket:
        wanted.append("socket")
    for name in wanted:
        for source in _SOURCES.get(name, (name,)):
            import_module(f"hubcore.{source}")
    if thread and first:
        _warn_of_threads(warnings)

    if os:
        pieces.patch_os()
    if thread:
        pieces.patch_thread(Event=Event, _warnings=warnings)
    if time:
        pieces.patch_time()
    if socket:
        pieces.patch_socket(dns=dns, aggressive=aggressive)
    elif dns:
        pieces.patch_dns()
    if select:
        pieces.patch_select(aggressive=aggressive)
    if ssl:
        pieces.patch_ssl(_warnings=warnings)
    if subprocess:
        pieces.patch_subprocess()
    if signal:
        pieces.patch_signal()
    if queue:
        pieces.patch_queue()
    pieces.rebind_stdlib()
    _calls.append(arguments)
    _before = arguments if _before is None else {name: arguments[name] or _before[name] for name in arguments}

    _notify(DidPatchBuiltinModulesEvent(arguments, kwargs), warnings)
    _notify(DidPatchAllEvent(arguments, kwargs), warnings)
    warn_all(warnings)
    if strict or rebind:
        from hubcore import _stale

        _stale.apply(strict=strict, rebind=rebind)
    return True


def _notify(event: Any, warnings: list[str]) -> None:
    event._warnings = warnings
    events.notify_and_call_entry_points(event)


def _refuse_unknown(kwargs: dict[str, Any], known: dict[str, Any]) -> None:
    if not kwargs or events.subscribers:
        return
    from hubcore._plugins import plugins

    told = (WillPatchAllEvent, DidPatchBuiltinModulesEvent, DidPatchAllEvent)
    if any(plugins(event.ENTRY_POINT_NAME) for event in told):
        return
    names = ", ".join(repr(name) for name in kwargs)
    raise TypeError(
        f"patch_all() does not know {names}, nor does anybody subscribe to its events who might; "
        f"it takes {', '.join(known)}, strict, rebind and native_threads"
    )


def _warn_of_threads(warnings: list[str]) -> None:
    """Warn if this is not the main thread, or others run already: their locks and waits are of another kind."""
    import threading

    from hubcore._patch_pydevd import own_threads, waits_by_patched_modules
    from hubcore._patch_threading import other_threads

    if not in_main_thread():
        warnings.append(
            "patch_all is called in a thread that is not the main thread, which so is not the one whose greenlets it "
            "makes; call it in the main thread, before others start"
        )
        return
    if waits_by_patched_modules():
        warnings.append(
            "debugpy (pydevd) runs already and waits by what is patched now, so a breakpoint may hang it; start "
            "it with GEVENT_SUPPORT=True in its environment, which needs no gevent, or by `hubcore run -m debugpy`"
        )
        return
    others = other_threads() - own_threads()
    if others:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        listed = ", ".join(sorted(repr(names.get(ident, f"thread {ident}")) for ident in others))
        warnings.append(
            f"threads run already: {listed}. They stay native threads; call patch_all before they are started, or let "
            f"`hubcore run` do it"
        )


def chosen(names: Collection[str], only: Collection[str], leave: Collection[str]) -> dict[str, Any]:
    """What patch_all is to be called with: of `names` those in `only`, or all if it is empty, without `leave`."""
    # What comes with a module unless it is left out.
    part_of = {"dns": "socket", "Event": "thread"}
    return {name: not only or name in only or part_of.get(name) in only for name in names} | dict.fromkeys(leave, False)


def arguments_for(text: str, variable: str) -> dict[str, Any] | None:
    """What patch_all is to be called with for the words of `text`, or None for not at all; ValueError for others.

    `1` is all, `0` is nothing, `socket,ssl` only these, `-thread,-queue` all but these. `variable` is for the error.
    """
    known = (*MODULES, "dns")
    words = text.replace(",", " ").lower().split()
    if not words or (len(words) == 1 and words[0] in ("0", "no", "off", "false", "none")):
        return None
    everything = words[0] in ("1", "yes", "on", "true", "all")
    if everything:
        words = words[1:]
    names = {word.removeprefix("-") for word in words}
    only = bool(words) and not words[0].startswith("-")
    if not names <= set(known) or any(word.startswith("-") == only for word in words) or (everything and only):
        raise ValueError(
            f"{variable} is {text!r}; it takes 1 for everything, 0 for nothing, names such as socket,ssl for only "
            f"these or -thread,-queue for all but these, out of {', '.join(known)}"
        )
    return chosen(known, names, ()) if only else chosen(known, (), names)


def environment() -> str:
    """The value of HUB_PATCH, "" if it is not set or the environment is to be ignored (python -E)."""
    return "" if _sys.flags.ignore_environment else _os.environ.get("HUB_PATCH", "")
