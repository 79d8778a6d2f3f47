"""EventLoop: asyncio's own selector loop, made for a greenlet.

It is the standard library's in all but this: it waits in the hub, and so lets other greenlets run; what is raised in
its greenlet while it waits cancels what it runs, which may then clean up; signals come by way of the hub, which goes on
hearing of them, too; and its default executor has native threads, whether or not threads are patched.
"""

from __future__ import annotations

import asyncio
import signal
from inspect import iscoroutine, iscoroutinefunction

from greenlet import getcurrent

from hubcore.exceptions import BlockingSwitchOutError, Cancelled, HubDestroyed, InvalidThreadUseError
from hubcore.hub import get_hub
from hubcore.scopes import CancelScope
from hubcore.selectors import DefaultSelector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, TypeVarTuple

    from hubcore.watchers import Watcher

    T = TypeVar("T")
    Arguments = TypeVarTuple("Arguments")

# What says that the loop cannot wait here, rather than that somebody wants its greenlet to end.
_CANNOT_WAIT = (OSError, BlockingSwitchOutError, InvalidThreadUseError)


class _Interrupted:
    """What was raised in the greenlet while the loop waited, running `task`."""

    __slots__ = ("after_the_end", "came", "scoped", "task")

    def __init__(self, task: asyncio.Future[Any]) -> None:
        self.task = task
        self.came: list[BaseException] = []
        self.after_the_end: list[BaseException] = []  # that came when there was nothing left to cancel
        self.scoped = False  # whether a scope is cancelled, which has every wait of the greenlet raise

    def add(self, error: BaseException) -> None:
        """Keep `error`, and cancel the task by it."""
        self.scoped |= isinstance(error, Cancelled)
        (self.came if self.task.cancel() else self.after_the_end).append(error)

    @property
    def any(self) -> bool:
        """Whether there was anything."""
        return bool(self.came or self.after_the_end)

    def settle(self, cancelled: bool) -> tuple[BaseException | None, list[BaseException]]:
        """The task has ended, and it was `cancelled` or not: what to raise for that, and what at the next wait."""
        first = self.came.pop(0) if cancelled and self.came else None
        # One that the task has caught is over, as anything is that a greenlet catches.
        rest = self.after_the_end + (self.came if cancelled else [])
        # These are raised at every wait anyway.
        return first, [error for error in rest if not isinstance(error, (Cancelled, HubDestroyed))]


class _Selector(DefaultSelector):
    """Gives to `interrupted`, if there is one, what else would come out of `select`."""

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
                raise  # there can be no more waiting, and what is ready has run
            interrupted.add(error)
        return found


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's selector event loop, to run in a greenlet. Made in the thread that runs it, which gets a hub by it.

    Any number may run in a thread, each in a greenlet of its own. `time` is the hub's: virtual on a virtual hub.
    """

    def __init__(self) -> None:
        self._hub_clock = get_hub().loop.clock  # before the base class, which asks for the time
        self._hub_selector = _Selector()
        self._hub_signals: dict[int, Watcher] = {}
        self._executor_is_set = False
        self._kept: list[BaseException] = []
        #: Whether more is to be run before the caller goes on.
        self.keeps = False
        super().__init__(self._hub_selector)

    def time(self) -> float:
        """The hub's time, in seconds."""
        return self._hub_clock()

    def run_until_complete(self, future: Any) -> Any:
        """As asyncio has it. What is raised in the greenlet meanwhile (a kill, a Timeout, a cancelled scope) cancels
        `future`, and is raised here when that has ended as cancelled."""
        if self.is_closed() or self.is_running() or asyncio._get_running_loop() is not None:
            return super().run_until_complete(future)  # which says what is wrong
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
        """Have what came beside what was raised be raised when the calling greenlet waits next."""
        self.keeps = False
        while self._kept:
            get_hub().interrupt(getcurrent(), self._kept.pop(0))

    # Signals.

    def add_signal_handler(self, sig: int, callback: Callable[[*Arguments], object], *args: *Arguments) -> None:
        """As asyncio has it: call `callback(*args)` in the loop when the process gets the signal. Main thread only."""
        # asyncio would take the process's wake-up fd, of which there is one, from the hub and from other loops.
        if iscoroutine(callback) or iscoroutinefunction(callback):
            raise TypeError(f"a signal's handler is a plain function, not a coroutine, {callback!r}")
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
        """As asyncio has it: whether there was one. Python then handles the signal as it did before."""
        watcher = self._hub_signals.pop(_valid(sig), None)
        if watcher is None:
            return False
        watcher.close()
        return True

    def _signal_came(self, sig: int, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        """In the hub."""
        if sig in self._hub_signals and not self.is_closed():
            self.call_soon_threadsafe(callback, *args)

    def close(self) -> None:
        """As asyncio has it."""
        super().close()
        while self._hub_signals:
            self._hub_signals.popitem()[1].close()

    # Threads.

    def run_in_executor(self, executor: Any, func: Callable[[*Arguments], T], *args: *Arguments) -> asyncio.Future[T]:
        """As asyncio has it; `executor` None is one with native threads, also where threads are patched."""
        if executor is None and not self._executor_is_set:
            from hubcore.threadpool import ThreadPoolExecutor

            self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        return super().run_in_executor(executor, func, *args)

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        """As asyncio has it."""
        # It waits for a thread, for which real time has to pass, on a virtual hub too.
        loop = get_hub().loop
        loop.begin_external()
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            loop.end_external()

    def set_default_executor(self, executor: Any) -> None:
        """As asyncio has it."""
        super().set_default_executor(executor)
        self._executor_is_set = True


def _valid(sig: int) -> int:
    if not isinstance(sig, int):
        raise TypeError(f"sig must be an int, not {sig!r}")
    if sig not in signal.valid_signals():
        raise ValueError(f"invalid signal number {sig}")
    return sig
