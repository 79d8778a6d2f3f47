"""Callbacks that run when a module is imported: for patches of modules that most programs never import."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    Call = Callable[[Any], object]

_waiting: dict[str, Call] = {}  # kept until an import succeeds: finding a spec is not yet an import
_every_time: dict[str, Call] = {}
_looking: list[str] = []  # modules for which the other finders are being asked


def after_import(name: str, call: Call) -> None:
    """Call `call(module)` once the module `name` is imported: now, if it is already. One callback for each name."""
    module = sys.modules.get(name)
    if module is not None:
        call(module)
        return
    _waiting[name] = call
    _be_asked()


def after_every_import(name: str, call: Call) -> None:
    """Call `call(module)` now if the module `name` is imported, and again after each new import of it."""
    module = sys.modules.get(name)
    if module is not None:
        call(module)
    _every_time[name] = call
    _be_asked()


def _be_asked() -> None:
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


class _Finder:
    """Asks the other finders, and wraps the loader of a module that has a callback."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if (name not in _waiting and name not in _every_time) or name in _looking:
            return None
        from importlib.util import find_spec

        _looking.append(name)
        try:
            spec = find_spec(name)
        finally:
            _looking.remove(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """A module's own loader, followed by the callbacks."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module with its own loader."""
        spec.loader = self._loader  # the module's own loader must find itself in the spec
        module: ModuleType | None = self._loader.create_module(spec)
        spec.loader = self  # type: ignore[assignment]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module with its own loader, then call the callbacks."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        for call in (_waiting.pop(module.__name__, None), _every_time.get(module.__name__)):
            if call is not None:
                call(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


_finder = _Finder()
