"""The standard library's selectors module on `hubcore.select`: a selector's `select` lets other greenlets run.

asyncio's SelectorEventLoop takes one, and then runs in a greenlet while others go on. Everything that is not here is
the standard library's own.
"""

from __future__ import annotations

import selectors as _stdlib

from hubcore import select as _select
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.hub import Hub


# The standard library's classes say by a private class attribute what they are made on; tests/test_selectors.py would
# tell if a version of Python had it no more.


class SelectSelector(_stdlib.SelectSelector):
    """selectors.SelectSelector, cooperatively."""

    _select = staticmethod(_select.select)


class PollSelector(_stdlib.PollSelector):
    """selectors.PollSelector, cooperatively."""

    _selector_cls = _select.poll


_Best: Any = PollSelector
_NativeKqueueSelector: Any = getattr(_stdlib, "KqueueSelector", None)

if hasattr(_stdlib, "EpollSelector"):

    class EpollSelector(_stdlib.EpollSelector):
        """selectors.EpollSelector, cooperatively."""

        _selector_cls = _select.epoll

    _Best = EpollSelector

if _NativeKqueueSelector is not None:

    class KqueueSelector(_NativeKqueueSelector):  # type: ignore[misc]
        """selectors.KqueueSelector, cooperatively."""

        def __init__(self) -> None:
            super().__init__()
            self._selector: Any
            self._selector.close()
            self._selector = _select.kqueue()

    _Best = KqueueSelector


class DefaultSelector(_Best):  # type: ignore[misc]
    """The best selector of the system, cooperatively. `hub` is accepted for gevent's sake: the caller's is used."""

    def __init__(self, hub: Hub | None = None) -> None:
        super().__init__()

    @property
    def hub(self) -> Hub:
        """The calling thread's hub, in which `select` waits."""
        return get_hub()


#: gevent's name.
GeventSelector = DefaultSelector


def __getattr__(name: str) -> Any:
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


#: What `hubcore.monkey` replaces in the standard library's module.
__implements__ = [
    name
    for name in ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector", "KqueueSelector")
    if hasattr(_stdlib, name)
]
__all__ = ["DefaultSelector", "GeventSelector", "PollSelector", "SelectSelector"]
__all__ += [name for name in dir(_stdlib) if name[0].isupper() and name not in __all__]
