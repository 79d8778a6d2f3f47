"""Replacing names of modules: one at a time, all that a module implements, and what was replaced.

Modules are changed in place, so everybody who looks a name up in them finds the new one. Who has taken the old one out
before (`from time import sleep`) keeps it: see `hubcore._stale`.
"""

from __future__ import annotations

from hubcore import events
from hubcore._originals import saved
from hubcore._patch_events import DidPatchModuleEvent, DoNotPatch, WillPatchModuleEvent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType
    from typing import Any


class MonkeyPatchWarning(RuntimeWarning):
    """Something about the patch may not be as it is meant to be."""


_GONE = object()


def warn(message: str, collected: list[str] | None = None) -> None:
    """Warn of `message` now, or add it to `collected`, which is warned of at the end."""
    if collected is not None:
        collected.append(message)
        return
    import warnings

    warnings.warn(message, MonkeyPatchWarning, stacklevel=_outside())


def warn_all(collected: list[str]) -> None:
    """Warn of each message in `collected` once, and empty it."""
    messages = list(dict.fromkeys(collected))
    collected.clear()
    for message in messages:
        warn(message)


def _outside() -> int:
    """How far up the stack, as warnings counts it from `warn`, the code is that asked for the patch."""
    import sys

    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("hubcore."):
        frame, level = frame.f_back, level + 1
    return level


def check_flags(function: str, flags: Mapping[str, object]) -> None:
    """TypeError unless each of `function`'s arguments says yes or no: a name given in its place is true, too."""
    for name, value in flags.items():
        if value is not None and not isinstance(value, int):
            raise TypeError(
                f"{function}({name}={value!r}): {name} is True or False; to patch only one module, call its function, "
                f"such as patch_socket()"
            )


def _check_module(module: object) -> None:
    if not hasattr(module, "__dict__") or not hasattr(module, "__name__"):
        raise TypeError(f"what is patched is a module, not {module!r}")


def patch_item(module: ModuleType, attr: str, newitem: Any) -> None:
    """Set `module.attr` to `newitem`. What was there the first time is what `get_original` gives from then on."""
    _check_module(module)
    old = getattr(module, attr, _GONE)
    if old is newitem:
        return
    if old is not _GONE:
        saved.setdefault(module.__name__, {}).setdefault(attr, old)
    setattr(module, attr, newitem)


def remove_item(module: ModuleType, attr: str) -> None:
    """Take `attr` out of `module`, if it is there; `get_original` still gives it."""
    _check_module(module)
    old = vars(module).get(attr, _GONE)
    if old is not _GONE:
        saved.setdefault(module.__name__, {}).setdefault(attr, old)
        delattr(module, attr)


def patch_module(
    target_module: ModuleType,
    source_module: ModuleType,
    items: Iterable[str] | None = None,
    _warnings: list[str] | None = None,
    _patch_kwargs: dict[str, Any] | None = None,
    _notify_will_subscribers: bool = True,
    _notify_did_subscribers: bool = True,
    _call_hooks: bool = True,
) -> bool:
    """Replace names of `target_module` by those of `source_module`: `items`, or what its `__implements__` lists.

    Returns whether it was done: a subscriber or a hook that raises DoNotPatch prevents it. Before the change the
    source's function `_hubcore_will_monkey_patch(target_module, items, warn)` is called where there is one, and after
    it `_hubcore_did_monkey_patch`; gevent's names for them (`_gevent_...`) count as well. AttributeError if a name is
    missing in the source; then nothing has changed. `_patch_kwargs` is accepted for gevent's sake.
    """
    _check_module(target_module)
    _check_module(source_module)
    if isinstance(items, str):
        raise TypeError(f"items is a list of names, not {items!r}; for that one it is [{items!r}]")
    if items is None:
        items = getattr(source_module, "__implements__", None)
        if items is None:
            raise AttributeError(
                f"{source_module.__name__} has no __implements__; give the names that are to replace those of "
                f"{target_module.__name__} as `items`"
            )
    items = list(items)
    try:
        if _call_hooks:
            _call_hook("will", source_module, target_module, items, _warnings)
        if _notify_will_subscribers:
            event = WillPatchModuleEvent(target_module.__name__, source_module, target_module, items)
            event._warnings = _warnings
            events.notify_and_call_entry_points(event)
    except DoNotPatch:
        return False
    # All are looked up before the first is set, so that a name that is missing leaves nothing half done.
    for name, new in [(name, getattr(source_module, name)) for name in items]:
        patch_item(target_module, name, new)
    saved.setdefault(target_module.__name__, {})  # also where all were in place: the module is patched
    if _call_hooks:
        _call_hook("did", source_module, target_module, items, _warnings)
    if _notify_did_subscribers:
        done = DidPatchModuleEvent(target_module.__name__, source_module, target_module)
        done._warnings = _warnings
        events.notify_and_call_entry_points(done)
    return True


def _call_hook(when: str, module: ModuleType, other: ModuleType, items: list[str], warnings: list[str] | None) -> None:
    # In the module's own dictionary: a __getattr__ of a module that stands for another would find the other's.
    names = vars(module)
    hook = names.get(f"_hubcore_{when}_monkey_patch") or names.get(f"_gevent_{when}_monkey_patch")
    if hook is not None:
        hook(other, items, lambda message: warn(message, warnings))


def is_module_patched(mod_name: str) -> bool:
    """Whether something in the module of that name was replaced."""
    if not isinstance(mod_name, str):
        raise TypeError(f"a module is asked for by its name, not {mod_name!r}")
    return mod_name in saved


def is_object_patched(mod_name: str, item_name: str) -> bool:
    """Whether `item_name` of that module was replaced."""
    return is_module_patched(mod_name) and item_name in saved[mod_name]


def is_anything_patched() -> bool:
    """Whether anything was replaced anywhere."""
    return bool(saved)
