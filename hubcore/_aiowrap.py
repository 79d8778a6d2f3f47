"""What coroutines await of hubcore's: `wrap`."""

from __future__ import annotations

import asyncio
from concurrent import futures

from greenlet import getcurrent

from hubcore.greenlet import Greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    _Future = asyncio.Future[Any]
else:
    _Future = asyncio.Future


def wrap(waitable: Any) -> asyncio.Future[Any]:
    """A future of the running loop that is done when `waitable` is: a greenlet, or anything else with `rawlink`.

    A greenlet, of whatever thread, is as a Task: what it returns or raises is the future's; one that was killed makes
    the future cancelled; and to cancel the future kills the greenlet, as to cancel who awaits it does, which goes on
    when it has ended. `asyncio.shield(wrap(greenlet))` spares it. To cancel a wait for anything else only ends the
    wait. The result of an AsyncResult is its value or exception, of anything else (Event, Semaphore ...) that itself.
    """
    loop = asyncio.get_running_loop()
    if isinstance(waitable, futures.Future):
        return asyncio.wrap_future(waitable, loop=loop)
    if waitable is getcurrent():
        raise RuntimeError(f"{waitable!r} cannot wait for its own end")
    if not hasattr(waitable, "rawlink"):
        raise TypeError(
            f"what is awaited has `rawlink`, as greenlets, events, locks and queues do; {waitable!r} has not"
        )
    return _OfGreenlet(waitable, loop) if isinstance(waitable, Greenlet) else _OfAnything(waitable, loop)


class _OfAnything(_Future):
    """The future of one wait for `source`."""

    def __init__(self, source: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._source = source
        source.rawlink(self._came)

    def _came(self, source: object) -> None:
        """In a hub, or in whatever thread."""
        try:
            self.get_loop().call_soon_threadsafe(self._take_over)
        except RuntimeError:
            pass  # the loop is closed, so nobody waits any more

    def _take_over(self) -> None:
        """In the loop."""
        if not self.done():
            source = self._source
            error = getattr(source, "exception", None)
            if error is None:
                self.set_result(getattr(source, "value", source))
            elif isinstance(error, StopIteration):  # which a coroutine cannot raise
                wrapper = RuntimeError(f"{source!r} raised StopIteration")
                wrapper.__cause__ = error
                self.set_exception(wrapper)
            else:
                self.set_exception(error)

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        self._source.unlink(self._came)
        return super().cancel(msg)


class _OfGreenlet(_OfAnything):
    """The future of a greenlet's end."""

    def __init__(self, source: Greenlet, loop: asyncio.AbstractEventLoop) -> None:
        source._add_observer()  # asyncio tells of a failure that nobody looks at
        self._message: Any = None
        super().__init__(source, loop)

    def _take_over(self) -> None:
        if self._source.killed:
            if not self.done():
                _Future.cancel(self, self._message)
        else:
            super()._take_over()

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        self._message = msg
        self._source.kill(block=False)
        return True
