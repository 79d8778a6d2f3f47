"""Instruments: objects that hubcore notifies of what greenlets do, in all threads.

    class Slow(hubcore.instrument.Instrument):
        def resumed(self, greenlet): ...
        def suspended(self, greenlet, waiting_on): ...

    hubcore.instrument.add(Slow())

The hub calls an instrument between two greenlets, in its thread. The instrument must not wait (BlockingSwitchOutError)
and should be quick. If one raises, hubcore removes it and logs the exception once; the program goes on. What an
instrument does itself is not shown to instruments. Without instruments greenlets run as fast as ever: hubs look for
one only where they make another test anyway.
"""

from __future__ import annotations

from hubcore._base.hints import Any, Late
from hubcore._core.hub_observer import set_hooks
from hubcore._observe.observing import observe, observe_no_more

TYPE_CHECKING = False
if TYPE_CHECKING:
    from greenlet import greenlet as _greenlet

    from hubcore.hub import Hub
else:
    _greenlet = Late("greenlet:greenlet")
    Hub = Late("hubcore.hub:Hub")

__all__ = ["Instrument", "add", "installed", "remove"]

_HOOKS = ("spawned", "ready", "resumed", "suspended", "ended", "poll_began", "poll_ended")


class Instrument:
    """A base class for instruments, whose methods do nothing. Hubs call only methods that a subclass defines."""

    def spawned(self, greenlet: _greenlet, by: _greenlet | None) -> None:
        """`greenlet` was scheduled for the first time, by the greenlet `by`; None: by a timer or a callback."""

    def ready(self, greenlet: _greenlet, by: _greenlet | None) -> None:
        """`greenlet` can run again. `by` woke it; None: an event, a deadline or another thread did, or it gave way."""

    def resumed(self, greenlet: _greenlet) -> None:
        """`greenlet` runs from now on."""

    def suspended(self, greenlet: _greenlet, waiting_on: object) -> None:
        """`greenlet` stops running and waits on `waiting_on`; None: it gave way, ended, or switched by hand."""

    def ended(self, greenlet: _greenlet) -> None:
        """`greenlet` has ended: it returned, raised, or was killed, also before it ran."""

    def poll_began(self, hub: Hub, timeout: float | None) -> None:
        """`hub` is about to poll for events for at most `timeout` seconds; None: without a limit."""

    def poll_ended(self, hub: Hub) -> None:
        """`hub` has polled."""


_installed: tuple[Any, ...] = ()


def add(instrument: object) -> None:
    """Notify `instrument` from now on, after those that were added before. Any thread; never switches.

    An instrument is any object with some of the methods of Instrument; which, is looked up now. ValueError if it was
    added before, TypeError if it has none of the methods.
    """
    if any(each is instrument for each in _installed):
        raise ValueError(f"{instrument!r} is installed already; remove() it before adding it again")
    if not any(_method(instrument, hook) is not None for hook in _HOOKS):
        raise TypeError(f"an instrument has a method {', '.join(_HOOKS[:-1])} or {_HOOKS[-1]}; {instrument!r} has none")
    _install((*_installed, instrument))


def remove(instrument: object) -> None:
    """Notify `instrument` no more. Any thread; never switches. ValueError if it is not installed."""
    left = tuple(each for each in _installed if each is not instrument)
    if len(left) == len(_installed):
        raise ValueError(f"{instrument!r} is not installed; installed are {list(_installed)!r}")
    _install(left)


def installed() -> tuple[object, ...]:
    """Return the instruments, in the order of their addition."""
    return _installed


def _install(instruments: tuple[Any, ...]) -> None:
    global _installed
    _installed = instruments
    hooks = {}
    for hook in _HOOKS:
        methods = [_method(each, hook) for each in instruments]
        hooks[hook] = tuple(method for method in methods if method is not None)
    set_hooks(hooks, _failed)
    if instruments:
        observe("instruments", _nothing_to_begin)
    else:
        observe_no_more("instruments")


def _method(instrument: Any, hook: str) -> Any:
    """Return the method of `instrument` for `hook`; None if it has none of its own."""
    method = getattr(instrument, hook, None)
    if getattr(type(instrument), hook, None) is getattr(Instrument, hook) and hook not in getattr(
        instrument, "__dict__", ()
    ):
        return None
    return method if callable(method) else None


def _nothing_to_begin(observer: object) -> None:
    """Observers call all instruments as they are."""


def _failed(method: Any, error: Exception) -> None:
    """Remove the instrument of `method`, which raised `error`, and log it."""
    for each in _installed:
        if any(_method(each, hook) == method for hook in _HOOKS):
            _install(tuple(other for other in _installed if other is not each))
            break
    else:
        return  # it was removed for an earlier failure of the same event
    from hubcore._diagnostics.describe import report_failure

    report_failure(method, type(error), error, error.__traceback__)
