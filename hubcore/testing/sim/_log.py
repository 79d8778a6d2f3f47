"""The log of a run: what happened, when and on which host; and its digest, by which two runs are compared.

The digest is over times, hosts, kinds and sizes, never over contents or reprs: what TLS sends differs from run to run,
and addresses of objects from process to process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any, NamedTuple

from hubcore.testing.sim._perfetto import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

KEPT = 100_000  # events; older ones are forgotten
_BATCH = 500  # events that are hashed at once


class LogEvent(NamedTuple):
    """One event of a run."""

    time: float  #: virtual seconds since the run began
    host: str  #: where; "" for the world as a whole
    kind: str  #: "send", "receive", "drop", "connect", "kill", "print" and so on
    size: int  #: bytes, where that means something
    text: str  #: the rest, for people

    def __str__(self) -> str:
        size = f" {self.size} bytes" if self.size else ""
        return f"{self.time:.4f} {self.host:<8} {self.kind} {self.text}{size}"


class Log:
    """The events of a run, the newest 100,000 of them; iterating gives them, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._events: deque[LogEvent] = deque(maxlen=kept)
        self._hash = sha256()
        self._unhashed: list[tuple[Any, ...]] = []
        self.count: int = 0  #: events of the digest so far, those that are not shown among them
        #: Where it is set: called with each event of the digest and its number.
        self.watcher: Callable[[int, tuple[Any, ...]], None] | None = None

    def add(self, time: float, host: str, kind: str, size: int = 0, text: str = "") -> None:
        """An event that is shown and counts for the digest."""
        self._events.append(LogEvent(time, host, kind, size, text))
        self.step(time, host, kind, size)

    def show(self, time: float, host: str, kind: str, text: str) -> None:
        """An event that is shown only."""
        self._events.append(LogEvent(time, host, kind, 0, text))

    def step(self, time: float, host: str, kind: str, size: int = 0) -> None:
        """An event that counts for the digest only."""
        event = (time, host, kind, size)
        self._unhashed.append(event)
        self.count += 1
        if self.watcher is not None:
            self.watcher(self.count, event)
        if len(self._unhashed) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._hash.update(repr(self._unhashed).encode())
        self._unhashed.clear()

    @property
    def digest(self) -> str:
        """The digest of all events so far, as hexadecimal digits."""
        found = self._hash.copy()
        if self._unhashed:
            found.update(repr(self._unhashed).encode())
        # In batches of a fixed size, so that the digest does not depend on when it was asked for.
        return found.hexdigest()

    def tail(self, count: int = 40) -> list[str]:
        """The last `count` events as lines."""
        events = list(self._events)
        return [str(event) for event in events[-count:]]

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the events as a trace for Perfetto: hosts are processes, packets are arrows. OSError as for a file."""
        write(self._events, path)

    def __iter__(self) -> Iterator[LogEvent]:
        return iter(tuple(self._events))

    def __len__(self) -> int:
        return len(self._events)

    def __repr__(self) -> str:
        return f"<Log of {self.count} events>"
