"""Which modules of hubcore are compiled: one rule for the build, `hubcore info` and the tests.

A .py with a .pxd of the same name beside it is compiled. A .pxd alone holds declarations that other modules cimport.
A package's `__init__.pxd` makes its folder one to cimport from. The build runs this file without importing hubcore.
"""

from __future__ import annotations

from pathlib import Path


def compiled_modules(package: Path) -> list[str]:
    """The modules that a build compiles, sorted, as names below `package`: `backends.libev`."""
    pairs = (pxd for pxd in package.rglob("*.pxd") if pxd.stem != "__init__" and pxd.with_suffix(".py").exists())
    return sorted(".".join(pxd.relative_to(package).with_suffix("").parts) for pxd in pairs)
