"""The standard library's selectors module on `hubcore.select`: a selector's `select` lets other greenlets run.

An asyncio SelectorEventLoop with such a selector runs in one greenlet while other greenlets go on. Every other name is
the standard library's own.
"""

from __future__ import annotations

import selectors as _stdlib

from hubcore import select as _select
from hubcore._base.hints import Any
from hubcore.hub import get_hub

TYPE_CHECKING = False

if TYPE_CHECKING:
    from hubcore.hub import Hub


# A private class attribute of the standard library's classes names the object underneath; tests/io/test_selectors.py
# fails if a version of Python no longer has it.


class SelectSelector(_stdlib.SelectSelector):
    """selectors.SelectSelector, made cooperative."""

    _select = staticmethod(_select.select)


class PollSelector(_stdlib.PollSelector):
    """selectors.PollSelector, made cooperative."""

    _selector_cls = _select.poll


_Best: Any = PollSelector
_NativeKqueueSelector: Any = getattr(_stdlib, "KqueueSelector", None)

if hasattr(_stdlib, "EpollSelector"):

    class EpollSelector(_stdlib.EpollSelector):
        """selectors.EpollSelector, made cooperative."""

        _selector_cls = _select.epoll

    _Best = EpollSelector

if _NativeKqueueSelector is not None and not TYPE_CHECKING:

    class KqueueSelector(_NativeKqueueSelector):
        """selectors.KqueueSelector, made cooperative."""

        def __init__(self) -> None:
            super().__init__()
            self._selector: Any
            self._selector.close()
            self._selector = _select.kqueue()

    _Best = KqueueSelector


if TYPE_CHECKING:
    from selectors import DefaultSelector as _Base
else:
    _Base = _Best


class DefaultSelector(_Base):
    """The system's best selector, made cooperative.

    `hub` is accepted for compatibility with gevent and ignored: `select` waits in the hub of the calling thread.
    """

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


#: The names that `hubcore.monkey` replaces in the standard library's module.
__implements__: list[str] = [
    name
    for name in ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector", "KqueueSelector")
    if hasattr(_stdlib, name)
]
__all__ = ["DefaultSelector", "GeventSelector", "PollSelector", "SelectSelector"]
__all__ += [name for name in dir(_stdlib) if name[0].isupper() and name not in __all__]
