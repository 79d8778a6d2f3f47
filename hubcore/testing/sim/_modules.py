"""Modules of a host's own: packages that are imported anew for each start of its program, so that it shares no globals.

While the program runs, `sys.modules` has its copies, and else what was there before. A function that is the program's
main is looked up in the copy of its module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from types import ModuleType
from typing import Any


def checked_names(modules: Iterable[str]) -> tuple[str, ...]:
    """The names of packages; TypeError, ValueError for what is none."""
    if isinstance(modules, str):
        raise TypeError(f"modules is a list of names, not {modules!r}; for that one it is [{modules!r}]")
    names = tuple(modules)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"a module is given by its name, not by {name!r}")
        if "." in name or not name.isidentifier():
            raise ValueError(
                f"{name!r} is no package that can be a host's own; it takes a top-level name, such as 'app'"
            )
        if name == "hubcore" or name in sys.stdlib_module_names:
            raise ValueError(f"{name!r} cannot be a host's own: all hosts need the same")
    return names


class OwnModules:
    """Those of one process."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._own: dict[str, ModuleType] = {}  # while another process runs
        self._others: dict[str, ModuleType] = {}  # while this one runs
        self._here = False

    def _taken(self) -> dict[str, ModuleType]:
        """Take those modules out of sys.modules."""
        found = {name: each for name, each in sys.modules.items() if name.partition(".")[0] in self._names}
        for name in found:
            del sys.modules[name]
        return found

    def enter(self) -> None:
        """The process goes on."""
        if not self._here:
            self._here = True
            self._others = self._taken()
            sys.modules.update(self._own)

    def leave(self) -> None:
        """Another one goes on."""
        if self._here:
            self._here = False
            self._own = self._taken()
            sys.modules.update(self._others)

    def own(self, function: Callable[..., Any]) -> Any:
        """`function` of the process's copy of its module. Imports that; to be called while the process runs."""
        module = getattr(function, "__module__", "") or ""
        if module.partition(".")[0] not in self._names:
            return function
        found: Any = import_module(module)
        try:
            for name in function.__qualname__.split("."):
                found = getattr(found, name)
        except AttributeError:
            raise ValueError(
                f"{function!r} cannot be found in a copy of {module}: with modules=, a host's program must be a "
                "function that its module has by name"
            ) from None
        return found
