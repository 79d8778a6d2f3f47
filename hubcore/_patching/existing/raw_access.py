"""Reads the class, the attributes and the names of any object without running code of its class.

A search through all objects of a process visits proxies whose `__dict__` or `__class__` raises, metaclasses with a
`__hash__` or a `__getattribute__` of their own, and lazy modules that any access imports. The functions here use
`object`'s, `type`'s and the containers' own descriptors instead. Compare types by identity for the same reason.
"""

from __future__ import annotations

from types import FunctionType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_of_type: Any = {
    name: type.__dict__[name].__get__
    for name in ("__bases__", "__dict__", "__dictoffset__", "__module__", "__mro__", "__qualname__")
}

_dict_of_module: Any = vars(ModuleType)["__dict__"].__get__


def is_a(thing: object, kind: type) -> bool:
    """As isinstance, but without reading the object's `__class__`."""
    return issubclass(type(thing), kind)


def bases_of(cls: type) -> tuple[type, ...]:
    """Return the bases of a class."""
    bases: tuple[type, ...] = _of_type["__bases__"](cls)
    return bases


def mro_of(cls: type) -> tuple[type, ...]:
    """Return the classes in which attributes of the instances of a class are looked up, in that order."""
    classes: tuple[type, ...] = _of_type["__mro__"](cls)
    return classes


def names_of(cls: type) -> Mapping[str, Any]:
    """Return the attributes of a class, without those of its bases."""
    names: Mapping[str, Any] = _of_type["__dict__"](cls)
    return names


def attributes_of(thing: Any) -> dict[str, Any] | None:
    """Return the dict of an object's own attributes, or None if it has none or its class hides it."""
    if not _of_type["__dictoffset__"](type(thing)):
        return None
    try:
        found = object.__getattribute__(thing, "__dict__")
    except Exception:  # the class has a `__dict__` of its own, which may raise anything
        return None
    return found if type(found) is dict else None


def globals_of(module: ModuleType) -> dict[str, Any]:
    """Return the dict of a module's names."""
    found: dict[str, Any] = _dict_of_module(module)
    return found


def module_of(thing: Any) -> str:
    """Return the name of a module, or of the module that defines a class, a function or an object's class; or ""."""
    found: object
    if is_a(thing, ModuleType):
        found = globals_of(thing).get("__name__")
    elif type(thing) is FunctionType:
        found = thing.__module__
    else:
        try:
            found = _of_type["__module__"](thing if is_a(thing, type) else type(thing))
        except AttributeError:
            return ""
    return found if type(found) is str else ""


def full_name_of(cls: type) -> str:
    """Return the name of a class with that of its module."""
    return f"{module_of(cls)}.{_of_type['__qualname__'](cls)}"
