"""The distribution `gevent` as importlib.metadata sees it: a name and a version, for tools that ask for them.

It takes the place of a real gevent that is installed beside, with that one's entry points, which name its own modules.
"""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from pathlib import Path

from hubcore._gevent import names

# Those that gevent declares, so that `gevent[recommended]` in a list of requirements raises no warning.
_EXTRAS = ("dnspython", "docs", "events", "monitor", "recommended", "test")


def metadata(version: str, *requirements: str) -> str:
    """Return the text of METADATA for `version`, with `requirements` beside greenlet."""
    lines = ["Metadata-Version: 2.1", f"Name: {names.NAME}", f"Version: {version}"]
    lines += ["Summary: hubcore in gevent's place", "Requires-Python: >=3.11", "Requires-Dist: greenlet>=3.2"]
    lines += [f"Requires-Dist: {each}" for each in requirements]
    return "\n".join([*lines, *(f"Provides-Extra: {each}" for each in _EXTRAS), ""])


class GeventDistribution(Distribution):
    """It has METADATA and top_level.txt, no entry points and no list of files."""

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        """Return the text of one of its files, or None."""
        name = os.fspath(filename)
        if name == "METADATA":
            return metadata(names.version)
        return f"{names.NAME}\n" if name == "top_level.txt" else None

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Return where `path`, a file of the distribution, would be."""
        return Path(names.FOLDER) / path
