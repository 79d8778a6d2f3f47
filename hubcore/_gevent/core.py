"""`gevent.core`: the numbers of events, and questions about the loop, under gevent's names."""

from __future__ import annotations

import time as _time

from hubcore import backends
from hubcore._core.ready_queue import Callback as callback
from hubcore._watchers.child import Child as child
from hubcore._watchers.rare import Async as async_
from hubcore._watchers.rare import Check as check
from hubcore._watchers.rare import Fork as fork
from hubcore._watchers.rare import Idle as idle
from hubcore._watchers.rare import Prepare as prepare
from hubcore._watchers.rare import Stat as stat
from hubcore._watchers.signals import Signal as signal
from hubcore.loop import Loop
from hubcore.watchers import READ, WRITE
from hubcore.watchers import Io as io
from hubcore.watchers import Timer as timer
from hubcore.watchers import Watcher as watcher

__all__ = [
    "EVENTS",
    "MAXPRI",
    "MINPRI",
    "READ",
    "READWRITE",
    "SIGNAL",
    "TIMER",
    "WRITE",
    "async_",
    "callback",
    "check",
    "child",
    "embeddable_backends",
    "fork",
    "get_header_version",
    "get_version",
    "idle",
    "io",
    "loop",
    "prepare",
    "recommended_backends",
    "signal",
    "stat",
    "supported_backends",
    "time",
    "timer",
    "watcher",
]

#: What a watcher of both directions watches.
READWRITE = READ | WRITE
#: libev's numbers of these events. hubcore reports none of them.
TIMER = 0x100
SIGNAL = 0x400
MINPRI = Loop.MINPRI
MAXPRI = Loop.MAXPRI


#: The class of the loops of new hubs, by the choice of the backend when this module was imported.
loop: type[Loop] = backends.loop_class()


class _Events:
    """gevent's mark for the events among a callback's arguments. hubcore passes it on as it is: use `pass_events`."""

    def __repr__(self) -> str:
        return "gevent.core.EVENTS"


EVENTS = _Events()


def time() -> float:
    """Return the seconds since the epoch."""
    return _time.time()


def get_version() -> str:
    """Return the library of the chosen backend and its version, as "libev-4.33"."""
    return _version("library_version")


def get_header_version() -> str:
    """Return the version that the chosen backend was compiled with, as "libev-4.33"."""
    return _version("header_version")


def supported_backends() -> list[str]:
    """Return the kernel's interfaces that the chosen backend can poll with. hubcore chooses among them by itself."""
    from hubcore.hub import get_hub

    found = getattr(get_hub().loop, "backend", None)
    return [str(found)] if found else []


recommended_backends = supported_backends


def embeddable_backends() -> list[str]:
    """Return an empty list: no loop of hubcore can be embedded into another one."""
    return []


def _version(name: str) -> str:
    found = backends.loop_class()
    module = __import__(found.__module__, fromlist=[""])
    return f"{found.name}-{getattr(module, name, 'unknown')}"
