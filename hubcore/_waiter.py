"""Waiter: gevent's hand-made wait, for programs that use it; `Hub.new_waiter` and `Hub.park` are hubcore's own.

A Waiter keeps one result, given by `switch` or `throw`, and hands it to whoever calls `get`, before or after.
"""

from __future__ import annotations

from hubcore.exceptions import ConcurrentObjectUseError
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from hubcore import _park
    from hubcore.hub import Hub


class Waiter:
    """One result for one greenlet. `switch` and `throw` never switch to it: it goes on when it is its turn."""

    __slots__ = ("_parked", "_ready", "_traceback", "_value", "error", "hub")

    def __init__(self, hub: Hub | None = None) -> None:
        self.hub = get_hub() if hub is None else hub
        self._parked: _park.Waiter | None = None
        self.clear()

    def clear(self) -> None:
        """Forget the result, to wait for another."""
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
        """What was thrown, in the form of sys.exc_info(), or None."""
        return None if self.error is None else (type(self.error), self.error, self._traceback)

    def ready(self) -> bool:
        """Whether there is a result."""
        return self._ready

    def successful(self) -> bool:
        """Whether there is a result, and not by `throw`."""
        return self._ready and self.error is None

    def switch(self, value: Any = None) -> None:
        """Give `value` as the result. The hub's thread only."""
        self.hub.loop.check_thread()
        self._ready = True
        self._value = value
        self._wake()

    def switch_args(self, *args: Any) -> None:
        """Give the tuple of the arguments as the result."""
        self.switch(args)

    def throw(
        self,
        kind: type[BaseException] | BaseException | None = None,
        value: Any = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Have `get` raise, with the arguments of a raise; none means GreenletExit."""
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
        """The result, or raise what was thrown; wait for it if there is none. Switches unless there is one."""
        if not self._ready:
            if self._parked is not None:
                raise ConcurrentObjectUseError(f"{self!r} is already waited for by {self._parked.greenlet!r}")
            self._parked = self.hub.new_waiter(self)
            try:
                self.hub.park(self._parked)
            finally:
                self._parked = None
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)
        return self._value

    def __call__(self, source: Any) -> None:
        """Be a link: take over the result of `source`."""
        if source.exception is None:
            self.switch(source.value)
        else:
            self.throw(source.exception)

    def __repr__(self) -> str:
        # Not the waiting greenlet's description, which may tell of this.
        state = "waiting" if not self._ready else repr(self._value) if self.error is None else repr(self.error)
        return f"<Waiter at {id(self):#x}: {state}>"
