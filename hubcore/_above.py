"""What a hub offers and does not need: it is built on hubs, so a hub imports it by name, when it is asked for.

These are the only imports that lead upward; tests/test_layers.py lists them.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def from_above(module: str, name: str) -> Any:
    """`name` of the module `hubcore.<module>`."""
    return getattr(import_module(f"hubcore.{module}"), name)


class Offer:
    """An attribute that is `make(hub)` from the first use on; may be set and deleted. `make` comes from above."""

    def __init__(self, module: str, make: str) -> None:
        self._module = module
        self._make = make
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, hub: Any, owner: type | None = None) -> Any:
        if hub is None:
            return self
        # Not defining __set__, it stands back for what is in the hub's own dict.
        value = hub.__dict__[self._name] = from_above(self._module, self._make)(hub)
        return value
