"""Replace names in modules, one at a time or all that a module implements, and keep the originals.

Modules are changed in place, so code that looks a name up in its module finds the replacement. Code that took the
original out before (`from time import sleep`) keeps it: see `hubcore._patching.existing.stale_references`.
"""

from __future__ import annotations

from hubcore import events
from hubcore._base.hints import Any, Iterable, Mapping, ModuleType
from hubcore._base.originals import saved
from hubcore.events import DidPatchModuleEvent, DoNotPatch, WillPatchModuleEvent


class MonkeyPatchWarning(RuntimeWarning):
    """The patch took place, but parts of it may not have the intended effect."""


_GONE = object()
#: What counts as patched although hubcore leaves it alone, by module and name ("" for the module itself): with which
#: module. Empty, but under gevent's name.
counted: dict[tuple[str, str], str] = {}


def warn(message: str, collected: list[str] | None = None) -> None:
    """Issue the warning `message` now, or add it to `collected`, which the caller passes to `warn_all` at the end."""
    if collected is not None:
        collected.append(message)
        return
    import warnings

    warnings.warn(message, MonkeyPatchWarning, stacklevel=_outside())


def warn_all(collected: list[str]) -> None:
    """Issue each message in `collected` once as a warning, and clear the list."""
    messages = list(dict.fromkeys(collected))
    collected.clear()
    for message in messages:
        warn(message)


def _outside() -> int:
    """Return the `stacklevel`, counted from `warn`, of the code outside hubcore that called for the patch."""
    import sys

    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).startswith("hubcore."):
        frame, level = frame.f_back, level + 1
    return level


def check_flags(function: str, flags: Mapping[str, object]) -> None:
    """Raise TypeError unless each flag of `function` is a bool, an int or None: a module name would count as true."""
    for name, value in flags.items():
        if value is not None and not isinstance(value, int):
            raise TypeError(
                f"{function}(): {name} must be True or False, not {value!r}; to patch only one module, call its own "
                f"function, such as patch_socket()"
            )


def _check_module(module: object) -> None:
    if not hasattr(module, "__dict__") or not hasattr(module, "__name__"):
        raise TypeError(f"the object to patch must be a module, not {module!r}")


def patch_item(module: ModuleType, attr: str, newitem: Any) -> None:
    """Set `module.attr` to `newitem`. `get_original` returns the value that the attribute had before the first call."""
    _check_module(module)
    old = getattr(module, attr, _GONE)
    if old is newitem:
        return
    if old is not _GONE:
        saved.setdefault(module.__name__, {}).setdefault(attr, old)
    setattr(module, attr, newitem)


def patch_attribute(cls: type, name: str, new: Any) -> None:
    """Set the method `name` of the standard library's class `cls` to `new`, which says that it is that method."""
    old = vars(cls)[name]
    if old is not new:
        new.__module__, new.__qualname__ = old.__module__, old.__qualname__
        saved.setdefault(cls.__module__, {}).setdefault(old.__qualname__, old)
        setattr(cls, name, new)


def remove_item(module: ModuleType, attr: str) -> None:
    """Delete `attr` from `module` if it exists; `get_original` still returns its value."""
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
    """Replace names of `target_module` with those of `source_module`: `items`, or the list in its `__implements__`.

    Returns False if a subscriber or a hook prevented it by raising DoNotPatch, else True. patch_module calls the hook
    `_hubcore_will_monkey_patch(target_module, items, warn)` of the source before the change and
    `_hubcore_did_monkey_patch` after it, if the source defines them; gevent's names for the hooks (`_gevent_...`) work,
    too. AttributeError if the source lacks one of the names; then nothing has changed. `_patch_kwargs` has no effect;
    gevent has it.
    """
    _check_module(target_module)
    _check_module(source_module)
    if isinstance(items, str):
        raise TypeError(f"items must be a list of names, not {items!r}; for one name pass [{items!r}]")
    if items is None:
        items = getattr(source_module, "__implements__", None)
        if items is None:
            raise AttributeError(
                f"{source_module.__name__} has no __implements__; pass the names to replace in "
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
    # Look all names up before setting the first: a missing name then leaves the module unchanged.
    for name, new in [(name, getattr(source_module, name)) for name in items]:
        patch_item(target_module, name, new)
    saved.setdefault(target_module.__name__, {})  # also if all names were in place: the module is patched
    if _call_hooks:
        _call_hook("did", source_module, target_module, items, _warnings)
    if _notify_did_subscribers:
        done = DidPatchModuleEvent(target_module.__name__, source_module, target_module)
        done._warnings = _warnings
        events.notify_and_call_entry_points(done)
    return True


def _call_hook(when: str, module: ModuleType, other: ModuleType, items: list[str], warnings: list[str] | None) -> None:
    # Read the module's own dict: the __getattr__ of a module that delegates would find the other module's hook.
    names = vars(module)
    hook = names.get(f"_hubcore_{when}_monkey_patch") or names.get(f"_gevent_{when}_monkey_patch")
    if hook is not None:
        hook(other, items, lambda message: warn(message, warnings))


def is_module_patched(mod_name: str) -> bool:
    """Return whether a name in the module `mod_name` was replaced."""
    if not isinstance(mod_name, str):
        raise TypeError(f"mod_name must be the name of a module, not {mod_name!r}")
    return mod_name in saved or counted.get((mod_name, "")) in saved


def is_object_patched(mod_name: str, item_name: str) -> bool:
    """Return whether `item_name` in the module `mod_name` was replaced."""
    if is_module_patched(mod_name) and item_name in saved.get(mod_name, ()):
        return True
    return counted.get((mod_name, item_name)) in saved


def is_anything_patched() -> bool:
    """Return whether any name in any module was replaced."""
    return bool(saved)
