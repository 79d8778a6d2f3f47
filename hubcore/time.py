"""The standard library's time module, in which `sleep` lets other greenlets run. The rest is the standard library's."""

from __future__ import annotations

import time as _stdlib
from operator import index
from sys import is_finalizing

from hubcore._main_thread import in_main_thread
from hubcore.hub import get_hub_if_any
from hubcore.hub import sleep as _sleep_in_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_sleep = _stdlib.sleep  # the original, whatever the module has later
_LONGEST = 9_000_000_000.0  # seconds; what is above is too much for the standard library as well, or nearly


def sleep(seconds: float = 0, ref: bool = True) -> None:
    """As time.sleep, which for what it does not take has the same errors: other greenlets run meanwhile. Switches.

    With `ref` False the sleep alone does not keep the loop alive. A thread without a hub, other than the main thread,
    has no greenlets that could run, and sleeps as a whole.
    """
    number = seconds if isinstance(seconds, float) else index(seconds)
    # What is out of bounds is an error there, and comes out at once.
    if not 0 <= number <= _LONGEST or is_finalizing() or (get_hub_if_any() is None and not in_main_thread()):
        _sleep(number)
    else:
        _sleep_in_hub(number, ref)


def __getattr__(name: str) -> Any:
    # Not copied, so that what the standard library has is there, whatever the version, and stays its own.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


__implements__ = ["sleep"]
__all__ = ["sleep"]
__all__ += [name for name in dir(_stdlib) if not name.startswith("_") and name not in __all__]
