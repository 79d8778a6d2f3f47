"""Finds the references to objects of the interpreter's own types, and a way to set each reference anew.

The garbage collector knows the referrers of an object: modules, classes, instances, dicts, lists, closures and default
arguments, whose references can be set, and the bound methods that a Condition or an at-fork handler keeps. It does not
know the local variables of running functions, nor references from C code; a reference count that is too high reveals
those.

The search visits every object of the process, so it runs no code of any object's class (`raw_access`).
"""

from __future__ import annotations

import gc
import sys
from types import BuiltinMethodType, CellType, FunctionType, MemberDescriptorType, ModuleType

from hubcore._patching.existing.raw_access import attributes_of, full_name_of, is_a, module_of, mro_of, names_of

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
    ids = {id(kind) for kind in kinds}
    wanted = [each for each in gc.get_objects() if id(type(each)) in ids]
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
    owners = _owners([each for each in holders if type(each) is dict])
    functions = _functions([each for each in holders if type(each) is tuple])
    seen = set()
    wanted = {**found, **kept}
    for holder in holders:
        if id(holder) in seen or id(holder) in kept:
            continue
        seen.add(id(holder))
        for held in {id(each): each for each in gc.get_referents(holder) if id(each) in wanted}.values():
            if type(holder) is tuple and id(holder) in functions:
                _note_defaults(wanted[id(held)], functions[id(holder)])
            else:
                _note(wanted[id(held)], holder, owners.get(id(holder), holder))


def _owners(dicts: list[dict[Any, Any]]) -> dict[int, Any]:
    """Return the owners of those `dicts` that hold an object's attributes, by id() of the dict."""
    wanted = {id(each) for each in dicts}
    owners: dict[int, Any] = {}
    for each in _referrers(dicts):
        if is_a(each, type):
            for held in gc.get_referents(each):
                if id(held) in wanted:
                    owners[id(held)] = each
        else:
            attributes = attributes_of(each)
            if attributes is not None and id(attributes) in wanted:
                owners[id(attributes)] = each
    return owners


def _functions(tuples: list[tuple[Any, ...]]) -> dict[int, list[FunctionType]]:
    """Return the functions whose defaults the `tuples` are, by id() of the tuple, unless others refer to it as well."""
    counts = [sys.getrefcount(tuples[i]) - _REFERENCES_HERE - 1 for i in range(len(tuples))]  # and of holders
    functions: dict[int, list[FunctionType]] = {id(each): [] for each in tuples}
    for each in _referrers(tuples):
        if type(each) is FunctionType and id(each.__defaults__) in functions:
            functions[id(each.__defaults__)].append(each)
    return {
        id(each): functions[id(each)]
        for each, count in zip(tuples, counts, strict=True)
        if functions[id(each)] and len(functions[id(each)]) == count
    }


def _note(held: Referrers, holder: Any, owner: Any) -> None:
    """Record that `holder` refers to the object of `held`; `holder` is `owner`, or the dict of its attributes."""
    _note_module(held, owner)
    what, before = held.object, held.references
    if type(holder) is dict:
        for key, value in holder.items():
            if value is what:
                _found(held, owner, key, _class_item(owner, key) if is_a(owner, type) else _item(holder, key))
    elif type(holder) is list:
        for index, value in enumerate(holder):
            if value is what:
                _found(held, owner, index, _item(holder, index))
    elif type(holder) is CellType:
        _found(held, owner, "a closure", _contents(holder))
    elif not is_a(holder, type):
        _note_instance(held, holder)
    if held.references == before:
        kind = full_name_of(type(holder)).rpartition(".")[2]
        held.where.append(f"in a {kind}")
        held.reason = held.reason or f"a {kind} refers to it"


def _note_module(held: Referrers, owner: Any) -> None:
    of, of_kind = module_of(owner), module_of(type(owner))
    held.ours |= of.partition(".")[0] in _OURS or of_kind.partition(".")[0] in _OURS


def _note_defaults(held: Referrers, functions: list[FunctionType]) -> None:
    """Record that the object of `held` is a default argument of `functions`, which share one tuple of defaults."""
    what = held.object
    _note_module(held, functions[0])
    for index, value in enumerate(functions[0].__defaults__ or ()):
        if value is what:
            held.references += 1
            held.sets += [_default(each, index) for each in functions]
            held.where.append(f"{functions[0].__module__}.{functions[0].__qualname__}: the default of an argument")


def _note_instance(held: Referrers, holder: Any) -> None:
    for cls in mro_of(type(holder)):
        for name, member in names_of(cls).items():
            if type(member) is MemberDescriptorType and _slot(member, holder) is held.object:
                _found(held, holder, name, _member(member, holder))
    attributes = attributes_of(holder)
    if attributes is not None:
        for name, value in attributes.items():
            if value is held.object:
                _found(held, holder, name, _item(attributes, name))


def _slot(member: Any, holder: Any) -> object:
    try:
        return member.__get__(holder)
    except Exception:  # the slot is empty, or belongs to another class
        return None


def _found(held: Referrers, owner: Any, name: object, put: Callable[[Any], object]) -> None:
    held.references += 1
    held.sets.append(put)
    if is_a(owner, ModuleType):
        held.where.append(f"{module_of(owner)}.{_text(name)}")
    elif is_a(owner, type):
        held.where.append(f"{full_name_of(owner)}.{_text(name)}")
    else:
        held.where.append(f"{full_name_of(type(owner))} object: {_text(name)}")


def _text(name: object) -> str:
    return str(name) if type(name) in (str, int) else "an item"


# Functions that set one reference anew.


def _item(holder: Any, key: Any) -> Callable[[Any], object]:
    return lambda new: holder.__setitem__(key, new)


def _class_item(cls: type, name: str) -> Callable[[Any], object]:
    return lambda new: type.__setattr__(cls, name, new)


def _contents(cell: CellType) -> Callable[[Any], object]:
    return lambda new: setattr(cell, "cell_contents", new)


def _member(member: Any, holder: Any) -> Callable[[Any], object]:
    return lambda new: member.__set__(holder, new)


def _default(function: FunctionType, index: int) -> Callable[[Any], object]:
    def put(new: Any) -> None:
        old = function.__defaults__ or ()
        function.__defaults__ = (*old[:index], new, *old[index + 1 :])

    return put
