"""local: attributes of which every greenlet has its own, as threading.local has them for threads.

A local owns the dicts of its attributes, one for each greenlet, so that they go when it does, at once or with a cycle
that it is part of. A greenlet owns a Residence, whose number is its key in all locals, and which knows by weak
references in which of them it has a dict: when the greenlet ends it drops its Residence, and that takes them out.

Every step below may be interrupted by a finalizer, which may use the same local, or drop it, in any thread. Hence no
locks: what two of them share is a dict or a deque, and each change is one operation of those.
"""

from __future__ import annotations

from _collections import deque
from _weakref import ref as weak_reference
from itertools import count

import cython

from hubcore._originals import _local as ThreadLocal
from hubcore._rawgreenlet import RawGreenlet

if not cython.compiled:
    from hubcore._uncompiled import (
        del_attribute,
        get_attribute,
        getcurrent,
        greenlet,
        import_greenlet,
        instance_dict,
        is_text,
        own,
        set_attribute,
    )

    def residence_in(target: RawGreenlet) -> Residence:
        """What compiled code gets without asking again what kind of greenlet it is."""
        found: Residence = target._locals
        return found


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Never, Self

__all__ = ["local"]

import_greenlet()

# Compiled, C variables: at the end of the process greenlets may outlive the names in this module.
_make_deque = deque
_make_reference = weak_reference
_numbers = count(1)
_MISSING = object()
_DICT = "__dict__"
_RESIDENCE = "_hubcore_residence"  # in the __dict__ of a greenlet of another maker, a thread's main one for instance
_this_thread = ThreadLocal()


class Residence:
    """One greenlet, as locals know it. When it is dropped, the greenlet has no attributes in any of them any more."""

    __slots__ = ("number", "owners")

    def __init__(self) -> None:
        self.number = str(next(_numbers))  # never reused; a str, because dicts of nothing else are the fastest
        self.owners: deque[weak_reference[local]] = _make_deque()

    def note(self, owner: local) -> None:
        """Remember that there is a dict in `owner`.

        Two old ones are looked at for each new one, oldest first: so there are never more than about twice as many as
        there are locals with a dict, at the same price every time.
        """
        self.owners.append(_make_reference(owner))
        for _ in range(2):
            reference = self.owners.popleft()
            other = reference()
            if other is not None:
                dicts = own(other)._local_dicts
                if dicts is not None and self.number in dicts:  # None: the collector is about to free it
                    self.owners.append(reference)

    def __del__(self) -> None:
        while self.owners:
            owner = self.owners.pop()()
            if owner is not None:
                _take_out(owner, self.number)


class ThreadEnd:
    """Drops the Residence of a thread's main greenlet when the thread ends, for values may refer to the greenlet."""

    __slots__ = ("main",)

    def __init__(self, main: greenlet) -> None:
        self.main = main

    def __del__(self) -> None:
        instance_dict(self.main).pop(_RESIDENCE, None)


class local:
    """An object whose attributes each greenlet sets, sees and deletes for itself.

    A subclass's `__init__` is called once in each greenlet that uses the object, at the first use there, with the
    arguments that the object was made with; without an `__init__` there must be none (TypeError). `__dict__` is the
    current greenlet's; it can be changed, but not assigned. Properties and other descriptors of a subclass work, and
    what they keep in `__slots__` is shared by all greenlets.

    Values are freed when their greenlet ends, or when the object goes. Never switches itself; any thread. `copy.copy`
    makes another one as this was made, which in the current greenlet begins with a copy of this one's attributes.
    """

    __slots__ = ("__weakref__", "_local_args", "_local_dicts", "_local_kwargs")

    def __cinit__(self, *args: Any, **kwargs: Any) -> None:
        if (args or kwargs) and type(self).__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        mine = own(self)
        mine._local_dicts = {}
        mine._local_args = args
        mine._local_kwargs = kwargs
        # The greenlet that makes it gets its __init__ called by whoever made the object, as any object does.
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
        raise TypeError(f"cannot pickle {type(self).__name__!r} object: each greenlet has other attributes")


def _refuse_dict(owner: local) -> None:
    raise AttributeError(f"{type(owner).__name__!r} object attribute '__dict__' is read-only")


def _dict_here(owner: local) -> dict[str, Any]:
    """The attributes that `owner` has in the current greenlet."""
    current = getcurrent()
    here = residence_in(current) if isinstance(current, RawGreenlet) else instance_dict(current).get(_RESIDENCE)
    if here is not None:
        mine: dict[str, Any] | None = own(owner)._local_dicts.get(here.number)
        if mine is not None:
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
            _take_out(owner, residence.number)  # the next use tries again
            raise
    return mine


def _add_dict(owner: local, residence: Residence, fresh: dict[str, Any]) -> dict[str, Any]:
    """Have `fresh` be the attributes of `owner` there, unless a finalizer that ran meanwhile has made some."""
    mine: dict[str, Any] = own(owner)._local_dicts.setdefault(residence.number, fresh)
    if mine is fresh:
        residence.note(owner)
    return mine


def _take_out(owner: local, number: str) -> None:
    dicts = own(owner)._local_dicts
    if dicts is not None:  # as in Residence.note
        dicts.pop(number, None)


def _residence(current: greenlet) -> Residence:
    """The Residence of `current`, the current greenlet; a new one if it has none, or none any more."""
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
