"""gRPC's calls wait where others can run, once threads are patched.

Facts (grpc/_channel.py): a call whose caller waits for its one answer waits in gRPC's core, for a queue of events of
its own; a call whose result is a future, or a stream, is waited for with a condition of `threading`, which a thread of
gRPC's notifies. That thread stays native (hubcore._native_threads). Consequence: the first kind is made of the second.
"""

from __future__ import annotations

from hubcore._after_import import after_import
from hubcore.greenlet import Greenlet, spawn
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch_grpc() -> None:
    """Have gRPC's calls wait cooperatively, as soon as it is imported."""
    after_import("grpc._channel", _wait_for_futures)


def _wait_for_futures(channel: Any) -> None:
    for kind in (channel._UnaryUnaryMultiCallable, channel._StreamUnaryMultiCallable):
        kind._blocking = _blocking


def _blocking(self: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Make the call and wait for its end; its state and the call itself, in which that is written down. Switches."""
    future = _begun(self, args, kwargs)
    try:
        future.code()  # which waits, and says how it ended rather than to raise it
    except BaseException:
        future.cancel()  # nobody is left who wants the answer
        raise
    return future._state, future._call


def _begun(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The call, begun. Switches: to begin it may take a thread of gRPC's, whose start is waited for.

    In a greenlet of its own, because one that is interrupted in that wait has no call yet that it could cancel.
    """
    if get_hub_if_any() is None:
        return self.future(*args, **kwargs)
    beginning = spawn(self.future, *args, **kwargs)
    try:
        return beginning.get()
    except BaseException:
        spawn(_cancel, beginning)
        raise


def _cancel(beginning: Greenlet) -> None:
    beginning.join()
    if beginning.successful():
        beginning.value.cancel()
