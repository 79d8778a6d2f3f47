"""What compiled modules have from _calls.pxd, for uncompiled runs: calls whose failure is dealt with afterwards."""

from __future__ import annotations

from greenlet import greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

# The error that is set, by thread: an uncompiled run has no other place that survives a return.
_failures: dict[int, BaseException] = {}


def switch_fails(g: greenlet) -> bool:
    """Switch to `g`; whether the caller was resumed by a throw, which `raise_failure` then raises."""
    from _thread import get_ident

    try:
        greenlet.switch(g)  # a Hub has a switch() of its own, which is for programs
    except BaseException as error:
        _failures[get_ident()] = error
        return True
    return False


def call_or(failure: object, callee: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """`callee(*args, **kwargs)`; `failure` if it raised, which `raise_failure` then raises."""
    from _thread import get_ident

    try:
        return callee(*args) if kwargs is None else callee(*args, **kwargs)
    except BaseException as error:
        _failures[get_ident()] = error
        return failure


def raise_failure() -> NoReturn:
    """Raise what the last failed call or switch of this thread raised."""
    from _thread import get_ident

    raise _failures.pop(get_ident())
