"""Attributes of Hub that are implemented on top of hubs, loaded at first use.

These are the only imports that lead upward; tests/architecture/test_layers.py lists them.
"""

from __future__ import annotations

from importlib import import_module

from hubcore._base.hints import Any, Generic, Self, T

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload


def load(target: str) -> Any:
    """The object that `target` names, in the form of an entry point: `package.module:name`."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


class LazyAttribute(Generic["T"]):
    """An attribute of a hub that is `make(hub)` from the first use on; it can be set and deleted.

    `target` names `make` in the form of an entry point.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    if TYPE_CHECKING:  # the hub's own dict takes it

        def __set__(self, hub: Any, value: T) -> None: ...
        def __delete__(self, hub: Any) -> None: ...

    if TYPE_CHECKING:

        @overload
        def __get__(self, hub: None, owner: type | None = None) -> Self: ...
        @overload
        def __get__(self, hub: Any, owner: type | None = None) -> T: ...

    def __get__(self, hub: Any, owner: type | None = None) -> Any:
        if hub is None:
            return self
        # Without __set__ a descriptor gives way to the hub's own dict, so this runs once for each hub.
        value = hub.__dict__[self._name] = load(self._target)(hub)
        return value
