"""signal_handler: call a function in a greenlet when the process gets a signal."""

from __future__ import annotations

from greenlet import GreenletExit

from hubcore.exceptions import Cancelled
from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class signal_handler:
    """Call `handler(*args, **kwargs)` in a new greenlet each time signal `signalnum` arrives, until `cancel`.

    An exception of the handler is raised in the main greenlet. Main thread only, as Python requires (ValueError
    elsewhere). It does not keep the loop alive unless `ref` is set.
    """

    greenlet_class = Greenlet

    def __init__(self, signalnum: int, handler: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        if not callable(handler):
            raise TypeError(f"a signal handler must be callable, not {handler!r}")
        self.handler = handler
        self.args = args
        self.kwargs = kwargs
        self._watcher = get_hub().loop.signal(signalnum, False)
        self._watcher.start(self.handle)

    def handle(self) -> None:
        """Start the greenlet. The hub calls this when the signal arrives."""
        self.greenlet_class(self._call).start()

    def _call(self) -> object:
        """Call the handler. What it raises is raised in the main greenlet, as that of a handler of `signal.signal`."""
        try:
            return self.handler(*self.args, **self.kwargs)
        except (GreenletExit, Cancelled):
            raise  # it was killed
        except BaseException as error:
            hub = get_hub()
            hub.interrupt_now(hub.main, error)
            return None

    @property
    def ref(self) -> bool:
        """Whether the wait for the signal keeps the loop alive."""
        return self._watcher.ref

    @ref.setter
    def ref(self, value: bool) -> None:
        self._watcher.ref = value

    def cancel(self) -> None:
        """Stop handling the signal, and restore the previous handler."""
        self._watcher.close()


signal_handler.__module__ = "hubcore"
