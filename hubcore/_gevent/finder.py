"""The finder that answers every import of `gevent` and of its modules. It stands first in `sys.meta_path`.

`gevent.X` is the module `hubcore.X` itself, one object under two names. Fact: the import system sets `__spec__` on
what a loader's `create_module` returns, and takes the module from `sys.modules` once `exec_module` has returned.
Consequence: a new module is its placeholder, and `exec_module` puts hubcore's in its place, which so keeps its own
`__spec__`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

from hubcore._gevent import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.metadata import Distribution, DistributionFinder
    from types import CodeType
    from typing import Any


class Finder:
    """Finds `gevent`, its modules, and its distribution."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of `gevent`; None for others. ModuleNotFoundError if there is none."""
        if name == names.NAME:
            loader: Any = PackageLoader()
            spec = ModuleSpec(name, loader, origin=names.FILE, is_package=True)
            spec.submodule_search_locations = [names.FOLDER]
            spec.has_location = True
            return spec
        if not name.startswith(names.NAME + "."):
            return None
        own = own_name(name)
        found = find_spec(own)
        if found is None:
            raise _absent(name)
        alias: Any = AliasLoader()  # importlib.abc.Loader, which it would derive from, imports a third of the library
        spec = ModuleSpec(name, alias, origin=found.origin)
        spec.submodule_search_locations = found.submodule_search_locations
        return spec

    def find_distributions(self, context: DistributionFinder.Context) -> Iterator[Distribution]:
        """Yield the distribution `gevent`, for importlib.metadata, if `context` asks for it or for all."""
        if context.name is None or context.name.lower() == names.NAME:
            from hubcore._gevent.distribution import GeventDistribution

            yield GeventDistribution()

    def invalidate_caches(self) -> None:
        """There is none."""


class PackageLoader:
    """Loads `gevent`: always the same module object, also after a program has removed it from `sys.modules`."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the package."""
        from hubcore._gevent.package import package

        return package

    def exec_module(self, module: ModuleType) -> None:
        """Fill the package."""
        from hubcore._gevent.package import fill

        sys.path_importer_cache[names.FOLDER] = Listing()
        fill(module)

    def is_package(self, name: str) -> bool:
        """It is one."""
        return True


class Listing:
    """The finder of `gevent.__path__`, by which pkgutil lists the modules."""

    def find_spec(self, name: str, target: ModuleType | None = None) -> None:
        """Find nothing: the Finder has been asked before."""

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """Yield the name of each module of the package, with `prefix`, and whether it is a package."""
        for name in sorted(names.MODULES):
            if "." not in name:
                yield prefix + name, name == "resolver"


class AliasLoader:
    """Loads a module of `gevent`: that of hubcore. The other methods are for `python -m gevent.monkey`."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to the import system; the module is a placeholder."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Put hubcore's module in the place of `module`."""
        name = module.__name__
        sys.modules[name] = import_module(own_name(name))

    def is_package(self, name: str) -> bool:
        """Whether hubcore's module is a package."""
        spec = find_spec(own_name(name))
        return spec is not None and spec.submodule_search_locations is not None

    def get_code(self, name: str) -> CodeType | None:
        """Return the code of hubcore's module, or None if it is compiled."""
        own = own_name(name)
        spec = find_spec(own)
        get_code = getattr(spec and spec.loader, "get_code", None)
        code: CodeType | None = get_code(own) if get_code is not None else None
        return code

    def get_filename(self, name: str) -> str:
        """Return the file of hubcore's module."""
        spec = find_spec(own_name(name))
        if spec is None or spec.origin is None:
            raise _absent(name)
        return spec.origin


def own_name(name: str) -> str:
    """Return the name of the module of hubcore that is `name`, such as "gevent.event". ModuleNotFoundError if none."""
    own = names.MODULES.get(name.removeprefix(names.NAME + "."))
    if own is None:
        raise _absent(name)
    return own


def _absent(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"{name}: hubcore stands in for gevent and has no such module; see docs/gevent.md", name=name
    )
