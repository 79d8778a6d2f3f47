"""The first importer of a module: recorded, if recording started before the import, and otherwise inferred.

`hubcore doctor` records. Otherwise the importer is the first module that has the module, or one of its objects, among
its attributes.
"""

from __future__ import annotations

import sys
from types import ModuleType

from hubcore._patching.existing import raw_access as _raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: The name of the importing module, by the name of the imported one.
imported_by: dict[str, str] = {}
_LONGEST = 8


class Recorder:
    """A finder, first in sys.meta_path, that finds no module but records the importing one."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Record the module that imports `name`."""
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
    """Record imports from now on. A second call does nothing."""
    if not any(isinstance(finder, Recorder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Recorder())


def chain(module: str) -> str:
    """Return the chain of imports that led to `module`, as text, outermost first; "" if it is not known."""
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
        if other is wanted or name == parent or not _raw.is_a(other, ModuleType):
            continue
        for value in list(_raw.globals_of(other).values()):
            if value is wanted or (not _raw.is_a(value, ModuleType) and _raw.module_of(value) == module):
                return name
    return ""
