"""local: an object whose attributes differ per greenlet, as those of threading.local differ per thread.

A local owns the dicts of its attributes, one for each greenlet, so they are freed together with it, at once or with a
cycle that it is part of. A greenlet owns a Residence. Its number is the greenlet's key in all locals, and it has weak
references to the locals in which the greenlet has a dict. A greenlet that ends drops its Residence, which removes those
dicts.

A finalizer may interrupt every step below, in any thread, and use or drop the same local. Hence no locks: the shared
state is a dict or a deque, and each change is one operation of it.
"""

from __future__ import annotations

from _collections import deque
from _weakref import ref as weak_reference
from itertools import count

from hubcore._base import uncompiled as cython
from hubcore._base.originals import _local as ThreadLocal
from hubcore._core.raw_greenlet import RawGreenlet

if not cython.compiled:
    from hubcore._base.hints import Any, Self
    from hubcore._capi.fallback import (
        del_attribute,
        get_attribute,
        getcurrent,
        greenlet,
        import_greenlet,
        instance_dict,
        is_public,
        is_text,
        own,
        set_attribute,
    )

    def residence_in(target: RawGreenlet) -> Residence:
        """Return the Residence; compiled code reads the field without a type check."""
        found: Residence = target._locals
        return found


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never

__all__ = ["all_local_dicts_for_greenlet", "local"]

import_greenlet()

# Compiled, these are C variables: at the end of the process greenlets may outlive the names in this module.
_make_deque = deque
_make_reference = weak_reference
_numbers = count(1)
_MISSING = object()
_DICT = "__dict__"
_RESIDENCE = "_hubcore_residence"  # in the __dict__ of a foreign greenlet, such as a thread's main greenlet
_this_thread = ThreadLocal()


class Residence:
    """The identity of one greenlet in all locals. When it is freed, the greenlet's attributes in them are removed."""

    __slots__ = ("key", "number", "owners")

    def __init__(self) -> None:
        self.key: int = next(_numbers)  # never reused
        self.number: str = str(self.key)  # a str, because dicts with only str keys are the fastest
        self.owners: deque[weak_reference[local]] = _make_deque()

    def note(self, owner: local) -> None:
        """Remember that `owner` has a dict for this greenlet.

        Each call checks the two oldest references. So there are never more than about twice as many references as
        locals with a dict, and each call costs the same.
        """
        self.owners.append(_make_reference(owner))
        for _ in range(2):
            reference = self.owners.popleft()
            other = reference()
            if other is not None:
                dicts = own(other)._local_dicts
                if dicts is not None and self.number in dicts:  # None: the garbage collector is about to free it
                    self.owners.append(reference)

    def __del__(self) -> None:
        while self.owners:
            owner = self.owners.pop()()
            if owner is not None:
                _take_out(owner, self.key, self.number)


class ThreadEnd:
    """Drops the Residence of a thread's main greenlet when the thread ends: values may refer to that greenlet."""

    __slots__ = ("main",)

    def __init__(self, main: greenlet) -> None:
        self.main: greenlet = main

    def __del__(self) -> None:
        instance_dict(self.main).pop(_RESIDENCE, None)


class local:
    """An object whose attributes each greenlet sets, sees and deletes for itself.

    A subclass's `__init__` is called once per greenlet, at the greenlet's first use of the object, with the arguments
    of the object's constructor; without an `__init__` there must be none (TypeError). `__dict__` is the current
    greenlet's; a program can change it, but not assign it. Properties and other descriptors of a subclass work; all
    greenlets share what a subclass keeps in `__slots__`.

    Values are freed when their greenlet ends, or with the object. Never switches itself; any thread. `copy.copy` makes
    a new object with the same constructor arguments; in the current greenlet it begins with a copy of the attributes.
    """

    __slots__ = ("__weakref__", "_latest", "_latest_key", "_local_args", "_local_dicts", "_local_kwargs")

    def __cinit__(self, *args: Any, **kwargs: Any) -> None:
        if (args or kwargs) and type(self).__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        mine = own(self)
        mine._local_dicts = {}
        # The dict that was used last, and the key of its greenlet. `_local_dicts` has it, too, so that dropping it here
        # frees nothing.
        mine._latest = None
        mine._latest_key = 0
        mine._local_args = args
        mine._local_kwargs = kwargs
        # In the greenlet that makes the object, type.__call__ calls __init__, as for any object.
        _add_dict(self, _residence(getcurrent()), {})

    def __getattribute__(self, name: str) -> Any:
        mine = _dict_here(self)
        if is_text(name, _DICT):
            return mine
        if type(self) is local:
            value = mine.get(name, _MISSING)
            if value is not _MISSING:
                return value
        return get_attribute(self, name, mine)

    def __setattr__(self, name: str, value: object) -> None:
        mine = _dict_here(self)
        if type(self) is local and is_public(name):  # of this class: no descriptor has such a name
            mine[name] = value
            return
        if is_text(name, _DICT):
            _refuse_dict(self)
        set_attribute(self, name, value, mine)

    def __delattr__(self, name: str) -> None:
        mine = _dict_here(self)
        if is_text(name, _DICT):
            _refuse_dict(self)
        del_attribute(self, name, mine)

    def __copy__(self) -> Self:
        mine = dict(_dict_here(self))
        new = type(self)(*own(self)._local_args, **own(self)._local_kwargs)
        copied = _dict_here(new)
        copied.clear()
        copied.update(mine)
        return new

    def __getstate__(self) -> Never:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object: its attributes differ per greenlet")


def _refuse_dict(owner: local) -> None:
    raise AttributeError(f"{type(owner).__name__!r} object attribute '__dict__' is read-only")


def _dict_here(owner: local) -> dict[str, Any]:
    """Return the attributes of `owner` in the current greenlet."""
    current = getcurrent()
    here = residence_in(current) if isinstance(current, RawGreenlet) else instance_dict(current).get(_RESIDENCE)
    mine: dict[str, Any] | None
    if here is not None:
        if own(owner)._latest_key == here.key:
            mine = own(owner)._latest
            if mine is not None:
                return mine
        mine = own(owner)._local_dicts.get(here.number)
        if mine is not None:
            # Mostly a greenlet uses a local several times before another one does. Uncompiled, another thread could
            # come between the two assignments.
            if cython.compiled:
                own(owner)._latest = mine
                own(owner)._latest_key = here.key
            return mine
    return _first_use(owner, current)


def _first_use(owner: local, current: greenlet) -> dict[str, Any]:
    fresh: dict[str, Any] = {}
    residence = _residence(current)
    mine = _add_dict(owner, residence, fresh)
    kind: Any = type(owner)
    if mine is fresh and kind.__init__ is not object.__init__:
        try:
            kind.__init__(owner, *own(owner)._local_args, **own(owner)._local_kwargs)
        except BaseException:
            _take_out(owner, residence.key, residence.number)  # the next use tries again
            raise
    return mine


def _add_dict(owner: local, residence: Residence, fresh: dict[str, Any]) -> dict[str, Any]:
    """Make `fresh` the attributes of `owner` for `residence`, unless a finalizer has added a dict meanwhile."""
    mine: dict[str, Any] = own(owner)._local_dicts.setdefault(residence.number, fresh)
    if mine is fresh:
        residence.note(owner)
    return mine


def _take_out(owner: local, key: int, number: str) -> None:
    dicts = own(owner)._local_dicts
    if own(owner)._latest_key == key:
        own(owner)._latest_key = 0
        own(owner)._latest = None
    if dicts is not None:  # as in Residence.note
        dicts.pop(number, None)


def _residence(current: greenlet) -> Residence:
    """Return the Residence of `current`, the current greenlet; make one if it has none, or has dropped it."""
    fresh = Residence()
    if isinstance(current, RawGreenlet):
        raw = current
        if raw._locals is None:
            raw._locals = fresh
        return residence_in(raw)
    found: Residence = instance_dict(current).setdefault(_RESIDENCE, fresh)
    if found is fresh and current.parent is None:
        _this_thread.end = ThreadEnd(current)
    return found


if not cython.compiled:

    def _new(cls: type[local], *args: Any, **kwargs: Any) -> local:
        new = object.__new__(cls)
        local.__cinit__(new, *args, **kwargs)
        return new

    local.__new__ = staticmethod(_new)  # type: ignore[assignment]


def all_local_dicts_for_greenlet(greenlet: greenlet) -> list[tuple[tuple[type[local], int], dict[str, Any]]]:
    """Return what `greenlet` has in locals: pairs of (class, id of the local) and the dict of its attributes there.

    For reports of what a greenlet does. Never switches, and makes no dict; any thread.
    """
    here = residence_in(greenlet) if isinstance(greenlet, RawGreenlet) else instance_dict(greenlet).get(_RESIDENCE)
    found: dict[int, Any] = {}
    if here is not None:
        for reference in here.owners.copy():
            owner = reference()
            if owner is None:
                continue
            dicts = own(owner)._local_dicts
            mine = None if dicts is None else dicts.get(here.number)
            if mine is not None:
                found[id(owner)] = ((type(owner), id(owner)), mine)
    return list(found.values())
