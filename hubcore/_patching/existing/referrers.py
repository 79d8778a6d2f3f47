"""Finds the references to objects of the interpreter's own types, and a way to set each reference anew.

The garbage collector knows the referrers of an object: modules, classes, instances, dicts, lists and closures, whose
references can be set, and the bound methods that a Condition or an at-fork handler keeps. It does not know the local
variables of running functions, nor references from C code; a reference count that is too high reveals those.
"""

from __future__ import annotations

import gc
import sys
from types import BuiltinMethodType, CellType, MemberDescriptorType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

_OURS = ("hubcore", "greenlet", "_frozen_importlib", "importlib")
_REFERENCES_HERE = 2  # during sys.getrefcount(wanted[i]): one from the list, one from the argument


class Referrers:
    """An object and its referrers: `where` names them; `reason` says why it cannot be replaced, or is "" if it can.

    `ours` is true if hubcore holds the object, or the import system, whose imports are in progress.
    """

    __slots__ = ("object", "ours", "reason", "references", "sets", "where")

    def __init__(self, held: Any) -> None:
        self.object = held
        self.where: list[str] = []
        self.reason = ""
        self.ours = False
        self.references = 0  # the number of references found
        self.sets: list[Callable[[Any], object]] = []


def find_referrers(kinds: Collection[type]) -> list[Referrers]:
    """Return all objects of exactly these `kinds` that the collector tracks. Visits every tracked object."""
    wanted = [each for each in gc.get_objects() if type(each) in kinds]
    counts = [sys.getrefcount(wanted[i]) - _REFERENCES_HERE for i in range(len(wanted))]
    found = {id(each): Referrers(each) for each in wanted}
    holders = _referrers(wanted)
    methods = [each for each in holders if type(each) is BuiltinMethodType and id(each.__self__) in found]
    method_counts = [sys.getrefcount(methods[i]) - _REFERENCES_HERE - 1 for i in range(len(methods))]  # and of holders
    kept = {id(method): Referrers(method) for method in methods}
    holders += [each for each in _referrers(methods) if each is not holders]
    _note_all(holders, found, kept)
    for method, count in zip(methods, method_counts, strict=True):
        _add_method(found[id(method.__self__)], kept[id(method)], count)
    for each, count in zip(wanted, counts, strict=True):
        held = found[id(each)]
        if held.references != count:
            held.reason = held.reason or "running code or C code also refers to it"
    return list(found.values())


def _referrers(wanted: list[Any]) -> list[Any]:
    """Return the referrers of any of `wanted`, without those that this module made."""
    if not wanted:
        return []
    found = gc.get_referrers(*wanted)
    # Some versions of Python include the tuple of the call's arguments.
    return [each for each in found if each is not wanted and type(each) is not Referrers and not _same(each, wanted)]


def _same(each: Any, wanted: list[Any]) -> bool:
    return type(each) is tuple and len(each) == len(wanted) and all(a is b for a, b in zip(each, wanted, strict=True))


def _add_method(held: Referrers, method: Referrers, count: int) -> None:
    held.references += 1  # from the method
    held.ours |= method.ours
    held.where += method.where
    if method.references != count:
        held.reason = held.reason or "running code or C code refers to a bound method of it"
    held.reason = held.reason or method.reason
    name = method.object.__name__
    held.sets += [lambda new, put=put: put(getattr(new, name)) for put in method.sets]  # type: ignore[misc]


def _note_all(holders: list[Any], found: dict[int, Referrers], kept: dict[int, Referrers]) -> None:
    dicts = [each for each in holders if type(each) is dict]
    owners = _owners(dicts)
    seen = set()
    wanted = {**found, **kept}
    for holder in holders:
        if id(holder) in seen or id(holder) in kept:
            continue
        seen.add(id(holder))
        for held in {id(each): each for each in gc.get_referents(holder) if id(each) in wanted}.values():
            _note(wanted[id(held)], holder, owners.get(id(holder), holder))


def _owners(dicts: list[dict[Any, Any]]) -> dict[int, Any]:
    """Return the owners of those `dicts` that hold an object's attributes, by id() of the dict."""
    wanted = {id(each) for each in dicts}
    owners: dict[int, Any] = {}
    for each in _referrers(dicts):
        if isinstance(each, type):
            for held in gc.get_referents(each):
                if id(held) in wanted:
                    owners[id(held)] = each
        elif isinstance(each, ModuleType):
            if id(each.__dict__) in wanted:
                owners[id(each.__dict__)] = each
        elif type(each).__dictoffset__:
            for held in gc.get_referents(each):
                if id(held) in wanted and object.__getattribute__(each, "__dict__") is held:
                    owners[id(held)] = each
    return owners


def _note(held: Referrers, holder: Any, owner: Any) -> None:
    """Record that `holder` refers to the object of `held`; `holder` is `owner`, or the dict of its attributes."""
    module = owner.__name__ if isinstance(owner, ModuleType) else getattr(owner, "__module__", None)
    if not isinstance(module, str):
        module = type(owner).__module__
    held.ours |= module.partition(".")[0] in _OURS or type(owner).__module__.partition(".")[0] in _OURS
    what, before = held.object, held.references
    if type(holder) is dict:
        for key, value in holder.items():
            if value is what:
                _found(held, owner, key, _attribute(owner, key) if isinstance(owner, type) else _item(holder, key))
    elif type(holder) is list:
        for index, value in enumerate(holder):
            if value is what:
                _found(held, owner, index, _item(holder, index))
    elif type(holder) is CellType:
        _found(held, owner, "a closure", _attribute(holder, "cell_contents"))
    elif not isinstance(holder, type):
        _note_instance(held, holder)
    if held.references == before:
        held.where.append(f"in a {type(holder).__name__}")
        held.reason = held.reason or f"a {type(holder).__name__} refers to it"


def _note_instance(held: Referrers, holder: Any) -> None:
    for cls in type(holder).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, MemberDescriptorType) and getattr(holder, name, None) is held.object:
                _found(held, holder, name, _attribute(holder, name))
    if type(holder).__dictoffset__:
        attributes = object.__getattribute__(holder, "__dict__")
        for name, value in attributes.items():
            if value is held.object:
                _found(held, holder, name, _item(attributes, name))


def _found(held: Referrers, owner: Any, name: object, put: Callable[[Any], object]) -> None:
    held.references += 1
    held.sets.append(put)
    if isinstance(owner, ModuleType):
        held.where.append(f"{owner.__name__}.{name}")
    elif isinstance(owner, type):
        held.where.append(f"{owner.__module__}.{owner.__qualname__}.{name}")
    else:
        held.where.append(f"{type(owner).__module__}.{type(owner).__qualname__} object: {name}")


def _item(holder: Any, key: Any) -> Callable[[Any], object]:
    return lambda new: holder.__setitem__(key, new)


def _attribute(holder: Any, name: str) -> Callable[[Any], object]:
    return lambda new: setattr(holder, name, new)
