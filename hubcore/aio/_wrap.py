"""`wrap`: asyncio futures for greenlets and other things of hubcore that coroutines await."""

from __future__ import annotations

import asyncio
from concurrent import futures

from greenlet import getcurrent

from hubcore._base.hints import Any
from hubcore.greenlet import Greenlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    _Future = asyncio.Future[Any]
else:
    _Future = asyncio.Future


def wrap(waitable: Any) -> asyncio.Future[Any]:
    """Return a future of the running loop, done when `waitable` is: a greenlet or another object with `rawlink`.

    A greenlet, of any thread, behaves like a Task. The future gets the greenlet's result or exception; a killed
    greenlet makes the future cancelled. Cancelling the future, or the coroutine that awaits it, kills the greenlet; the
    coroutine goes on when the greenlet has ended. `asyncio.shield(wrap(greenlet))` protects the greenlet. Cancelling a
    wait for any other object only ends the wait. The future's result is an AsyncResult's value or exception; for other
    objects (Event, Semaphore ...) it is the object itself.
    """
    loop = asyncio.get_running_loop()
    if isinstance(waitable, futures.Future):
        return asyncio.wrap_future(waitable, loop=loop)
    if waitable is getcurrent():
        raise RuntimeError(f"{waitable!r} cannot wait for its own end")
    if not hasattr(waitable, "rawlink"):
        raise TypeError(
            f"cannot wait for {waitable!r}: expected a greenlet, event, lock, queue or another object with rawlink()"
        )
    return _OfGreenlet(waitable, loop) if isinstance(waitable, Greenlet) else _OfAnything(waitable, loop)


class _OfAnything(_Future):
    """The future of one wait for `source`."""

    def __init__(self, source: Any, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._source = source
        source.rawlink(self._came)

    def _came(self, source: object) -> None:
        """Schedule `_take_over` in the loop. Runs in a hub or in any thread."""
        try:
            self.get_loop().call_soon_threadsafe(self._take_over)
        except RuntimeError:
            pass  # the loop is closed, so no coroutine waits any more

    def _take_over(self) -> None:
        """Take the result from the source. Runs in the loop."""
        if not self.done():
            source = self._source
            error = getattr(source, "exception", None)
            if error is None:
                self.set_result(getattr(source, "value", source))
            elif isinstance(error, StopIteration):  # a coroutine cannot raise it
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
        source._add_observer()  # asyncio reports a failure that no coroutine retrieves
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


wrap.__module__ = "hubcore.aio"
