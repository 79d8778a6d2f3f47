"""Links to the end of a child process: they call a callback in the hub, or in a thread, of the linking thread."""

from __future__ import annotations

from hubcore._base.worker_threads import start_thread
from hubcore._sync.links import DirectLink
from hubcore._watchers.child import ChildEnd, sleep_until_ended
from hubcore.hub import get_hub_if_any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._core.ready_queue import Callback


class ExitLink:
    """One link of `callback` to a child, which has `pid`, `ready()` and `_links`; `_links` holds it until the call."""

    __slots__ = ("_entry", "_watcher", "callback", "child")

    def __init__(self, child: Any, callback: Callable[[Any], object]) -> None:
        self.child = child
        self.callback = callback
        self._entry: Callback | None = None
        self._watcher: ChildEnd | None = None

    def start(self) -> None:
        """Call the callback when the child has ended; soon if it already has. Never switches.

        Each hub watches the child itself, so no hub depends on another.
        """
        hub = get_hub_if_any()
        if hub is None:
            if self.child.ready():
                self._call()
            else:
                start_thread(self._sleep, ())
            return
        try:
            if not self.child.ready():
                self._watcher = ChildEnd(hub.loop, self.child.pid)
                self._watcher.start(self._call)
                return
        except ChildProcessError:
            pass  # other code has just reaped it
        self._entry = hub.loop.run_callback(self._call)

    def stop(self) -> None:
        """Cancel the call. Never switches."""
        self._forget()
        if self._watcher is not None:
            self._watcher.close()
        if self._entry is not None:
            self._entry.stop()

    def _forget(self) -> bool:
        for i, link in enumerate(self.child._links):
            if link is self:
                del self.child._links[i]
                return True
        return False

    def _sleep(self) -> None:
        sleep_until_ended(self.child.pid)
        self._call()

    def _call(self) -> None:
        if not self._forget():
            return
        self.child.ready()  # reaps it
        callback = self.callback
        if isinstance(callback, DirectLink):
            callback.notify(self.child)
        else:
            callback(self.child)
