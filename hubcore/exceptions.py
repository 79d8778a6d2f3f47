"""All exception classes of hubcore.

Their bases are those that programs written for gevent catch: a misuse of switching is an AssertionError, a misuse of
threads a RuntimeError, and an exception that ends a greenlet on purpose is a GreenletExit, hence a BaseException.
"""

from __future__ import annotations

from greenlet import GreenletExit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.hub import Hub
    from hubcore.scopes import CancelScope

__all__ = [
    "BackendUnavailable",
    "BlockingSwitchOutError",
    "BrokenChannel",
    "Cancelled",
    "ChannelError",
    "ClosedChannel",
    "ConcurrentObjectUseError",
    "EndOfChannel",
    "GreenletCancelled",
    "GreenletExit",
    "HubDestroyed",
    "InvalidSwitchError",
    "InvalidThreadUseError",
    "LoopExit",
    "StaleReferences",
]


class LoopExit(Exception):
    """The main greenlet waits, but the hub has nothing left to run or to wait for: it would block forever.

    The message names every parked greenlet, what it waits on and where it was spawned. `hub` is that hub.
    """

    @property
    def hub(self) -> Hub | None:
        """The hub that had nothing left to do."""
        return self.args[1] if len(self.args) > 1 else None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class BackendUnavailable(ImportError):
    """The chosen loop backend does not exist or is not built; the message lists the available ones."""


class BlockingSwitchOutError(AssertionError):
    """A call that has to wait was made where no greenlet can wait: in the hub greenlet, or while the loop polls."""


class InvalidSwitchError(AssertionError):
    """A greenlet was resumed, but not by the event it waits for; or a greenlet or hub is in the wrong state."""


class ConcurrentObjectUseError(AssertionError):
    """Two greenlets wait for the same direction of the same object."""


class InvalidThreadUseError(RuntimeError):
    """A hub, or an object that belongs to it, was used from a thread other than the hub's."""


class HubDestroyed(GreenletExit):
    """Raised in greenlets that are still parked when their hub is destroyed, so that they unwind."""

    def __init__(self, destroyed_hub: object = None) -> None:
        super().__init__(
            f"the hub was destroyed: {destroyed_hub!r}" if destroyed_hub is not None else "the hub was destroyed"
        )
        self.destroyed_hub = destroyed_hub


class Cancelled(BaseException):
    """Raised by every wait in the block of a cancelled scope, until the block is left.

    `scope` is the CancelScope whose block it ends; that scope absorbs it. `reason` is the argument of its `cancel`.
    Clean up and let it pass. It is neither an Exception nor a GreenletExit, so that handlers of those do not catch it.
    """

    def __init__(self, reason: object = None, scope: CancelScope | None = None) -> None:
        super().__init__(*(() if reason is None else (reason,)))
        self.reason = reason
        self.scope = scope


class GreenletCancelled(Exception):
    """Raised by `get` of a greenlet that was cancelled; `__cause__` is its Cancelled.

    If `get` raised the Cancelled itself, the caller would seem to be cancelled.
    """


class ChannelError(Exception):
    """An end of a channel cannot be used any more; `channel` is that end."""

    def __init__(self, channel: object = None) -> None:
        super().__init__(f"{self._what}: {channel!r}")
        self.channel = channel

    _what = "the channel cannot be used any more"


class EndOfChannel(ChannelError):
    """All sending ends were closed, and all items have been received."""

    _what = "all senders are closed and all items are received"


class BrokenChannel(ChannelError):
    """All receiving ends were closed: no receiver would ever take an item."""

    _what = "all receivers are closed"


class ClosedChannel(ChannelError):
    """This end itself was closed, before or during its use."""

    _what = "this end was closed"


class StaleReferences(RuntimeError):
    """patch_all(strict=True) found references to the unpatched standard library: `references`.

    The message names each reference, where it is, how it got there, and the remedy.
    """

    def __init__(self, message: str, references: list[Any]) -> None:
        super().__init__(message)
        self.references = references
