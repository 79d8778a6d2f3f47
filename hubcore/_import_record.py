"""Who imported a module first: recorded if asked for in time, else told from who has it.

`hubcore doctor` records. Otherwise a module counts as imported by the first one that has it, or something of it, among
its attributes.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The module that imported it, by a module's name.
imported_by: dict[str, str] = {}
_LONGEST = 8


class Recorder:
    """Stands first in sys.meta_path, finds nothing, and notes who asks."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Note who imports `name`."""
        frame = sys._getframe(1)
        while frame is not None:
            importer = frame.f_globals.get("__name__", "")
            if (
                importer
                and importer.partition(".")[0] not in ("importlib", "_frozen_importlib")
                and importer != __name__
            ):
                imported_by.setdefault(name, importer)
                return
            if frame.f_back is None:
                return
            frame = frame.f_back


def start() -> None:
    """Record from now on. Done again, it changes nothing."""
    if not any(isinstance(finder, Recorder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Recorder())


def chain(module: str) -> str:
    """How `module` came to be imported, in words, from the outside in; "" if that is not known."""
    names = [module]
    while len(names) < _LONGEST:
        importer = imported_by.get(names[0]) or _holder(names[0])
        if not importer or importer in names:
            break
        names.insert(0, importer)
    return f"imported by {' -> '.join(names)}" if len(names) > 1 else ""


def _holder(module: str) -> str:
    if module == "__main__":
        return ""
    wanted = sys.modules.get(module)
    parent = module.rpartition(".")[0]
    for name, other in list(sys.modules.items()):
        if other is wanted or name == parent or not isinstance(other, ModuleType):
            continue
        for value in list(vars(other).values()):
            if value is wanted or (not isinstance(value, ModuleType) and getattr(value, "__module__", None) == module):
                return name
    return ""
