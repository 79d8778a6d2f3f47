"""BaseLoop: what the scheduler drives and watchers stand on. One pass, its deadlines, its ready queue, its life.

`hubcore.loop.Loop` adds the factories of watchers and describes the protocol for authors of backends.
"""

from __future__ import annotations

from _thread import get_ident as _get_ident
from math import inf
from time import monotonic

from hubcore._base import uncompiled as cython
from hubcore._core.deadlines import Deadline, DeadlineHeap
from hubcore._core.ready_queue import Callback, ReadyQueue
from hubcore.exceptions import BlockingSwitchOutError, InvalidThreadUseError

if not cython.compiled:
    from _thread import get_ident as get_ident

    from hubcore._base.hints import Any, Callable, TracebackType


#: The upper limits, in seconds, by which the stretches between two polls are counted; the last class has no limit.
STRETCHES = (0.001, 0.01, 0.1, 1.0)
_FIRST_STRETCH = STRETCHES[0]
#: The version of the Loop protocol that this hubcore speaks; see hubcore.loop.
PROTOCOL_VERSION = 1


class BaseLoop:
    """One thread's event loop without its watchers: passes, deadlines, callbacks, external operations."""

    #: The backend's name, as HUB_BACKEND takes it.
    name = "?"
    #: The version of the Loop protocol that the backend was written for; None is refused.
    protocol_version: int | None = None
    #: The kernel's interface that the backend uses, such as "epoll", for reports.
    backend = ""

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        self.default: bool = bool(default)
        self.thread_ident: int = _get_ident()
        self.deadlines: DeadlineHeap = DeadlineHeap()
        self.ready: ReadyQueue = ReadyQueue(self)
        self.refs: int = 0  # what keeps the loop alive: waiters on fds, started watchers, external operations
        self.external: int = 0  # operations that another thread or process completes, and whose end the hub itself sees
        self.jobs: int = 0  # the same, but the thread that completes one counts it off
        self.passes: int = 0  # begun so far
        self.slept: float = 0.0  # seconds that polls have waited
        self.stretches: list[int] = [0] * (len(STRETCHES) + 1)  # between two polls, by length
        self.longest: float = 0.0  # the longest of them, in seconds
        self.closed: bool = False
        self.polling: bool = False
        self.patience: float = -1.0  # the longest wait of a poll without a deadline, in seconds; negative: no limit
        self.watchers: set[Any] = set()  # started with a callback
        self.fd_watches: dict[int, Any] = {}
        self.error_handler: Any = None
        self._lists: dict[str, list[Any]] = {}
        self._hooks = 0
        self._prepared = False
        self._break = False
        self._now = self.clock()
        self._polled = self._now  # when the last poll ended

    # What a backend provides.

    def poll(self, timeout: float) -> None:
        """Wait for events for at most `timeout` seconds. 0 only looks; a negative timeout has no limit."""
        raise NotImplementedError(f"{type(self).__name__} has no poll()")

    def wake(self) -> None:
        """Make the `poll` that sleeps, or the next one, return at once. Any thread; calls coalesce."""
        raise NotImplementedError(f"{type(self).__name__} has no wake()")

    def clock(self) -> float:
        """The time now, in seconds, monotonic."""
        return monotonic()

    def spins(self) -> None:
        """Code that never waits has made many steps, and no entry is ready. On virtual time, let time pass."""

    def reinit(self) -> None:
        """In a forked child: become usable, sharing no fd with the parent's loop. Nothing is watched any more."""
        raise NotImplementedError(f"{type(self).__name__} has no reinit()")

    def make_fd_watch(self, fd: int) -> Any:
        """A watch of `fd` that watches nothing yet. OSError if the fd is not open or cannot be watched."""
        raise NotImplementedError(f"{type(self).__name__} has no make_fd_watch()")

    def release(self) -> None:
        """Release every fd and allocation."""
        raise NotImplementedError(f"{type(self).__name__} has no release()")

    def fileno(self) -> int | None:
        """An fd that is readable while there are events to poll for, or None if the backend has none."""
        return None

    # Time.

    def now(self) -> float:
        """The loop's time in seconds, as of the last time it read the clock."""
        return self._now

    def update_now(self) -> float:
        """Read the clock and return the loop's time in seconds."""
        self._now = self.clock()
        return self._now

    def update(self) -> None:
        """The same as `update_now`."""
        self.update_now()

    def add_deadline(self, deadline: Deadline, after: float) -> None:
        """Schedule `deadline` `after` seconds from this moment."""
        # The clock is read anew: counted from the last reading, a deadline would come early by what has passed since.
        self._now = self.clock()
        self.deadlines.add(deadline, self._now + after)

    def add_deadline_at(self, deadline: Deadline, at: float) -> None:
        """Schedule `deadline` at the loop's time `at`."""
        self.deadlines.add(deadline, at)

    # One pass.

    def alive(self) -> bool:
        """Whether anything is ready, or can become ready without the help of another thread."""
        return self.refs > 0 or self.jobs > 0 or self.deadlines.refs > 0 or not self.ready.is_empty()

    def run_pass(self, block: bool) -> None:
        """One pass: poll (waiting for the first event or deadline only if `block`), then make ready what is due.

        Never switches and never runs user code; afterwards `ready` holds what can run.
        """
        if self.polling or self.thread_ident != get_ident():
            self.check_at_rest()
        self.passes += 1
        timeout = 0.0
        if self._hooks:
            block = self._before_poll(block)
        began = -1.0
        if block and self.ready.is_empty():
            began = self.clock()
            self._count_stretch(began - self._polled)
            earliest = self.deadlines.earliest()
            timeout = self.patience if earliest == inf else max(0.0, earliest - began)
        observer = self.ready.observer
        if observer is not None:
            observer.polls(timeout)
        self.polling = True
        try:
            self.poll(timeout)
        finally:
            self.polling = False
            if observer is not None:
                observer.polled()
        ended = self.clock()
        if began < 0.0:
            self._count_stretch(ended - self._polled)  # with the poll itself, which did not wait
        elif timeout != 0.0:
            self.slept += ended - began
        self._polled = ended
        if timeout != 0.0 or self.deadlines.earliest() != inf:
            self._now = ended
            if self.deadlines.earliest() <= self._now:
                self.deadlines.fire_due(self._now)
        self.ready.drain_inbox()
        if self._hooks:
            self._after_poll()

    def _count_stretch(self, seconds: float) -> None:
        """Count one stretch of `seconds` between the end of a poll and the beginning of the next."""
        if seconds > self.longest:
            self.longest = seconds
        i = 0
        if seconds > _FIRST_STRETCH:
            while i < len(STRETCHES) and seconds > STRETCHES[i]:
                i += 1
        self.stretches[i] += 1

    def _before_poll(self, block: bool) -> bool:
        """Called before a poll while `_hooks` is not 0; returns whether the poll may still wait."""
        return block

    def _after_poll(self) -> None:
        """Called after a poll while `_hooks` is not 0."""

    # Who may call.

    def check_thread(self) -> None:
        """InvalidThreadUseError unless called in the loop's thread; ValueError if the loop is closed."""
        if self.thread_ident != get_ident():
            raise InvalidThreadUseError(
                f"{self!r} belongs to thread {self.thread_ident:#x} and was used from thread {_get_ident():#x}; "
                "use run_callback_threadsafe, or the calling thread's own hub"
            )
        if self.closed:
            raise ValueError(f"{self!r} is closed")

    def check_at_rest(self) -> None:
        """InvalidThreadUseError unless called in the loop's thread, BlockingSwitchOutError while the loop polls there.

        A call that takes the C library's loop away from under a poll crashes the process.
        """
        if self.thread_ident != get_ident():
            self.check_thread()
        if self.polling and not self.leave_poll():
            raise BlockingSwitchOutError(
                f"{self!r} is polling; while it polls (in a finalizer or a signal handler) it can neither be closed "
                "nor polled"
            )

    def leave_poll(self) -> bool:
        """Called in the loop's thread where it polls and the caller needs it at rest: whether it is now.

        A finalizer and a signal handler run inside `poll` and cannot end it: False. A poll that runs other code of the
        thread (`backends.asyncio_`) can be ended by that code, or raises the error that says why not.
        """
        return False

    def check_interruptible(self) -> None:
        """Called while it polls, where a Timeout or a cancel scope begins: raise if it cannot interrupt the caller."""

    # External operations. The hub sees the end of some by itself (a look-up, a child): `begin_external`. Of others no
    # greenlet may be left that wants the result, so the thread that completes one counts it off: `begin_job`.

    def begin_external(self, ref: bool = True) -> None:
        """An operation began that another thread or process completes: real time passes for it, and it keeps the loop
        alive.

        With `ref` False a watcher or the like keeps the loop alive instead. Loop thread only.
        """
        self.external += 1
        if ref:
            self.refs += 1

    def end_external(self, ref: bool = True) -> None:
        """The operation has ended; `ref` as it began. Loop thread only."""
        self.external -= 1
        if ref:
            self.refs -= 1

    def begin_job(self) -> None:
        """As `begin_external`, for an operation that ends with `end_job`. Any thread."""
        self.jobs += 1

    def end_job(self) -> None:
        """The operation has ended. Any thread; it does not need the hub's help."""
        self.jobs -= 1
        # A hub to which something was sent and that has not got to it was woken for that, and will see this, too.
        if not self.closed and self.ready.is_empty():
            self.wake()

    # Callbacks.

    def run_callback(self, callback: Callable[..., object], *args: object) -> Callback:
        """Have the hub call `callback(*args)` soon, after what is ready already. Loop thread only; never switches."""
        if self.thread_ident != get_ident():
            self.check_thread()
        return self._queue_callback(callback, args)

    def run_callback_threadsafe(self, callback: Callable[..., object], *args: object) -> Callback:
        """As `run_callback`, from any thread."""
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {callback!r}")
        entry = Callback(callback, args)
        self.ready.push_threadsafe(entry)
        return entry

    def _queue_callback(self, callback: Callable[..., object], args: tuple[object, ...]) -> Callback:
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {callback!r}")
        entry = Callback(callback, args)
        self.ready.push(entry)
        return entry

    def handle_error(
        self, context: object, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Report what a callback raised: to `error_handler.handle_error` (the hub), else through sys.excepthook."""
        if self.error_handler is not None:
            self.error_handler.handle_error(context, kind, value, tb)
        elif kind is not None and value is not None:
            import sys

            sys.excepthook(kind, value, tb)

    def ref(self) -> None:
        """Stay alive for one thing more."""
        self.refs += 1

    def unref(self) -> None:
        """Undo one `ref`."""
        self.refs -= 1

    # Its end.

    def closing_fd(self, fd: int) -> bool:
        """`fd` is about to be closed: greenlets that wait for it get OSError (EBADF). True if any watcher was on it."""
        watch = self.fd_watches.get(fd)
        if watch is None:
            return False
        for io in tuple(watch.ios):
            io.close()
        return True

    def replaced_fd(self, fd: int) -> None:
        """Watch the file that `fd` stands for now, after os.dup2. Loop thread only; never switches.

        The waits for `fd` go on. If the file cannot be watched, they fail with OSError.
        """
        watch = self.fd_watches.get(fd)
        if watch is not None:
            watch.renew()

    def abandon_after_fork(self) -> None:
        """In a forked child: release the fds without touching what the parent shares. Nothing here runs any more."""
        if not self.closed:
            self.closed = True
            self.ready.disconnect()
            self.reinit()
            self.release()

    def close(self) -> None:
        """Release every fd and allocation; closing twice is harmless. Callbacks that did not run are dropped.

        Loop thread only, and not while it polls.
        """
        if self.closed:
            return
        self.check_at_rest()
        for watcher in list(self.watchers):
            watcher.stop()
        for fd in list(self.fd_watches):
            self.closing_fd(fd)
        self.closed = True
        self.ready.disconnect()
        self.release()


if not cython.compiled:
    from hubcore._capi.fallback import atomic

    atomic(BaseLoop, "begin_job", "end_job")
