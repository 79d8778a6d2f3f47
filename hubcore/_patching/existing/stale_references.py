"""Finds stale references: those to originals of the standard library that modules took before the patch.

`from time import sleep`, run before the patch, leaves the original in the importing module, and a patch of `time` does
not change that. The same holds for a class derived from an original, a default of a function, a closure, an item of a
table, and objects made before the patch. The search walks through all modules, and runs no code of the objects that it
meets (`raw_access`).
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType

from hubcore._base.originals import original, saved
from hubcore._patching import import_origins as _import_origins
from hubcore._patching.existing import raw_access as _raw
from hubcore._patching.existing.referrers import find_referrers
from hubcore._patching.modules import counterparts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    Put = Callable[[Any], object]

_DEEPEST = 5  # levels of tables in instances in tables ...
_LONGEST = 10_000  # items of one table
_OURS = ("hubcore", "greenlet", "cython", "__mp_main__")
_ATOMS = frozenset(id(kind) for kind in (str, bytes, int, float, complex, bool, type(None)))


class Stale:
    """A reference to `original` ("time.sleep") that `module` holds; `kind` is the verb between `where` and `original`.

    `put` replaces the reference, or is None if it cannot be replaced. `how` is the chain of imports that led to
    `module`, or "" if it is unknown.
    """

    __slots__ = ("how", "kind", "module", "new", "original", "put", "where")

    def __init__(
        self, where: str, kind: str, module: str, original: str, put: Put | None = None, new: Any = None
    ) -> None:
        self.where = where
        self.kind = kind
        self.module = module
        self.original = original
        self.put = put
        self.new = new
        self.how = ""

    def __str__(self) -> str:
        return f"{self.where} {self.kind} {self.original}"


def find() -> list[Stale]:
    """Return all stale references, in the order of the modules' import. Changes nothing; never switches."""
    return _search().found


def _search() -> _Search:
    search = _Search(counterparts())
    for name, module in list(sys.modules.items()):
        if _raw.is_a(module, ModuleType) and _is_looked_at(name, module):
            search.module(name, module)
    for each in search.found:
        each.how = _import_origins.chain(each.module)
    return search


def everything() -> list[Stale]:
    """Return the results of `find`, `locks` and `queues`; a lock appears once, as `locks` reports it, with a reason."""
    left = locks()
    listed = {where for each in left for where in each.where.split(", ")}
    search = _search()
    found = [each for each in search.found if each.kind != "is an instance of" or each.where not in listed]
    return found + left + queues(search.instances)


def report(found: list[Stale]) -> list[str]:
    """Return the report's lines: the references `found`, by module, and the remedy."""
    many = f"{len(found)} references" if len(found) != 1 else "1 reference"
    lines = [f"{many} to blocking originals, made before the patch:"]
    modules: dict[str, list[Stale]] = {}
    for each in found:
        modules.setdefault(each.module, []).append(each)
    for module, those in modules.items():
        how = next((each.how for each in those if each.how), "")
        lines.append(f"  {module or '?'}{f', {how}' if how else ''}")
        lines += [f"    {each}" for each in those]
    lines.append("Patch before the program imports these modules: `hubcore run PROGRAM` does that.")
    mendable = sum(each.put is not None for each in found)
    if mendable:
        count = "all" if mendable == len(found) else str(mendable)
        lines.append(f"patch_all(rebind=True) replaces {count} of them in place.")
    return lines


def apply(strict: bool = False, rebind: bool = False) -> None:
    """With `rebind`, replace the references that can be set; with `strict`, raise StaleReferences if any are left."""
    if rebind:
        for each in find():
            if each.put is not None:
                each.put(each.new)
    if strict:
        found = everything()
        if found:
            from hubcore.exceptions import StaleReferences

            raise StaleReferences("\n".join(report(found)), found)


def locks() -> list[Stale]:
    """Return the native locks that programs and libraries made before the patch and that could not be replaced."""
    if "threading" not in saved:
        return []
    from hubcore._patching.threads import left_locks

    found = []
    for lock in left_locks():
        module = _module_of(lock.where[0])
        if not _is_outside(module.partition(" ")[0]):
            continue
        each = Stale(", ".join(lock.where), "is", module, "a native lock made before the patch")
        each.original += f" ({lock.reason})"
        found.append(each)
    return found


def queues(reported: Container[int] = ()) -> list[Stale]:
    """Return the native SimpleQueues that were made before the patch, unless their id() is in `reported`."""
    if "queue" not in saved:
        return []
    found = []
    for each in find_referrers({original("queue", "SimpleQueue")}):
        if each.ours:
            continue
        # The owner of a tuple or a deque that holds it is unknown.
        places = [where for where in each.where if not where.startswith("in a ")] or each.where
        places = [where for where in places if _is_outside(_module_of(where))]
        if places and id(each.object) not in reported:
            what = "a native SimpleQueue made before the patch, whose get() blocks the whole thread"
            found.append(Stale(", ".join(places), "is", _module_of(places[0]), what))
    return found


def _module_of(where: str) -> str:
    """Return the module in a text such as `package.module.Class object: name`, or ""."""
    module = where.partition(" ")[0]
    while module and module not in sys.modules:
        module = module.rpartition(".")[0]
    return module


def _is_outside(module: str) -> bool:
    """Return whether `module` belongs neither to the standard library nor to hubcore."""
    top = module.partition(".")[0]
    return top not in sys.stdlib_module_names and top not in _OURS


def _is_looked_at(name: str, module: ModuleType) -> bool:
    # A module may have two names in sys.modules, such as os.path; the search takes it under its own.
    return (_is_outside(name) or name == "__main__") and _raw.module_of(module) in (name, "__main__")


class _Search:
    """One walk through modules. `targets` has the originals by id(): the object, its replacement and its name."""

    def __init__(self, targets: dict[int, tuple[Any, Any, str]]) -> None:
        self.targets = targets
        self.found: list[Stale] = []
        self.instances: set[int] = set()  # the id() of each object found because of its class
        self._seen: set[int] = {id(vars(sys)), id(sys.modules), id(saved)}
        self._module = ""

    def module(self, name: str, module: ModuleType) -> None:
        self._module = name
        names = _raw.globals_of(module)
        for attribute, value in list(names.items()):
            if type(attribute) is str and not attribute.startswith("__"):
                self.value(value, f"{name}.{attribute}", lambda new, a=attribute: names.__setitem__(a, new), 0)  # type: ignore[misc]

    def value(self, value: Any, where: str, put: Put | None, depth: int) -> None:
        """Inspect `value`, found at `where`; `put` replaces it there."""
        target = self.targets.get(id(value))
        if target is not None and target[0] is value:
            self.add(where, "is", target, put)
            return
        kind = type(value)
        if id(kind) in _ATOMS or kind is ModuleType or id(value) in self._seen or depth > _DEEPEST:
            return
        self._seen.add(id(value))
        if kind is FunctionType:
            self.function(value, where, depth)
        elif issubclass(kind, type):
            self.cls(value, where, depth)
        elif issubclass(kind, dict):
            self.items(list(dict.items(value))[:_LONGEST], dict.__setitem__, value, where, depth)
        elif issubclass(kind, list):
            items = list(enumerate(list.__getitem__(value, slice(_LONGEST))))
            self.items(items, list.__setitem__, value, where, depth)
        elif issubclass(kind, tuple):
            for i, item in enumerate(tuple.__getitem__(value, slice(_LONGEST))):
                self.value(item, f"{where}[{i}]", None, depth + 1)
        elif issubclass(kind, (set, frozenset)):
            iterate = set.__iter__ if issubclass(kind, set) else frozenset.__iter__
            for item in list(iterate(value))[:_LONGEST]:
                self.value(item, f"an item of {where}", None, depth + 1)
        elif kind is staticmethod or kind is classmethod:
            self.value(value.__func__, where, None, depth)
        elif kind is property:
            for function in (value.fget, value.fset, value.fdel):
                self.value(function, where, None, depth)
        else:
            self.instance(value, where, depth)

    def add(self, where: str, kind: str, target: tuple[Any, Any, str], put: Put | None = None) -> None:
        self.found.append(Stale(where, kind, self._module, target[2], put, target[1]))

    def items(
        self, items: list[tuple[Any, Any]], put: Callable[..., object], holder: Any, where: str, depth: int
    ) -> None:
        for key, item in items:
            text = f"{where}[{key!r:.60}]" if id(type(key)) in _ATOMS else f"an item of {where}"
            self.value(item, text, lambda new, k=key: put(holder, k, new), depth + 1)  # type: ignore[misc]

    def function(self, function: Any, where: str, depth: int) -> None:
        if not self.is_here(function):
            return
        for i, value in enumerate(function.__defaults__ or ()):
            self.value(value, f"a default of {where}()", lambda new, i=i: _set_default(function, i, new), depth + 1)  # type: ignore[misc]
        for name, value in (function.__kwdefaults__ or {}).items():
            set_default = lambda new, n=name: function.__kwdefaults__.__setitem__(n, new)  # noqa: E731
            self.value(value, f"the default of {name} of {where}()", set_default, depth + 1)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:
                continue  # the cell is empty
            if name != "__class__":
                set_cell = lambda new, c=cell: setattr(c, "cell_contents", new)  # noqa: E731
                self.value(value, f"{name}, a variable of {where}()", set_cell, depth + 1)
        self.value(getattr(function, "__wrapped__", None), where, None, depth)

    def cls(self, cls: type, where: str, depth: int) -> None:
        if not self.is_here(cls):
            return
        for base in _raw.bases_of(cls):
            target = self.targets.get(id(base))
            if target is not None:
                self.add(where, "derives from", target)
        for name, value in list(_raw.names_of(cls).items()):
            if name in ("__dict__", "__weakref__", "__doc__", "__module__"):
                continue
            old = value.__func__ if type(value) is staticmethod else value
            set_it = lambda new, n=name, v=value: type.__setattr__(cls, n, staticmethod(new) if v is not old else new)  # noqa: B023, E731
            self.value(old, f"{where}.{name}", set_it, depth + 1)

    def instance(self, value: Any, where: str, depth: int) -> None:
        target = self.targets.get(id(type(value)))
        if target is not None:
            self.add(where, "is an instance of", target)
            self.instances.add(id(value))
            return
        attributes = _raw.attributes_of(value)
        if attributes is not None and _raw.module_of(type(value)):
            for name, item in list(attributes.items())[:_LONGEST]:
                set_it = lambda new, n=name: attributes.__setitem__(n, new)  # noqa: E731
                self.value(item, f"{where}.{name}", set_it, depth + 1)

    def is_here(self, thing: Any) -> bool:
        """Return whether a module in the search defines the class or function; that module reports it."""
        module = _raw.module_of(thing)
        return module != "" and (_is_outside(module) or module == "__main__")


def _set_default(function: Any, index: int, new: Any) -> None:
    defaults = list(function.__defaults__)
    defaults[index] = new
    function.__defaults__ = tuple(defaults)
