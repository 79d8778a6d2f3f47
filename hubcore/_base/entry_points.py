"""Entry points that hubcore calls with events.

Facts: importlib.metadata takes tens of milliseconds to import, and most environments have no such entry points.
Consequence: hubcore first searches the files that list them (`*.dist-info/entry_points.txt`, by the entry points
specification) for the prefix of its groups, and imports importlib.metadata only if it finds it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PREFIX = "hubcore.plugins."
_prefixes = [_PREFIX]  # of groups that are read, in this order, for each group of hubcore's own
_found: tuple[tuple[str, ...], bool] | None = None  # the sys.path that was searched, and whether it has any


def read_also(prefix: str) -> None:
    """From now on read the groups of `prefix` (such as "gevent.plugins.") as well, for hubcore's of the same name."""
    global _found
    if prefix not in _prefixes:
        _prefixes.append(prefix)
        _found = None


def plugins(group: str) -> list[Callable[[Any], object]]:
    """Load and return the objects that the entry points of `group` (`hubcore.plugins....`) name.

    With them come those of the other prefixes that `read_also` has added. An exception of the import propagates.
    """
    global _found
    path = tuple(sys.path)
    if _found is None or _found[0] != path:
        _found = (path, any(map(_mentioned_in, path)))
    if not _found[1]:
        return []
    from importlib.metadata import entry_points

    groups = [prefix + group.removeprefix(_PREFIX) for prefix in _prefixes]
    return [point.load() for each in groups for point in entry_points(group=each)]


def _mentioned_in(folder: str) -> bool:
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return False  # it does not exist, or is an archive, which is not searched
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            try:
                with open(os.path.join(folder or ".", name, "entry_points.txt"), "rb") as file:
                    text = file.read()
                if any(prefix.encode() in text for prefix in _prefixes):
                    return True
            except OSError:
                pass  # this distribution has no entry points
    return False
