"""Room for a number of requests at a time, for servers that need no Pool: it costs a request next to nothing."""

from __future__ import annotations

from hubcore._sync.locks import room_for
from hubcore.greenlet import Greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Room:
    """What a WSGIServer takes for `spawn` in order to run `size` requests at a time; others wait in order."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._room = room_for(size)
        self.spawn = Greenlet.spawn

    def add(self, greenlet: Any) -> None:
        """A request begins. Switches while there is no room."""
        self._room.acquire()

    def discard(self, greenlet: Any) -> None:
        """A request is over."""
        self._room.release()

    def full(self) -> bool:
        """Whether no more could run now."""
        return self._room.locked()

    def wait_available(self, timeout: float | None = None) -> int:
        """Wait until one more could run; how many. Switches unless one could."""
        return self._room.wait(timeout)
