"""The rule which modules of hubcore are compiled: one for the build, `hubcore info` and the tests.

A .py with a .pxd of the same name beside it is compiled. A .pxd alone holds declarations that other modules cimport.
An `__init__.pxd` lets modules cimport from its folder. The build runs this file without importing hubcore.
"""

from __future__ import annotations

from pathlib import Path


def compiled_modules(package: Path) -> list[str]:
    """Return the modules that a build compiles, sorted, as names below `package`, such as `backends.libev`."""
    pairs = (pxd for pxd in package.rglob("*.pxd") if pxd.stem != "__init__" and pxd.with_suffix(".py").exists())
    return sorted(".".join(pxd.relative_to(package).with_suffix("").parts) for pxd in pairs)
