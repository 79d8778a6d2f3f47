"""HUBCORE_PURE=1: load hubcore's Python source even if a built extension lies beside it.

For debugging and for branch coverage. The backends libev and libuv exist only compiled, so they are then unavailable.
"""

from __future__ import annotations

import sys
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


class _SourceOnly:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a hubcore module's source; None for every other module."""
        if not name.startswith("hubcore."):
            return None
        for entry in path or ():
            spec = FileFinder(entry, (SourceFileLoader, [".py"])).find_spec(name)
            if spec is not None:
                return spec
        return None


def prefer_source() -> None:
    """Load hubcore's modules uncompiled from now on. Call it before any compiled module is loaded."""
    if _SourceOnly not in sys.meta_path:
        sys.meta_path.insert(0, _SourceOnly)
