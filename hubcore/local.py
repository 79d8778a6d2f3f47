"""local: attributes of which every greenlet has its own, as threading.local has them for threads.

A greenlet's values lie with the greenlet: RawGreenlet has a field for them, other greenlets (a thread's main one among
them) keep them in their `__dict__`. So they go when it ends. The local only remembers, by weak references, which
greenlets have some, to take them out when it dies itself.

Every step below may be interrupted by a finalizer, which may use the same local, or drop it, in any thread. Hence no
locks: whatever two of them share is a dict or a deque, and changed by one operation of its own at a time.
"""

from __future__ import annotations

from _collections import deque
from _weakref import ref as weak_reference
from itertools import count

import cython

from hubcore._scheduler import RawGreenlet

if not cython.compiled:
    from hubcore._uncompiled import (
        del_attribute,
        get_attribute,
        getcurrent,
        greenlet,
        import_greenlet,
        instance_dict,
        is_text,
        set_attribute,
    )

    def as_raw(target: greenlet) -> RawGreenlet:
        """What compiled code gets without asking again what kind of greenlet it is."""
        return target  # type: ignore[return-value]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Never, Self

__all__ = ["local"]

import_greenlet()

# Compiled, C variables: at the end of the process locals may outlive the names in this module.
_make_deque = deque
_make_reference = weak_reference
_MISSING = object()
_DICT = "__dict__"
_numbers = count(1)
_FIELDS = ("_local_args", "_local_entries", "_local_kwargs")


class Entries:
    """The dicts of one local: their key in each greenlet's, and which greenlets those are.

    Only the local refers to it: it dies with the local, after the finalizers that may still look at attributes.
    """

    __slots__ = ("key", "places")

    def __init__(self) -> None:
        self.key = f"hubcore.local {next(_numbers)}"  # a str, because dicts of nothing else are the fastest
        self.places: deque[weak_reference[greenlet]] = _make_deque()

    def note(self, current: greenlet) -> None:
        """Remember that `current` has a dict.

        Two old places are looked at for each new one, oldest first: so there are never more than about twice as many
        as there are greenlets with a dict, at the same price every time.
        """
        self.places.append(_make_reference(current))
        for _ in range(2):
            place = self.places.popleft()
            target = place()
            if target is not None:
                every = _locals_of(target)
                if every is not None and self.key in every:
                    self.places.append(place)

    def __del__(self) -> None:
        while self.places:
            target = self.places.pop()()
            if target is not None:
                _take_out(target, self.key)


class local:
    """An object whose attributes each greenlet sets, sees and deletes for itself.

    A subclass's `__init__` is called once in each greenlet that uses the object, at the first use there, with the
    arguments that the object was made with; without an `__init__` there must be none (TypeError). `__dict__` is the
    current greenlet's; it can be changed, but not assigned. Properties and other descriptors of a subclass work, and
    what they keep in `__slots__` is shared by all greenlets.

    Values are freed when their greenlet ends, or when the object goes. Never switches; any thread. `copy.copy` makes
    another one as this was made, which in the current greenlet begins with a copy of this one's attributes.
    """

    __slots__ = ("__weakref__", "_local_args", "_local_entries", "_local_kwargs")

    def __cinit__(self, *args: Any, **kwargs: Any) -> None:
        if (args or kwargs) and type(self).__init__ is object.__init__:
            raise TypeError("Initialization arguments are not supported")
        self._local_entries = Entries()
        self._local_args = args
        self._local_kwargs = kwargs
        # The greenlet that makes it gets its __init__ called by whoever made the object, as any object does.
        _add_dict(self, getcurrent(), {})

    def __getattribute__(self, name: str) -> Any:
        if not cython.compiled and name in _FIELDS:
            return object.__getattribute__(self, name)
        mine = _dict_here(self)
        if is_text(name, _DICT):
            return mine
        if type(self) is local:
            value = mine.get(name, _MISSING)
            if value is not _MISSING:
                return value
        return get_attribute(self, name, mine)

    def __setattr__(self, name: str, value: object) -> None:
        if not cython.compiled and name in _FIELDS:
            object.__setattr__(self, name, value)
            return
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
        new = type(self)(*self._local_args, **self._local_kwargs)
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
    key = owner._local_entries.key
    raw = None
    if isinstance(current, RawGreenlet):
        raw = as_raw(current)
        # A greenlet mostly uses the same local again. Keys are never reused, so the identity of one is enough.
        # Uncompiled, a finalizer could come between the two that belong together.
        if cython.compiled and raw._local_key is key and raw._local_dict is not None:
            return raw._local_dict
        every = raw._locals
    else:
        every = instance_dict(current)
    if every is not None:
        mine = every.get(key)
        if mine is not None:
            if cython.compiled and raw is not None:
                raw._local_key = key
                raw._local_dict = mine
            return mine
    return _first_use(owner, current)


def _locals_of(target: greenlet) -> dict[str, dict[str, Any]] | None:
    """The dicts of `target`, by key; None if it has none yet, or none any more."""
    if isinstance(target, RawGreenlet):
        return as_raw(target)._locals
    return instance_dict(target)


def _take_out(target: greenlet, key: str) -> None:
    """Free the attributes under `key` in `target`, if it has any."""
    if isinstance(target, RawGreenlet):
        raw = as_raw(target)
        if raw._local_key is key:
            raw._local_key = None
            raw._local_dict = None
    every = _locals_of(target)
    if every is not None:
        every.pop(key, None)


def _first_use(owner: local, current: greenlet) -> dict[str, Any]:
    fresh: dict[str, Any] = {}
    mine = _add_dict(owner, current, fresh)
    kind: Any = type(owner)
    if mine is fresh and kind.__init__ is not object.__init__:
        try:
            kind.__init__(owner, *owner._local_args, **owner._local_kwargs)
        except BaseException:
            _take_out(current, owner._local_entries.key)  # the next use tries again
            raise
    return mine


def _add_dict(owner: local, current: greenlet, fresh: dict[str, Any]) -> dict[str, Any]:
    """Have `fresh` be the attributes of `owner` in `current`, unless a finalizer that ran meanwhile has made some."""
    every: dict[str, dict[str, Any]] = {}
    if isinstance(current, RawGreenlet):
        raw = as_raw(current)
        if raw._locals is None:
            raw._locals = every
        every = raw._locals
    else:
        every = instance_dict(current)
    entries = owner._local_entries
    mine = every.setdefault(entries.key, fresh)
    if mine is fresh:
        entries.note(current)
    return mine


if not cython.compiled:

    def _new(cls: type[local], *args: Any, **kwargs: Any) -> local:
        new = object.__new__(cls)
        local.__cinit__(new, *args, **kwargs)
        return new

    local.__new__ = staticmethod(_new)  # type: ignore[assignment]
