"""Calls from a thread into a hub of another thread."""

from __future__ import annotations

from hubcore._originals import get_ident
from hubcore._workers import running
from hubcore.exceptions import InvalidThreadUseError
from hubcore.hub import Hub, hubs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["run"]


def run(function: Callable[..., Any], *args: Any, hub: Hub | None = None, **kwargs: Any) -> Any:
    """Call `function(*args, **kwargs)` in a greenlet of `hub`, wait for it, and return what it does, or raise.

    Without `hub`: in a call of a ThreadPool the hub that asked for that call, elsewhere the main thread's. The calling
    thread blocks; in a greenlet, the greenlet waits, and if that is killed or times out, the call is killed.
    RuntimeError if there is no hub, HubDestroyed if it ends before the call does, InvalidThreadUseError in the hub's
    own thread, where it would wait for itself.
    """
    target = hub if hub is not None else _default()
    if not isinstance(target, Hub):
        raise TypeError(f"hub is a Hub (get_hub() of its thread), not {target!r}")
    if target.thread_ident == get_ident() and not target.destroyed:
        raise InvalidThreadUseError(f"{target!r} is this thread's own hub; call {function!r} itself, or spawn it")
    call = target.spawn_threadsafe(function, *args, **kwargs)
    try:
        return call.get()
    except BaseException:
        if not call.ready():
            call.kill_nowait()
        raise
    finally:
        del call  # the traceback of what it failed with refers to this frame


def _default() -> Hub:
    job = running.get(get_ident())
    if job is not None:
        origin: Hub | None = getattr(job, "hub_of_origin", None)
        if origin is not None:
            return origin  # if it is destroyed, the call says so
        # The call was asked for by a thread without a hub.
    for each in tuple(hubs):
        if isinstance(each, Hub) and each.main_hub:
            return each
    raise RuntimeError("the main thread has no hub that could make this call; give one by hub=")
