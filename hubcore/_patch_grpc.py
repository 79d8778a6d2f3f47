"""gRPC's calls wait where others can run, once threads are patched.

Facts (grpc/_channel.py): a call whose caller waits for its one answer waits in gRPC's core, for a queue of events of
its own; a call whose result is a future, or a stream, is waited for with a condition of `threading`, which a thread of
gRPC's notifies. That thread stays native (hubcore._native_threads). Consequence: the first kind is made of the second.
"""

from __future__ import annotations

from hubcore._after_import import after_import

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
    future = self.future(*args, **kwargs)
    try:
        future.code()  # which waits, and says how it ended rather than to raise it
    except BaseException:
        future.cancel()  # nobody is left who wants the answer
        raise
    return future._state, future._call
