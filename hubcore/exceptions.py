"""Every exception that hubcore raises of its own, in one place.

The bases are those that gevent programs catch: a misuse of switching is an AssertionError, a misuse of threads a
RuntimeError, and whatever ends a greenlet on purpose is a GreenletExit, hence a BaseException.
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
    """Nothing is left to run and nothing to wait for, yet the main greenlet waits: it would block forever.

    The message names every parked greenlet, what it waits on and where it was spawned; `hub` is the hub that found out.
    """

    @property
    def hub(self) -> Hub | None:
        """The hub that had nothing left to do."""
        return self.args[1] if len(self.args) > 1 else None

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class BackendUnavailable(ImportError):
    """No loop backend of the given name, or it is not built; the message lists what there is."""


class BlockingSwitchOutError(AssertionError):
    """A call that has to wait was made where nothing may wait: in the hub greenlet or while it polls."""


class InvalidSwitchError(AssertionError):
    """A greenlet was resumed by something other than what it waits for."""


class ConcurrentObjectUseError(AssertionError):
    """Two greenlets wait for the same direction of the same object."""


class InvalidThreadUseError(RuntimeError):
    """A hub, or something that belongs to one, was used from a thread that is not the hub's."""


class HubDestroyed(GreenletExit):
    """Raised in greenlets that are still parked when their hub is destroyed, so that they unwind."""

    def __init__(self, destroyed_hub: object = None) -> None:
        super().__init__(
            f"the hub was destroyed: {destroyed_hub!r}" if destroyed_hub is not None else "the hub was destroyed"
        )
        self.destroyed_hub = destroyed_hub


class Cancelled(BaseException):
    """A cancelled scope's way out: raised by every wait in its block, until the block is left.

    `scope` is the CancelScope whose block it ends, which absorbs it, and `reason` what its `cancel` was given. Clean up
    and let it pass. It is neither an Exception nor a GreenletExit, so that what catches those does not stop it.
    """

    def __init__(self, reason: object = None, scope: CancelScope | None = None) -> None:
        super().__init__(*(() if reason is None else (reason,)))
        self.reason = reason
        self.scope = scope


class GreenletCancelled(Exception):
    """Raised by `get` of a greenlet that was cancelled; `__cause__` is its Cancelled.

    A Cancelled of its own would look to the caller as if it were itself being cancelled.
    """


class ChannelError(Exception):
    """What an end of a channel raises that cannot be used any more; `channel` is that end."""

    def __init__(self, channel: object = None) -> None:
        super().__init__(f"{self._what}: {channel!r}")
        self.channel = channel

    _what = "a channel cannot be used any more"


class EndOfChannel(ChannelError):
    """All ends that could send were closed, and all that was sent has been received."""

    _what = "nothing more will come"


class BrokenChannel(ChannelError):
    """All ends that could receive were closed: nobody will ever take what is sent."""

    _what = "nobody is left to receive"


class ClosedChannel(ChannelError):
    """This very end was closed, before or while it was used."""

    _what = "this end was closed"


class StaleReferences(RuntimeError):
    """patch_all(strict=True) found what still refers to the standard library as it was; `references` are those.

    The message names each, where it is, how it got there, and what to do.
    """

    def __init__(self, message: str, references: list[Any]) -> None:
        super().__init__(message)
        self.references = references
