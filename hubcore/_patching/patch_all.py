"""patch_all: patch every module in the right order; warn of, or refuse, calls that come too late."""

from __future__ import annotations

import os as _os
import sys as _sys
from importlib import import_module

from hubcore import events
from hubcore._base.hints import Any, Collection, Iterable
from hubcore._base.main_thread import in_main_thread
from hubcore._patching import cpython_internals as _cpython_internals
from hubcore._patching import modules as pieces
from hubcore._patching.replace import check_flags, is_module_patched, warn_all
from hubcore._threads import native_threads as _native_threads
from hubcore.events import DidPatchAllEvent, DidPatchBuiltinModulesEvent, DoNotPatch, WillPatchAllEvent

#: The modules, each also an argument of patch_all, in the order in which patch_all patches them.
MODULES = ("os", "thread", "time", "socket", "select", "ssl", "subprocess", "signal", "queue")
#: The modules of hubcore that replace each of them. All are imported before anything is patched.
_SOURCES = {"thread": ("thread", "threading", "_patching.threads", "local"), "select": ("select", "selectors")}

_before: dict[str, Any] | None = None  # the union of the arguments of all calls so far
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
    """Make the standard library cooperative: its blocking calls let other greenlets run. Never switches.

    Call it in the main thread before any other import, or start the program with `hubcore run`. An argument that is
    False leaves its part unpatched; `sys`, `builtins`, `contextvars` and `aggressive` have no effect and are accepted
    because gevent has them.

    Modules that took a name out of the standard library before the patch keep the original. With `strict`, patch_all
    patches everything and then raises StaleReferences, which lists all such references. With `rebind`, it replaces the
    references that it can set, such as attributes of modules and classes.

    Threads that C code keeps waiting stay native if hubcore knows them (gRPC's). `native_threads` names others:
    "module" or "module:function", either of the code that starts the thread or of the function that the thread runs.

    Another call patches the parts that earlier calls left out. Returns False if a subscriber prevented the patch with
    DoNotPatch. Subscribers of the events (`hubcore.events`) receive `kwargs`; TypeError if there are no subscribers.
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
            "patch_all was called before with other arguments; everything that any of the calls asks for is patched: "
            + ", ".join(f"{name}={value}" for name, value in arguments.items() if value != _before[name])
        )
    first = not is_module_patched("threading")
    try:
        _notify(WillPatchAllEvent(arguments, kwargs), warnings)
    except DoNotPatch:
        return False
    wanted = [name for name in MODULES if arguments[name] or (name == "socket" and dns)]
    possible = [name for name in wanted if _can_be_patched(name, warnings)]
    if "thread" in possible and first:
        _warn_of_threads(warnings)

    if "os" in possible:
        pieces.patch_os()
    if "thread" in possible:
        pieces.patch_thread(Event=Event, _warnings=warnings)
    if "time" in possible:
        pieces.patch_time()
    if "socket" in possible:
        if socket:
            pieces.patch_socket(dns=dns, aggressive=aggressive)
        else:
            pieces.patch_dns()
    if "select" in possible:
        pieces.patch_select(aggressive=aggressive)
    if "ssl" in possible:
        pieces.patch_ssl(_warnings=warnings)
    if "subprocess" in possible:
        pieces.patch_subprocess()
    if "signal" in possible:
        pieces.patch_signal()
    if "queue" in possible:
        pieces.patch_queue()
    pieces.rebind_stdlib()
    _calls.append(arguments)
    _before = arguments if _before is None else {name: arguments[name] or _before[name] for name in arguments}

    _notify(DidPatchBuiltinModulesEvent(arguments, kwargs), warnings)
    _notify(DidPatchAllEvent(arguments, kwargs), warnings)
    warn_all(warnings)
    if strict or rebind:
        from hubcore._patching.existing import stale_references as _stale_references

        _stale_references.apply(strict=strict, rebind=rebind)
    return True


def _can_be_patched(name: str, warnings: list[str]) -> bool:
    """Import hubcore's modules for `name`. Return False, and warn, if this Python lacks names that they rely on."""
    text = _cpython_internals.gap_of_argument(name)
    if not text:
        try:
            for source in _SOURCES.get(name, (name,)):
                import_module(f"hubcore.{source}")
        except (AttributeError, ImportError) as error:
            text = _cpython_internals.import_gap(name, error)
            if not text:
                raise
    if text:
        warnings.append(text)
    return not text


def _notify(event: Any, warnings: list[str]) -> None:
    event._warnings = warnings
    events.notify_and_call_entry_points(event)


def _refuse_unknown(kwargs: dict[str, Any], known: dict[str, Any]) -> None:
    if not kwargs or events.subscribers:
        return
    from hubcore._base.entry_points import plugins

    published = (WillPatchAllEvent, DidPatchBuiltinModulesEvent, DidPatchAllEvent)
    if any(plugins(event.ENTRY_POINT_NAME) for event in published):
        return
    names = ", ".join(repr(name) for name in kwargs)
    raise TypeError(
        f"patch_all() got an unexpected keyword argument {names}, and its events have no subscriber; "
        f"it takes {', '.join(known)}, strict, rebind and native_threads"
    )


def _warn_of_threads(warnings: list[str]) -> None:
    """Warn if this is not the main thread, or if other threads run already: those keep native locks and waits."""
    import threading

    from hubcore._patching.libraries.pydevd import own_threads, waits_by_patched_modules
    from hubcore._patching.threads import other_threads

    if not in_main_thread():
        warnings.append(
            "patch_all is called outside the main thread; call it in the main thread, before other threads start"
        )
        return
    if waits_by_patched_modules():
        warnings.append(
            "debugpy (pydevd) runs already and waits in modules that are patched now, so a breakpoint may hang it; "
            "start it with GEVENT_SUPPORT=True in its environment (gevent itself is not needed), or with "
            "`hubcore run -m debugpy`"
        )
        return
    others = other_threads() - own_threads()
    if others:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        listed = ", ".join(sorted(repr(names.get(ident, f"thread {ident}")) for ident in others))
        warnings.append(
            f"threads run already: {listed}. They stay native threads; call patch_all before they start, or start the "
            f"program with `hubcore run`"
        )


def chosen(names: Collection[str], only: Collection[str], leave: Collection[str]) -> dict[str, Any]:
    """Return the arguments for patch_all: True for the `names` in `only` (all if it is empty) but not in `leave`."""
    # These belong to a module and follow its choice unless they are left out by name.
    part_of = {"dns": "socket", "Event": "thread"}
    return {name: not only or name in only or part_of.get(name) in only for name in names} | dict.fromkeys(leave, False)


def arguments_for(text: str, variable: str) -> dict[str, Any] | None:
    """Return the arguments for patch_all that `text` asks for, or None if it asks for no patch; ValueError otherwise.

    `1` patches everything, `0` nothing, `socket,ssl` only these, `-thread,-queue` all but these. The error names
    `variable`.
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
            f"{variable} is {text!r}; it takes 1 (everything), 0 (nothing), names such as socket,ssl (only these) or "
            f"-thread,-queue (all but these), out of {', '.join(known)}"
        )
    return chosen(known, names, ()) if only else chosen(known, (), names)


def environment() -> str:
    """Return the value of HUB_PATCH, or "" if it is not set or Python ignores the environment (python -E)."""
    return "" if _sys.flags.ignore_environment else _os.environ.get("HUB_PATCH", "")
