"""EventLoop: asyncio's own selector loop, adapted to a greenlet.

It differs from the standard library's in four points. It waits in the hub, so other greenlets run meanwhile. An
exception that is raised in its greenlet during a wait cancels the future that it runs, which may then clean up. Signals
reach it through the hub, whose own signal handling goes on. Its default executor has native threads, whether or not
threads are patched.
"""

from __future__ import annotations

import asyncio
import signal
from inspect import iscoroutine, iscoroutinefunction

from greenlet import getcurrent

from hubcore._base.hints import Any, Arguments, Callable, R
from hubcore.exceptions import BlockingSwitchOutError, Cancelled, HubDestroyed, InvalidThreadUseError
from hubcore.hub import get_hub
from hubcore.scopes import CancelScope
from hubcore.selectors import DefaultSelector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.watchers import Watcher

# Errors that mean that the loop cannot wait here. Every other exception is meant for its greenlet.
_CANNOT_WAIT = (OSError, BlockingSwitchOutError, InvalidThreadUseError)


class _Interrupted:
    """The exceptions that were raised in the greenlet while the loop waited, running `task`."""

    __slots__ = ("after_the_end", "came", "scoped", "task")

    def __init__(self, task: asyncio.Future[Any]) -> None:
        self.task = task
        self.came: list[BaseException] = []
        self.after_the_end: list[BaseException] = []  # those that came when the task was done already
        self.scoped = False  # whether a scope is cancelled, so that every wait of the greenlet raises

    def add(self, error: BaseException) -> None:
        """Keep `error`, and cancel the task because of it."""
        self.scoped |= isinstance(error, Cancelled)
        (self.came if self.task.cancel() else self.after_the_end).append(error)

    @property
    def any(self) -> bool:
        """Whether an exception was raised."""
        return bool(self.came or self.after_the_end)

    def settle(self, cancelled: bool) -> tuple[BaseException | None, list[BaseException]]:
        """Return the exception to raise now that the task has ended, and those to raise at the greenlet's next wait.

        `cancelled` is whether the task ended as cancelled.
        """
        first = self.came.pop(0) if cancelled and self.came else None
        # An exception that the task has caught is settled, like any exception that a greenlet catches.
        rest = self.after_the_end + (self.came if cancelled else [])
        # Cancelled and HubDestroyed are raised at every wait anyway.
        return first, [error for error in rest if not isinstance(error, (Cancelled, HubDestroyed))]


class _Selector(DefaultSelector):
    """A selector that hands the exceptions of `select` to `interrupted`, if set, instead of raising them."""

    interrupted: _Interrupted | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        found: list[Any] = []
        interrupted = self.interrupted
        try:
            if interrupted is not None and interrupted.scoped:
                with CancelScope(shield=True):  # the task cleans up
                    found = super().select(timeout)
            else:
                found = super().select(timeout)
        except BaseException as error:
            if interrupted is None or isinstance(error, _CANNOT_WAIT):
                raise
            if isinstance(error, HubDestroyed) and interrupted.any and (timeout is None or timeout > 0):
                raise  # no wait is possible any more, and the ready callbacks have run
            interrupted.add(error)
        return found


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's selector event loop, to run in a greenlet.

    Create it in the thread that runs it; this creates that thread's hub if there is none. Any number may run in a
    thread, each in its own greenlet. `time` is the hub's: virtual on a virtual hub.
    """

    def __init__(self) -> None:
        self._hub_clock = get_hub().loop.clock  # before the base class, whose __init__ calls time()
        self._hub_selector = _Selector()
        self._hub_signals: dict[int, Watcher] = {}
        self._executor_is_set = False
        self._kept: list[BaseException] = []
        #: Whether the caller of run_until_complete() runs more in this loop, so that left-over exceptions must wait.
        self.keeps: bool = False
        super().__init__(self._hub_selector)

    def time(self) -> float:
        """The hub's time, in seconds."""
        return self._hub_clock()

    def run_until_complete(self, future: Any) -> Any:
        """Like asyncio's. An exception that is raised in the greenlet meanwhile (a kill, a Timeout, a cancelled scope)
        cancels `future`, and is raised here if `future` then ends as cancelled. Switches."""
        if self.is_closed() or self.is_running() or asyncio._get_running_loop() is not None:
            return super().run_until_complete(future)  # raises the right error
        future = asyncio.ensure_future(future, loop=self)
        interrupted = self._hub_selector.interrupted = _Interrupted(future)
        cancelled = False
        try:
            return super().run_until_complete(future)
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            self._hub_selector.interrupted = None
            first, rest = interrupted.settle(cancelled)
            self._kept += rest
            if not self.keeps:
                self.raise_kept_later()
            if first is not None:
                raise first

    def raise_kept_later(self) -> None:
        """Raise the kept exceptions at the next waits of the calling greenlet. Never switches."""
        self.keeps = False
        while self._kept:
            get_hub().interrupt(getcurrent(), self._kept.pop(0))

    # Signals.

    def add_signal_handler(self, sig: int, callback: Callable[[*Arguments], object], *args: *Arguments) -> None:
        """Like asyncio's: call `callback(*args)` in the loop when the process gets the signal. Main thread only."""
        # A process has one wake-up fd. asyncio's own method would take it from the hub and from other loops.
        if iscoroutine(callback) or iscoroutinefunction(callback):
            raise TypeError(f"a signal handler must be a plain function, not the coroutine {callback!r}")
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        watcher = get_hub().loop.signal(_valid(sig), ref=False)
        try:
            watcher.start(self._signal_came, sig, callback, args)
        except (ValueError, OSError) as error:
            raise RuntimeError(f"sig {sig} cannot be caught: {error}") from error
        before = self._hub_signals.pop(sig, None)
        if before is not None:
            before.close()
        self._hub_signals[sig] = watcher

    def remove_signal_handler(self, sig: int) -> bool:
        """Like asyncio's: return whether there was a handler. Python then handles the signal as it did before."""
        watcher = self._hub_signals.pop(_valid(sig), None)
        if watcher is None:
            return False
        watcher.close()
        return True

    def _signal_came(self, sig: int, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        """Schedule the handler in this loop. Runs in the hub."""
        if sig in self._hub_signals and not self.is_closed():
            self.call_soon_threadsafe(callback, *args)

    def close(self) -> None:
        """Like asyncio's; removes the signal handlers, too."""
        super().close()
        while self._hub_signals:
            self._hub_signals.popitem()[1].close()

    # Threads.

    def run_in_executor(self, executor: Any, func: Callable[[*Arguments], R], *args: *Arguments) -> asyncio.Future[R]:
        """Like asyncio's; the default executor has native threads, also where threads are patched."""
        if executor is None and not self._executor_is_set:
            from hubcore.threadpool import ThreadPoolExecutor

            self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        return super().run_in_executor(executor, func, *args)

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        """Like asyncio's."""
        # It waits for a thread. A thread needs real time, also on a virtual hub.
        loop = get_hub().loop
        loop.begin_external()
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            loop.end_external()

    def set_default_executor(self, executor: Any) -> None:
        """Like asyncio's."""
        super().set_default_executor(executor)
        self._executor_is_set = True


def _valid(sig: int) -> int:
    if not isinstance(sig, int):
        raise TypeError(f"sig must be an int, not {sig!r}")
    if sig not in signal.valid_signals():
        raise ValueError(f"invalid signal number {sig}")
    return sig


EventLoop.__module__ = "hubcore.aio"
