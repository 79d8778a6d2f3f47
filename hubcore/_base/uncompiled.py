"""What the compiled modules take from Cython's module `cython`, for runs of their source by Python.

A program never needs Cython: the build replaces the import of this module by that of Cython's own
(tools/cython_additions.py), and uncompiled modules get these stand-ins, which do nothing.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    Function = TypeVar("Function", bound=Callable[..., Any])
    T = TypeVar("T")

#: Whether the module that asks is compiled.
compiled: bool = False
#: The pointer to nothing.
NULL: Any = None


def not_built(module: str, library: str = "", package: str = "") -> ImportError:
    """Return the error of a module that exists only compiled, and what to do; Debian's `package` has the `library`."""
    if os.environ.get("HUBCORE_PURE") == "1":
        return ImportError(f"{module} exists only compiled, and HUBCORE_PURE=1 leaves compiled modules out")
    need = f"install {library}'s headers (Debian: apt-get install {package})" if library else "install a C compiler"
    return ImportError(
        f"{module} is not built; {need} and build hubcore again: pip install --force-reinstall --no-cache-dir "
        "--no-binary hubcore hubcore (in a checkout: pip install .)"
    )


if TYPE_CHECKING:

    @overload
    def cast(kind: type[T], value: object, typecheck: bool = ...) -> T: ...
    @overload
    def cast(kind: object, value: object, typecheck: bool = ...) -> Any: ...
    def cast(kind: Any, value: Any, typecheck: bool = False) -> Any:
        """Return `value`."""

else:

    def cast(kind, value, typecheck=False):
        """Return `value`."""
        return value


def pointer(kind: object) -> Any:
    """Return `kind`."""
    return kind


def locals(**kinds: object) -> Callable[[Function], Function]:
    """Return a decorator that changes nothing."""
    return _as_it_is


def binding(on: bool) -> Callable[[Function], Function]:
    """Return a decorator that changes nothing."""
    return _as_it_is


def boundscheck(on: bool) -> Callable[[Function], Function]:
    """Return a decorator that changes nothing."""
    return _as_it_is


def wraparound(on: bool) -> Callable[[Function], Function]:
    """Return a decorator that changes nothing."""
    return _as_it_is


def _as_it_is(function: Function) -> Function:
    return function
