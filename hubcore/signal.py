"""The standard library's signal module: handlers may wait, and waits for a signal let other greenlets run.

All other names are the standard library's own, and work together with a hub. See docs/signals.md.
"""

from __future__ import annotations

import signal as _stdlib
from time import monotonic

from hubcore._base.hints import Any, Iterable
from hubcore._base.main_thread import in_main_thread
from hubcore._base.originals import saved
from hubcore._base.package import publish_all
from hubcore._process.ctrl_c import CTRL_C
from hubcore._process.handler_greenlets import Handler, given
from hubcore._watchers import signals as _signals
from hubcore.hub import get_hub_if_any, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub

# The originals, also after patching.
_getsignal = _stdlib.getsignal
_signal = _stdlib.signal
_pause: Any = getattr(_stdlib, "pause", None)
_sigtimedwait: Any = getattr(_stdlib, "sigtimedwait", None)
_sigwait: Any = getattr(_stdlib, "sigwait", None)
_sigwaitinfo: Any = getattr(_stdlib, "sigwaitinfo", None)

_SHORTEST_NAP, _LONGEST_NAP = 0.001, 0.05  # seconds


def signal(signalnum: int, handler: Any) -> Any:
    """As signal.signal, main thread only: set `handler(signalnum, frame)`, and return the previous handler.

    The handler is called at once, in a greenlet of its own, and may wait. Its exception is raised in the main greenlet.
    For `default_int_handler` see docs/signals.md, "Ctrl-C".
    """
    handler = given(handler)
    if handler is _stdlib.default_int_handler:
        if signalnum == _stdlib.SIGINT and "signal" in saved:
            handler = CTRL_C
    elif callable(handler):
        handler = Handler(handler)
    return given(_signal(signalnum, handler))


def getsignal(signalnum: int) -> Any:
    """As signal.getsignal: return the handler as the program gave it."""
    return given(_getsignal(signalnum))


def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """As signal.set_wakeup_fd, main thread only. The hub uses the process's only wake-up fd, and forwards its bytes.

    It forwards a byte when a handler that was set here is called, or when the hub sees the signal.
    """
    return _signals.set_wakeup_fd(fd, warn_on_full_buffer)


def pause() -> None:
    """As signal.pause: wait until a signal has been handled. Switches."""
    hub = get_hub_if_any()
    if hub is None or not _signals.watched_by(hub):
        _pause()
        return
    waiter = hub.new_waiter("a signal")
    _signals.add_pauser(waiter)
    # A signal comes from outside the process: real time must pass for it, also on a virtual clock.
    hub.loop.begin_external()
    try:
        hub.park(waiter)
    finally:
        hub.loop.end_external()
        _signals.drop_pauser(waiter)


# Each thread has its own queue of blocked signals beside the process's queue. A worker thread would see only the
# process's, and would take one more signal after its greenlet was killed. So these functions poll at growing intervals.


def sigwait(sigset: Iterable[int]) -> Any:
    """As signal.sigwait. Switches; it notices a signal within 50 ms."""
    hub = get_hub_if_any()
    if hub is None or _sigtimedwait is None:
        return _sigwait(sigset)
    number = _look(hub, sigset, None).si_signo
    try:
        return _stdlib.Signals(number)
    except ValueError:
        return number


def sigwaitinfo(sigset: Iterable[int]) -> Any:
    """As signal.sigwaitinfo, otherwise as `sigwait`."""
    hub = get_hub_if_any()
    return _sigwaitinfo(sigset) if hub is None else _look(hub, sigset, None)


def sigtimedwait(sigset: Iterable[int], timeout: float) -> Any:
    """As signal.sigtimedwait, otherwise as `sigwait`: return None if no signal came within `timeout` seconds."""
    hub = get_hub_if_any()
    if hub is None or not isinstance(timeout, (int, float)) or not timeout > 0:
        return _sigtimedwait(sigset, timeout)
    return _look(hub, sigset, timeout)


def _look(hub: Hub, sigset: Iterable[int], timeout: float | None) -> Any:
    numbers = list(sigset)
    end = None if timeout is None else monotonic() + timeout
    nap = _SHORTEST_NAP
    while (found := _sigtimedwait(numbers, 0)) is None:
        if end is not None:
            left = end - monotonic()
            if left <= 0:
                return None
            nap = min(nap, left)
        hub.loop.begin_external(False)  # as in `pause`
        try:
            sleep(nap)
        finally:
            hub.loop.end_external(False)
        nap = min(2 * nap, _LONGEST_NAP)
    return found


def __getattr__(name: str) -> Any:
    # Read at each access, so that the names of every version of the standard library are here, with current values.
    return getattr(_stdlib, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_stdlib)})


def _hubcore_did_monkey_patch(target: object, items: list[str], warn: object) -> None:
    if "signal" in items and in_main_thread() and _getsignal(_stdlib.SIGINT) is _stdlib.default_int_handler:
        _signal(_stdlib.SIGINT, CTRL_C)


__implements__: list[str] = ["getsignal", "pause", "set_wakeup_fd", "signal", "sigtimedwait", "sigwait", "sigwaitinfo"]
__implements__ = [name for name in __implements__ if hasattr(_stdlib, name)]
for _each in (getsignal, pause, set_wakeup_fd, signal, sigtimedwait, sigwait, sigwaitinfo):
    # As for the standard library's functions that are written in C; CPython's tests check it.
    _each.__module__ = _stdlib.__name__
__all__ = [*__implements__]
__all__ += [name for name in dir(_stdlib) if not name.startswith("_") and name not in __all__]


publish_all(globals())
