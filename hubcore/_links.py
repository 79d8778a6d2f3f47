"""Links that run their callback in a greenlet of its own, where it may wait.

A link equals its callback, so that `unlink(callback)` finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubcore._scheduler import RawGreenlet
from hubcore.hub import get_hub

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class SpawnedLink:
    """Calls `callback(source)` in a new greenlet."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[Any], object]) -> None:
        self.callback = callback

    def __call__(self, source: Any) -> None:
        hub = get_hub()
        hub.schedule(RawGreenlet(hub, self.callback, (source,)))

    def __hash__(self) -> int:
        return hash(self.callback)

    def __eq__(self, other: object) -> bool:
        return self.callback == getattr(other, "callback", other)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.callback!r}>"


class SuccessSpawnedLink(SpawnedLink):
    """Only if `source` was successful."""

    __slots__ = ()

    def __call__(self, source: Any) -> None:
        if source.successful():
            super().__call__(source)


class FailureSpawnedLink(SpawnedLink):
    """Only if `source` failed."""

    __slots__ = ()

    def __call__(self, source: Any) -> None:
        if not source.successful():
            super().__call__(source)
