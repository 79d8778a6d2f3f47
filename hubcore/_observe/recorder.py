"""The recorder: what every greenlet does, as records in memory, with no Python call at a switch.

One recording at a time. Each hub writes a ring of its own; the observers of later hubs get theirs when they are made.
When it stops, `dump` resolves texts and code to places, and the writers make a file of it.
"""

from __future__ import annotations

import os
import sys
from base64 import b64encode

from greenlet import getcurrent

from hubcore._base.originals import get_ident
from hubcore._base.spawn_stack import site_of
from hubcore._core.hub_observer import Texts
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.ring import RECORD_SIZE, Ring, both_clocks, kernel_uses_counter
from hubcore._core.waiter import Waiter
from hubcore._observe.observing import observe, observe_no_more
from hubcore._observe.snapshot import thread_name
from hubcore._observe.waits import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from typing import Any

    from greenlet import greenlet

    from hubcore._core.hub_observer import HubObserver
    from hubcore._core.scheduler import Scheduler

#: The memory of each hub's ring if the caller names none.
MOST_BYTES = 64 << 20
_FEWEST_BYTES = 1 << 16
_CHUNK = 3 << 18  # bytes that are encoded between two pauses; a multiple of 3, so that the pieces of base64 join

_current: Recording | None = None


class Recording:
    """One recording, from `start` to `stop`. RuntimeError at `start` while another one runs."""

    def __init__(self, max_bytes: int = MOST_BYTES, *, wraps: bool = False) -> None:
        if not isinstance(max_bytes, int) or max_bytes < _FEWEST_BYTES:
            raise ValueError(f"max_bytes must be a number of {_FEWEST_BYTES:,} bytes or more, not {max_bytes!r}")
        self.size = max_bytes // RECORD_SIZE
        self.wraps = wraps
        self.counter = kernel_uses_counter()
        self.texts = Texts()
        self.pid = os.getpid()
        self.clocks: list[int] = []
        self.rings: list[tuple[str, int, Ring]] = []
        self.observers: list[HubObserver] = []

    def start(self) -> None:
        """Record from now on, in all threads. Never switches."""
        global _current
        if _current is not None:
            raise RuntimeError("a recording runs already; stop it before starting another")
        _current = self
        self.clocks = list(both_clocks(self.counter))
        observe("recorder", self._begin)

    def stop(self) -> None:
        """Record no more. Any thread; never switches; a second call does nothing."""
        global _current
        if _current is not self:
            return
        _current = None
        for observer in self.observers:
            observer.record_to(None, None)
        observe_no_more("recorder")
        self.clocks += both_clocks(self.counter)

    def _begin(self, observer: HubObserver) -> None:
        ring = Ring(self.size, self.wraps, self.counter)
        hub = observer.hub
        self.rings.append((thread_name(hub), hub.thread_ident, ring))
        self.observers.append(observer)
        observer.record_to(ring, self.texts)
        for each, waiter in _present(hub):
            waiting_on = waiter.waiting_on if waiter is not None and not waiter.ended else None
            observer.record_existing(each, _function_of(each), waiting_on)
        if hub.thread_ident == get_ident():
            observer.record_existing(getcurrent(), _function_of(getcurrent()), None)
            observer.record_running()

    def dump(self) -> dict[str, Any]:
        """Return the recording as data: what `timeline.read` reads."""
        return {**self.head(), "hubs": [{**self._hub_head(*each), "records": each[2].take()} for each in self.rings]}

    def head(self) -> dict[str, Any]:
        """Return all but the hubs."""
        clocks = self.clocks if len(self.clocks) == 4 else [*self.clocks, *both_clocks(self.counter)]
        return {
            "version": 1,
            "pid": self.pid,
            "program": " ".join(sys.orig_argv),
            "clocks": clocks,
            "texts": [_text(each) for each in self.texts.texts],
        }

    def _hub_head(self, name: str, thread: int, ring: Ring) -> dict[str, Any]:
        return {"name": name, "thread": thread, "dropped": ring.dropped}

    def encoded(self) -> Generator[bytes | None, None, None]:
        """Yield the recording as JSON, with the records in base64; None is a pause in which others may run."""
        import json

        yield json.dumps(self.head())[:-1].encode() + b', "hubs": ['
        for i, (name, thread, ring) in enumerate(self.rings):
            yield (", " if i else "").encode() + json.dumps(self._hub_head(name, thread, ring))[:-1].encode()
            yield b', "records": "'
            records = ring.take()
            for at in range(0, len(records), _CHUNK):
                yield b64encode(records[at : at + _CHUNK])
                yield None
            yield b'"}'
        yield b"]}\n"


def current() -> Recording | None:
    """Return the recording that runs, if one does."""
    return _current


def mark(kind: int, text: str) -> None:
    """Record a mark of the calling greenlet, or the begin or end of a region, if a recording runs."""
    if _current is not None:
        from hubcore.hub import get_hub_if_any

        hub = get_hub_if_any()
        observer: Any = None if hub is None else hub.ready.observer
        if observer is not None:
            observer.record_mark(kind, text)


def _present(hub: Scheduler) -> Iterator[tuple[greenlet, Waiter | None]]:
    """The greenlets that exist: the main one, those that are ready, and those that wait."""
    seen: set[greenlet] = {getcurrent()}
    for entry in hub.ready.snapshot():
        each: Any = entry.greenlet if isinstance(entry, Waiter) else entry
        if isinstance(entry, Waiter | RawGreenlet) and each is not None and each not in seen:
            seen.add(each)
            yield each, None
    if hub.main not in seen and hub.main not in [waiter.greenlet for waiter in hub.parked.snapshot()]:
        seen.add(hub.main)
        yield hub.main, None
    for waiter in hub.parked.snapshot():
        parked = waiter.greenlet
        if parked is not None and parked not in seen:
            seen.add(parked)
            yield parked, waiter


def _function_of(each: greenlet) -> str:
    """Return the name of the outermost function of a greenlet that runs already."""
    if each.parent is None:
        return name_of(each)
    frame = each.gr_frame
    if each is getcurrent():
        frame = sys._getframe(1)
    name = ""
    while frame is not None:
        name = frame.f_code.co_qualname
        frame = frame.f_back
    return name or type(each).__name__


def _text(each: object) -> str:
    if isinstance(each, tuple):
        file, line, function = site_of(*each)
        return f"{function} {os.path.basename(file)}:{line}"
    return str(each)


def _forget_after_fork() -> None:
    """In a forked child: the recording is the parent's."""
    global _current
    if _current is not None:
        _current = None
        observe_no_more("recorder")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
