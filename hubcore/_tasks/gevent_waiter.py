"""Waiter: gevent's low-level wait, for programs that use it. hubcore's own are `Hub.new_waiter` and `Hub.park`.

A Waiter keeps one result, set by `switch` or `throw`, and gives it to the caller of `get`, before or after.
"""

from __future__ import annotations

from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from hubcore._core import waiter as _waiter
    from hubcore.hub import Hub


class Waiter:
    """One result for one greenlet. `switch` and `throw` never switch to that greenlet: they make it ready."""

    __slots__ = ("_parked", "_ready", "_traceback", "_value", "error", "hub")

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = get_hub() if hub is None else hub
        self._parked: _waiter.Waiter | None = None
        self.clear()

    def clear(self) -> None:
        """Forget the result, to wait for another one."""
        self._ready = False
        self._value: Any = None
        self._traceback: TracebackType | None = None
        self.error: BaseException | None = None

    @property
    def greenlet(self) -> Any:
        """The greenlet that waits in `get`, or None."""
        return None if self._parked is None else self._parked.greenlet

    @property
    def value(self) -> Any:
        """The result, or None."""
        return self._value

    @property
    def exc_info(self) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
        """The exception thrown, in the form of sys.exc_info(), or None."""
        return None if self.error is None else (type(self.error), self.error, self._traceback)

    def ready(self) -> bool:
        """Return whether there is a result."""
        return self._ready

    def successful(self) -> bool:
        """Return whether there is a result that `throw` did not set."""
        return self._ready and self.error is None

    def switch(self, value: Any = None) -> None:
        """Set `value` as the result. Never switches; the hub's thread only."""
        self.hub.loop.check_thread()
        self._ready = True
        self._value = value
        self._wake()

    def switch_args(self, *args: Any) -> None:
        """Set the tuple of the arguments as the result."""
        self.switch(args)

    def throw(
        self,
        kind: type[BaseException] | BaseException | None = None,
        value: Any = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Set the exception that `get` raises, with the arguments of a raise; none: GreenletExit."""
        from greenlet import GreenletExit

        self.hub.loop.check_thread()
        if kind is None:
            kind = GreenletExit
        if isinstance(kind, BaseException):
            error = kind
        elif isinstance(value, BaseException):
            error = value
        else:
            error = kind() if value is None else kind(value)
        self._ready = True
        self.error = error
        self._traceback = traceback if traceback is not None else error.__traceback__
        self._wake()

    def _wake(self) -> None:
        if self._parked is not None:
            self._parked.wake()

    def get(self) -> Any:
        """Wait for the result; return it, or raise the exception thrown. Switches unless there is a result."""
        if not self._ready:
            if self._parked is not None:
                raise ConcurrentObjectUseError(f"{self._parked.greenlet!r} already waits on {self!r}")
            self._parked = self.hub.new_waiter(self)
            try:
                self.hub.park(self._parked)
            finally:
                self._parked = None
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)
        return self._value

    def __call__(self, source: Any) -> None:
        """Take over the result of `source`: a Waiter is a link."""
        if source.exception is None:
            self.switch(source.value)
        else:
            self.throw(source.exception)

    def __repr__(self) -> str:
        # Without the greenlet's description, which may contain this one.
        state = "waiting" if not self._ready else repr(self._value) if self.error is None else repr(self.error)
        return f"<Waiter at {id(self):#x}: {state}>"


class linkproxy:
    """A link that calls `callback(obj)`, whatever object it is notified of."""

    __slots__ = ("callback", "obj")

    def __init__(self, callback: Callable[[Any], object], obj: Any) -> None:
        self.callback: Callable[[Any], object] = callback
        self.obj: Any = obj

    def __call__(self, *args: object) -> None:
        self.callback(self.obj)
