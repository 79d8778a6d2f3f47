"""Locks that were made before the patch: they are replaced where they are, if that is sure to be right.

A lock can be replaced if nobody has it and every reference to it is found and can be set: in modules, classes,
instances, dicts, lists and closures, and the bound methods of it that a Condition or an at-fork handler keeps. The
reference count tells whether all are found; a local variable of a running function would not be. Two who hold
different locks for the same thing would be worse than one native lock, which goes on working, and blocks its thread.

Never replaced: hubcore's own, and those of the import system, which belong to imports that are going on.
"""

from __future__ import annotations

import gc
import sys
from types import BuiltinMethodType, CellType, MemberDescriptorType, ModuleType

from hubcore._originals import LockType, original
from hubcore._originals import RLock as NativeRLock
from hubcore._threadlock import Lock, RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import Any

_NativeQueue: Any = original("queue", "SimpleQueue")
_KINDS: dict[type, Callable[[], Any]] = {LockType: Lock, type(NativeRLock()): RLock}
_OURS = ("hubcore", "greenlet", "_frozen_importlib", "importlib")
_REFERENCES_HERE = 2  # of a list's item, while getrefcount is asked for it: the list's and the argument


class Existing:
    """A native lock: `where` it is, as texts, and `reason`, why it cannot be replaced, or "" if it can."""

    __slots__ = ("lock", "ours", "reason", "references", "sets", "where")

    def __init__(self, lock: Any) -> None:
        self.lock = lock
        self.where: list[str] = []
        self.reason = ""
        self.ours = False
        self.references = 0  # that were found
        self.sets: list[Callable[[Any], object]] = []


def is_native(lock: object) -> bool:
    """Whether `lock` is one of the interpreter's own, which blocks the whole thread."""
    return type(lock) in _KINDS


def is_free(lock: Any) -> bool:
    """Whether nobody has the native lock `lock`."""
    if hasattr(lock, "locked"):
        return not lock.locked()
    if lock._is_owned() or not lock.acquire(False):
        return False
    lock.release()
    return True


def new_for(lock: object) -> Any:
    """A cooperative lock of the same kind as the native `lock`."""
    return _KINDS[type(lock)]()


def replace_free() -> None:
    """Replace all that can be. For the only thread that runs: another might be about to take one."""
    for existing in survey():
        if not existing.reason and not existing.ours:
            new = new_for(existing.lock)
            for put in existing.sets:
                put(new)


def left() -> Iterator[Existing]:
    """The native locks of others than hubcore that there are now, each with where it is and why it stays."""
    for existing in survey():
        if not existing.ours and existing.where:
            existing.reason = (
                existing.reason or "it was made by an original that is still referred to, or after a patch"
            )
            yield existing


def queues() -> list[Existing]:
    """The native SimpleQueues that there are now and that are not hubcore's, each with where it is."""
    return [each for each in survey({_NativeQueue}) if not each.ours and each.where]


def survey(kinds: Collection[type] = tuple(_KINDS)) -> list[Existing]:
    """All native locks, or objects of `kinds`, that the collector knows of."""
    locks = [each for each in gc.get_objects() if type(each) in kinds]
    counts = [sys.getrefcount(locks[i]) - _REFERENCES_HERE for i in range(len(locks))]
    found = {id(lock): Existing(lock) for lock in locks}
    holders = _referrers(locks)
    methods = [each for each in holders if type(each) is BuiltinMethodType and id(each.__self__) in found]
    method_counts = [sys.getrefcount(methods[i]) - _REFERENCES_HERE - 1 for i in range(len(methods))]  # and of holders
    kept = {id(method): Existing(method) for method in methods}
    holders += [each for each in _referrers(methods) if each is not holders]
    _note_all(holders, found, kept)
    for method, count in zip(methods, method_counts, strict=True):
        _add_method(found[id(method.__self__)], kept[id(method)], count)
    for lock, count in zip(locks, counts, strict=True):
        existing = found[id(lock)]
        if existing.references != count:
            existing.reason = existing.reason or "it is also referred to from running code, or from C"
        if type(lock) in _KINDS and not is_free(lock):
            existing.reason = "somebody had it"
    return list(found.values())


def _referrers(wanted: list[Any]) -> list[Any]:
    """What refers to any of `wanted`, but for this module's own."""
    if not wanted:
        return []
    found = gc.get_referrers(*wanted)
    # On some versions the tuple of the arguments is among them.
    return [each for each in found if each is not wanted and type(each) is not Existing and not _same(each, wanted)]


def _same(each: Any, wanted: list[Any]) -> bool:
    return type(each) is tuple and len(each) == len(wanted) and all(a is b for a, b in zip(each, wanted, strict=True))


def _add_method(lock: Existing, method: Existing, count: int) -> None:
    lock.references += 1  # by the method
    lock.ours |= method.ours
    lock.where += method.where
    if method.references != count:
        lock.reason = lock.reason or "a bound method of it is referred to from running code, or from C"
    lock.reason = lock.reason or method.reason
    name = method.lock.__name__
    lock.sets += [lambda new, put=put: put(getattr(new, name)) for put in method.sets]  # type: ignore[misc]


def _note_all(holders: list[Any], found: dict[int, Existing], kept: dict[int, Existing]) -> None:
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
    """Whose attributes the dicts are, by their id(), where they are somebody's."""
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


def _note(existing: Existing, holder: Any, owner: Any) -> None:
    """Note that `holder`, which has the attributes of `owner` or is that, refers to it."""
    module = owner.__name__ if isinstance(owner, ModuleType) else getattr(owner, "__module__", None)
    if not isinstance(module, str):
        module = type(owner).__module__
    existing.ours |= module.partition(".")[0] in _OURS or type(owner).__module__.partition(".")[0] in _OURS
    what, before = existing.lock, existing.references
    if type(holder) is dict:
        for key, value in holder.items():
            if value is what:
                _found(existing, owner, key, _attribute(owner, key) if isinstance(owner, type) else _item(holder, key))
    elif type(holder) is list:
        for index, value in enumerate(holder):
            if value is what:
                _found(existing, owner, index, _item(holder, index))
    elif type(holder) is CellType:
        _found(existing, owner, "a closure", _attribute(holder, "cell_contents"))
    elif not isinstance(holder, type):
        _note_instance(existing, holder)
    if existing.references == before:
        existing.where.append(f"in a {type(holder).__name__}")
        existing.reason = existing.reason or f"a {type(holder).__name__} refers to it"


def _note_instance(existing: Existing, holder: Any) -> None:
    for cls in type(holder).__mro__:
        for name, member in vars(cls).items():
            if isinstance(member, MemberDescriptorType) and getattr(holder, name, None) is existing.lock:
                _found(existing, holder, name, _attribute(holder, name))
    if type(holder).__dictoffset__:
        attributes = object.__getattribute__(holder, "__dict__")
        for name, value in attributes.items():
            if value is existing.lock:
                _found(existing, holder, name, _item(attributes, name))


def _found(existing: Existing, owner: Any, name: object, put: Callable[[Any], object]) -> None:
    existing.references += 1
    existing.sets.append(put)
    if isinstance(owner, ModuleType):
        existing.where.append(f"{owner.__name__}.{name}")
    elif isinstance(owner, type):
        existing.where.append(f"{owner.__module__}.{owner.__qualname__}.{name}")
    else:
        existing.where.append(f"{type(owner).__module__}.{type(owner).__qualname__} object: {name}")


def _item(holder: Any, key: Any) -> Callable[[Any], object]:
    return lambda new: holder.__setitem__(key, new)


def _attribute(holder: Any, name: str) -> Callable[[Any], object]:
    return lambda new: setattr(holder, name, new)
