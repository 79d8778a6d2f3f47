"""What holds only under gevent's name, so that hubcore's own programs pay nothing for it.

gipc deletes `hub.threadpool` before it was made, sets `hub._threadpool` in a child, and asks whether the new hub's loop
is the default one. These attributes are slower than hubcore's own, which are read from the hub's dictionary. Tools ask
whether `threading.Thread` is patched, which hubcore leaves alone because it patches what Thread is built on.
"""

from __future__ import annotations

from hubcore import hub as _hub
from hubcore._patching import replace
from hubcore.hub import Hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Deletable:
    """`hub.threadpool` or `hub.resolver`: made at the first use; deleting one that was not made has no effect."""

    def __init__(self, name: str, lazy: Any) -> None:
        self.name, self.lazy = name, lazy

    def __get__(self, hub: Any, owner: type | None = None) -> Any:
        if hub is None:
            return self
        found = hub.__dict__.get(self.name)
        return found if found is not None else self.lazy.__get__(hub, owner)

    def __set__(self, hub: Any, value: Any) -> None:
        hub.__dict__[self.name] = value

    def __delete__(self, hub: Any) -> None:
        hub.__dict__.pop(self.name, None)


class Made(Deletable):
    """`hub._threadpool` or `hub._resolver`: the same, or None if it was not made; None makes it anew when needed."""

    def __get__(self, hub: Any, owner: type | None = None) -> Any:
        return self if hub is None else hub.__dict__.get(self.name)

    def __set__(self, hub: Any, value: Any) -> None:
        if value is None:
            self.__delete__(hub)
        else:
            super().__set__(hub, value)


#: What is patched in gevent with the module that is named last.
_COUNTED = {
    ("threading", "Thread"): "threading",
    ("threading", "Timer"): "threading",
    ("logging", ""): "threading",
    ("os", "fork"): "os",
    ("os", "forkpty"): "os",
    ("subprocess", "call"): "subprocess",
    ("subprocess", "check_call"): "subprocess",
    ("subprocess", "check_output"): "subprocess",
    ("subprocess", "run"): "subprocess",
}


def add() -> None:
    """Let all this hold from now on. A second call has no effect."""
    replace.counted.update(_COUNTED)
    _hub.default_in_main_thread = True
    for name in ("threadpool", "resolver"):
        lazy = vars(Hub)[name]
        if not isinstance(lazy, Deletable):
            setattr(Hub, name, Deletable(name, lazy))
            setattr(Hub, f"_{name}", Made(name, lazy))
