"""The type variables of hubcore's generic classes and functions. Type checkers import it, and `hints` at need."""

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVarTuple

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # part of every type checker
else:
    import sys
    import typing

    def TypeVar(name, *, default=None, **options):
        """typing.TypeVar, without the default before CPython 3.13."""
        if default is not None and sys.version_info >= (3, 13):
            options["default"] = default
        return typing.TypeVar(name, **options)


#: Of classes: `Queue` without an argument is `Queue[Any]`.
T = TypeVar("T", default=Any)
T_co = TypeVar("T_co", covariant=True, default=Any)
T_contra = TypeVar("T_contra", contravariant=True, default=Any)

#: Of functions: parameters, positional arguments alone, result, item, default.
P = ParamSpec("P")
Arguments = TypeVarTuple("Arguments")
R = TypeVar("R")
A = TypeVar("A")
D = TypeVar("D")
