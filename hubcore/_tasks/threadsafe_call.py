"""HubCall: a call that a hub makes in a greenlet for a caller in any thread, and its result."""

from __future__ import annotations

from contextvars import copy_context

from hubcore._base.argument_checks import check_function
from hubcore._base.hints import Any, Callable, T
from hubcore._tasks.unretrieved import report_unread
from hubcore.event import AsyncResult
from hubcore.exceptions import HubDestroyed
from hubcore.greenlet import Greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.hub import Hub


class HubCall(AsyncResult["T"]):
    """A call of `function(*args, **kwargs)` in a new greenlet of `hub`; also its result. Any thread may make it."""

    __slots__ = ("_arguments", "_context", "_function", "_greenlet", "_hub", "_unwanted")

    def __init__(self, hub: Hub, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        AsyncResult.__init__(self)  # first, because __del__ reads its fields even if the next lines raise
        check_function(function, "a greenlet's function")
        self._hub = hub
        self._function: Callable[..., object] | None = function
        self._arguments: tuple[Any, Any] | None = (args, kwargs)
        self._context = copy_context()
        self._greenlet: Greenlet | None = None
        self._unwanted = False
        # Added before the test whether the hub is destroyed: either the test sees that, or destroy() sees this call.
        hub._calls.add(self)
        if hub.destroyed:
            self.give_up()
        else:
            hub.loop.run_callback_threadsafe(self._begin)

    def _begin(self) -> None:
        """Start the greenlet. Runs in the hub."""
        function, arguments = self._function, self._arguments
        self._function = self._arguments = None
        if self._unwanted or function is None or arguments is None:
            self._hub._calls.discard(self)
            return
        args, kwargs = arguments
        self._greenlet = Greenlet(function, *args, **kwargs)
        self._greenlet.gr_context = self._context
        self._greenlet._add_observer()
        self._greenlet.rawlink(self._ended)
        self._greenlet.start()

    def _ended(self, greenlet: Greenlet) -> None:
        self._hub._calls.discard(self)
        self._greenlet = None
        if self.ready():
            return
        if isinstance(greenlet.value, HubDestroyed):
            self.set_exception(greenlet.value)  # for a greenlet, HubDestroyed is a normal end
        else:
            self(greenlet)

    def give_up(self) -> None:
        """Fail with HubDestroyed: the hub is destroyed and makes no calls any more. Any thread."""
        self._hub._calls.discard(self)
        if not self.ready():
            self.set_exception(HubDestroyed(self._hub))

    def __del__(self) -> None:
        """Report a failure that no caller has read, as that of a greenlet without observers."""
        error = self._unread() if report_unread is not None else None  # at the end of the process names are lost
        # A system error has ended the program already, when the greenlet failed.
        if error is not None and not self._unwanted and not isinstance(error, self._hub.SYSTEM_ERROR):
            report_unread(self, error, self._hub)

    def kill_nowait(self) -> None:
        """Kill the greenlet, or do not start it: the caller no longer wants the result. Any thread; never switches."""
        self._unwanted = True
        if not self._hub.destroyed:
            self._hub.loop.run_callback_threadsafe(self._kill)

    def _kill(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
