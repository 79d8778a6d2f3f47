"""Models of what a service is to be: what an operation does to the state, and what it may have returned.

A model has `init`, the state at the beginning, and `step(state, operation, argument, result)`, which returns whether
the result is right in that state, and the state afterwards; states can be hashed. The result of an operation that may
have happened, and whose answer no client got, is UNKNOWN: it is right. `argument` is what was given: the one argument,
or a tuple of several, or None.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:

    class Model(Protocol):
        """What `History.check` takes."""

        init: Hashable

        def step(self, state: Any, operation: str, argument: Any, result: Any) -> tuple[bool, Hashable]: ...


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = _Unknown()


def _agrees(result: Any, expected: Any) -> bool:
    return result is UNKNOWN or bool(result == expected)


def _no_such(model: object, operation: str, known: str) -> ValueError:
    return ValueError(f"{type(model).__name__} has no operation {operation!r}; it has {known}")


class Register:
    """One value: "read", and "write" with the value."""

    def __init__(self, initial: Hashable = None) -> None:
        self.init = initial

    def step(self, state: Any, operation: str, argument: Any, result: Any) -> tuple[bool, Any]:
        """See the module's text."""
        if operation == "read":
            return _agrees(result, state), state
        if operation == "write":
            return True, argument
        raise _no_such(self, operation, "'read' and 'write'")


class CasRegister(Register):
    """As Register, and "cas" with the old value and the new one: True if it was the old one, and is the new one now."""

    def step(self, state: Any, operation: str, argument: Any, result: Any) -> tuple[bool, Any]:
        """See the module's text."""
        if operation != "cas":
            if operation not in ("read", "write"):
                raise _no_such(self, operation, "'read', 'write' and 'cas'")
            return super().step(state, operation, argument, result)
        old, new = argument
        fits = state == old
        return _agrees(result, fits), new if fits else state


class Counter:
    """A number: "read", and "add" with what is added, which returns the new value, or None where nobody asks."""

    def __init__(self, initial: int = 0) -> None:
        self.init = initial

    def step(self, state: Any, operation: str, argument: Any, result: Any) -> tuple[bool, Any]:
        """See the module's text."""
        if operation == "read":
            return _agrees(result, state), state
        if operation == "add":
            new = state + (1 if argument is None else argument)
            return result is None or _agrees(result, new), new
        raise _no_such(self, operation, "'read' and 'add'")


class KeyValue:
    """Values by key: "get" with the key, "put" with key and value, "delete" with the key, "cas" with key, old, new.

    What is not there is None. Each key is checked by itself.
    """

    init = None

    def key(self, operation: str, argument: Any) -> Any:
        """The key that an operation is about."""
        return argument if operation in ("get", "delete") else argument[0]

    def step(self, state: Any, operation: str, argument: Any, result: Any) -> tuple[bool, Any]:
        """See the module's text; `state` is the key's value."""
        if operation == "get":
            return _agrees(result, state), state
        if operation == "put":
            return True, argument[1]
        if operation == "delete":
            return True, None
        if operation == "cas":
            fits = state == argument[1]
            return _agrees(result, fits), argument[2] if fits else state
        raise _no_such(self, operation, "'get', 'put', 'delete' and 'cas'")
