"""Entry points that are called with events: found without importing what finds them, where there are none.

importlib.metadata takes tens of milliseconds to import, and most environments have no such entry points. So the files
that list them (`*.dist-info/entry_points.txt`, by the entry points specification) are searched for the text first.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PREFIX = b"hubcore.plugins."
_found: tuple[tuple[str, ...], bool] | None = None  # for which sys.path it was searched, and whether there are any


def plugins(group: str) -> list[Callable[[Any], object]]:
    """What the entry points of `group` (`hubcore.plugins....`) name, loaded. A failure to load is raised."""
    global _found
    path = tuple(sys.path)
    if _found is None or _found[0] != path:
        _found = (path, any(map(_mentioned_in, path)))
    if not _found[1]:
        return []
    from importlib.metadata import entry_points

    return [point.load() for point in entry_points(group=group)]


def _mentioned_in(folder: str) -> bool:
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return False  # not there, or an archive, in which it is not looked for
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            try:
                with open(os.path.join(folder or ".", name, "entry_points.txt"), "rb") as file:
                    if _PREFIX in file.read():
                        return True
            except OSError:
                pass  # it has none
    return False
