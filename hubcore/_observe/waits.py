"""A wait in words, without a call of the program's own code: its kind, a detail, and the owner of what it is for."""

from __future__ import annotations

from greenlet import greenlet

from hubcore._core.hub_observer import serial_of
from hubcore._core.raw_greenlet import RawGreenlet
from hubcore._core.scheduler import Scheduler
from hubcore._core.waiter import WaitEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BY_EVENTS = {1: "read", 2: "write", 3: "read or write"}


def kind_of(waiting_on: object) -> str:
    """Return the kind of a wait: "sleep", "read", "get from Queue", "join". Equal for waits that are alike."""
    if type(waiting_on) is str:
        return waiting_on
    if isinstance(waiting_on, WaitEntry):
        kind = type(waiting_on.on).__name__
        return f"{waiting_on.purpose} {kind}" if waiting_on.purpose else kind
    if isinstance(waiting_on, Scheduler):
        return "join of the hub"
    if isinstance(waiting_on, greenlet):
        return "join"
    if fd_of(waiting_on) >= 0:
        return _BY_EVENTS.get(getattr(waiting_on, "events", 0), type(waiting_on).__name__)
    return type(waiting_on).__name__.lstrip("_")


def fd_of(waiting_on: object) -> int:
    """Return the file descriptor of a wait for one, else -1."""
    if type(waiting_on) is str or isinstance(waiting_on, WaitEntry | greenlet):
        return -1
    if not str(type(waiting_on).__module__).startswith("hubcore."):
        return -1  # the program's own, whose attributes may run its code
    fd = getattr(waiting_on, "fd", None)
    return fd if type(fd) is int else -1


def owner_of(waiting_on: Any) -> greenlet | None:
    """Return the greenlet that owns what the wait is for, or the one that a join waits for; else None."""
    if type(waiting_on) is str:
        return None
    if isinstance(waiting_on, greenlet):
        return None if isinstance(waiting_on, Scheduler) else waiting_on
    try:
        owner = getattr(waiting_on, "owner", None)
    except Exception:  # a property of the program's
        return None
    return owner if isinstance(owner, greenlet) else None


def name_of(target: greenlet) -> str:
    """Return the name of `target` in reports: that of a Greenlet, else its class and number."""
    if isinstance(target, Scheduler):
        return "hub"
    if isinstance(target, RawGreenlet):
        name = getattr(target, "name", None)
        if isinstance(name, str):
            return name
    elif target.parent is None:
        return "main"
    return f"{type(target).__name__}-{serial_of(target)}"


def describe(waiting_on: object) -> dict[str, object]:
    """Return kind, text and owner of a wait, as JSON has them."""
    kind = kind_of(waiting_on)
    fd = fd_of(waiting_on)
    owner = owner_of(waiting_on)
    text = f"{kind} fd {fd}" if fd >= 0 else kind
    owned: dict[str, object] | None = None
    if owner is not None:
        owned = {"id": serial_of(owner), "name": name_of(owner), "ended": bool(owner.dead)}
        text = f"{kind} of {owned['name']}" if isinstance(waiting_on, greenlet) else f"{kind} held by {owned['name']}"
    return {"kind": kind, "text": text, "owner": owned}
