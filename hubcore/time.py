"""The standard library's time module with a `sleep` that lets other greenlets run."""

from __future__ import annotations

import time as _stdlib
from operator import index
from sys import is_finalizing

from hubcore._base.hints import Any
from hubcore._base.main_thread import in_main_thread
from hubcore._base.package import publish_all
from hubcore.hub import get_hub_if_any
from hubcore.hub import sleep as _sleep_in_hub

_sleep = _stdlib.sleep  # the original, also after patching
_LONGEST = 9_000_000_000.0  # seconds; about the longest that the standard library's sleep accepts


def sleep(seconds: float = 0, ref: bool = True) -> None:
    """As time.sleep, with the same errors, but other greenlets run meanwhile. Switches.

    With `ref` False the sleep alone does not keep the loop alive. A thread without a hub, other than the main thread,
    has no greenlets that could run: it blocks.
    """
    number = seconds if isinstance(seconds, float) else _number(seconds)
    # The original raises at once for a value out of bounds.
    if not 0 <= number <= _LONGEST or is_finalizing() or (get_hub_if_any() is None and not in_main_thread()):
        _sleep(number)
    else:
        _sleep_in_hub(number, ref)


class _Real:
    def __float__(self) -> float:
        return 0.0


def _takes_any_real() -> bool:
    """Return whether this Python's sleep accepts objects with `__float__`, as CPython 3.15 and later do."""
    try:
        _sleep(_Real())  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


_ANY_REAL = _takes_any_real()


def _number(seconds: Any) -> float:
    """Return `seconds` as a number. Raise the standard library's own TypeError if it is none."""
    try:
        return index(seconds)
    except TypeError:
        pass
    if not (_ANY_REAL and hasattr(type(seconds), "__float__")):
        _sleep(seconds)
    return float(seconds)


def __getattr__(name: str) -> Any:
    # Read at each access, so that the names of every version of the standard library are here, with current values.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


__implements__: list[str] = ["sleep"]
__all__ = ["sleep"]
__all__ += [name for name in dir(_stdlib) if not name.startswith("_") and name not in __all__]


publish_all(globals())
