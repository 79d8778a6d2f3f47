"""signal_handler: run a function in a greenlet when the process gets a signal."""

from __future__ import annotations

from hubcore.greenlet import Greenlet
from hubcore.hub import get_hub

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class signal_handler:
    """Call `handler(*args, **kwargs)` in a new greenlet whenever signal `signalnum` arrives, until `cancel`.

    Main thread only, as Python demands (ValueError elsewhere). It does not keep the loop alive unless `ref` is set.
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
        """The signal came: start the greenlet. Called in the hub."""
        self.greenlet_class(self.handler, *self.args, **self.kwargs).start()

    @property
    def ref(self) -> bool:
        """Whether waiting for the signal keeps the loop alive."""
        return self._watcher.ref

    @ref.setter
    def ref(self, value: bool) -> None:
        self._watcher.ref = value

    def cancel(self) -> None:
        """Handle the signal no more; the handler from before is back."""
        self._watcher.close()
