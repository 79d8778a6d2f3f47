"""Makes gRPC's calls wait in the hub, once threads are patched.

Facts (grpc/_channel.py): a blocking call with a single answer waits in gRPC's core, on an event queue of its own. A
call that returns a future or a stream waits on a condition of `threading`, which a gRPC thread notifies. That thread
stays native (hubcore._threads.native_threads). Consequence: blocking calls are made as calls that return a future.
"""

from __future__ import annotations

from hubcore._patching.import_hooks import after_import
from hubcore.greenlet import Greenlet, spawn
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def patch_grpc() -> None:
    """Make gRPC's calls wait cooperatively, now or when the program imports gRPC."""
    after_import("grpc._channel", _wait_for_futures)


def _wait_for_futures(channel: Any) -> None:
    for kind in (channel._UnaryUnaryMultiCallable, channel._StreamUnaryMultiCallable):
        kind._blocking = _blocking


def _blocking(self: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Make the call and wait for its end. Return its state and the call object, as gRPC's own method does. Switches."""
    future = _begun(self, args, kwargs)
    try:
        future.code()  # waits, and returns the status instead of raising
    except BaseException:
        future.cancel()  # the caller does not wait for the answer any more
        raise
    return future._state, future._call


def _begun(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Begin the call and return its future. Switches: gRPC may start a thread for it and wait for that start.

    The call begins in a greenlet of its own: a caller interrupted in that wait has no call yet that it could cancel.
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
