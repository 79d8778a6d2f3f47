"""Calls from a thread into a hub of another thread."""

from __future__ import annotations

from hubcore._base import worker_threads as _worker_threads
from hubcore._base.hints import Any, Callable, P, R
from hubcore._base.originals import get_ident
from hubcore.exceptions import InvalidThreadUseError
from hubcore.hub import Hub, hubs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload

__all__ = ["run"]


if TYPE_CHECKING:

    @overload
    def run(function: Callable[..., R], *args: Any, hub: Hub | None, **kwargs: Any) -> R: ...
    @overload
    def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...


def run(  # type: ignore[misc]  # a function with a parameter `hub` of its own cannot be given it
    function: Callable[..., Any], *args: Any, hub: Hub | None = None, **kwargs: Any
) -> Any:
    """Call `function(*args, **kwargs)` in a greenlet of `hub`; wait for it; return its result or raise its exception.

    The default `hub` is, in a call of a ThreadPool, the hub that started that call, elsewhere the main thread's hub.
    The calling thread blocks; a calling greenlet waits. If that greenlet is killed or times out, the call is killed.
    RuntimeError if there is no hub, HubDestroyed if the hub is destroyed before the call ends, InvalidThreadUseError in
    the hub's own thread, which would wait for itself.
    """
    target = hub if hub is not None else _default()
    if not isinstance(target, Hub):
        raise TypeError(f"hub must be a Hub (get_hub() in its thread), not {target!r}")
    own = target.thread_ident == get_ident() and _worker_threads.instead_of_threads is None
    if own and not target.destroyed:
        raise InvalidThreadUseError(f"{target!r} is this thread's own hub; call {function!r} directly, or spawn it")
    call = target.spawn_threadsafe(function, *args, **kwargs)
    try:
        return call.get()
    except BaseException:
        if not call.ready():
            call.kill_nowait()
        raise
    finally:
        del call  # the traceback of its exception refers to this frame


def _default() -> Hub:
    job = _worker_threads.running.get(_worker_threads.here())
    if job is not None:
        origin: Hub | None = getattr(job, "hub_of_origin", None)
        if origin is not None:
            return origin  # if it is destroyed, the call raises HubDestroyed
        # A thread without a hub started the call.
    for each in tuple(hubs):
        if isinstance(each, Hub) and each.main_hub:
            return each
    raise RuntimeError("the main thread has no hub to make this call in; pass one as hub=")
