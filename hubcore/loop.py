"""The Loop protocol: what a backend provides, and everything that is built once above it.

A backend is a subclass of Loop that provides

    poll(timeout)   wait for events at most `timeout` seconds (0: only look, negative: no limit) and call
                    `on_event(events)` of every FdWatch whose fd is ready; release the GIL only while really waiting;
                    return early when woken, or at any time
    wake()          make the `poll` that sleeps, or the next one, return at once; any thread; calls coalesce
    _make_fd_watch(fd)   a subclass of FdWatch, level-triggered
    clock()         seconds, monotonic; all time in hubcore comes from here
    reinit()        be usable in a forked child without touching what the parent shares
    _release()      release every fd and allocation

and is then driven by `run_pass`, whose order is: prepare, poll, timers, other threads' callbacks, check, idle.
User code never runs inside `poll`: an event makes a parked waiter ready or queues a callback.

A loop belongs to the thread that made it. Only `wake` and `run_callback_threadsafe` may be called from others.
"""

from __future__ import annotations

import sys
from _thread import get_ident as _get_ident
from math import inf
from time import monotonic

import cython

from hubcore._core.deadlines import Deadline, DeadlineHeap
from hubcore._core.ready_queue import Callback, ReadyQueue
from hubcore.exceptions import BlockingSwitchOutError, InvalidThreadUseError

if not cython.compiled:
    from _thread import get_ident as get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from hubcore.watchers import FdWatch, Io, Timer, Watcher


class Loop:
    """One thread's event loop; the base of every backend."""

    MINPRI = -2
    MAXPRI = 2
    #: How finely a timer is timed, in seconds, where nothing else is in the way.
    approx_timer_resolution = 0.001
    #: The backend's name, as HUB_BACKEND takes it.
    name = "?"

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        self.default = bool(default)
        self.thread_ident = _get_ident()
        self.deadlines = DeadlineHeap()
        self.ready = ReadyQueue(self)
        self.refs = 0  # what can still wake somebody: waiters on fds, started watchers, work outside
        self.external = 0  # operations that another thread or process will finish
        self.passes = 0  # begun so far
        self.jobs = 0  # as `external`, of those whose own thread says that they have
        self.closed = False
        self.polling = False
        self.patience = -1.0  # seconds that a poll waits for events at most where no deadline limits it; negative: ever
        self.watchers: set[Watcher] = set()  # started with a callback
        self.fd_watches: dict[int, FdWatch] = {}
        self.error_handler: Any = None
        self._lists: dict[str, list[Watcher]] = {}
        self._hooks = 0
        self._prepared = False
        self._break = False
        self._now = self.clock()

    # What a backend provides.

    def poll(self, timeout: float) -> None:
        """Wait for events at most `timeout` seconds (0: only look; negative: no limit). See the module's text."""
        raise NotImplementedError(f"{type(self).__name__} has no poll()")

    def wake(self) -> None:
        """Make the `poll` that sleeps, or the next one, return at once. Any thread; calls coalesce."""
        raise NotImplementedError(f"{type(self).__name__} has no wake()")

    def _make_fd_watch(self, fd: int) -> FdWatch:
        """What watches `fd`; nothing is watched yet. OSError if the fd is not open or cannot be watched."""
        raise NotImplementedError(f"{type(self).__name__} has no _make_fd_watch()")

    def clock(self) -> float:
        """The time now, in seconds, monotonic."""
        return monotonic()

    def reinit(self) -> None:
        """In a forked child: become usable, with no fd shared with the parent's loop. What was watched is not."""
        raise NotImplementedError(f"{type(self).__name__} has no reinit()")

    def _release(self) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no _release()")

    # What the Hub uses.

    def now(self) -> float:
        """The loop's time as of its last look at the clock, in seconds."""
        return self._now

    def update_now(self) -> float:
        """Look at the clock; return the loop's time in seconds."""
        self._now = self.clock()
        return self._now

    def update(self) -> None:
        """The same as `update_now`."""
        self.update_now()

    def alive(self) -> bool:
        """Whether anything is ready, or can become ready without the help of another thread."""
        return self.refs > 0 or self.jobs > 0 or self.deadlines.refs > 0 or not self.ready.is_empty()

    def add_deadline(self, deadline: Deadline, after: float) -> None:
        """Schedule `deadline` `after` seconds from this moment."""
        # A fresh look at the clock: counted from the last one, a deadline would come early by what has passed since.
        self._now = self.clock()
        self.deadlines.add(deadline, self._now + after)

    def run_pass(self, block: bool) -> None:
        """One pass: poll (waiting for the first event or deadline only if `block`), then make ready what is due.

        Never switches and never runs user code; what is ready afterwards is in `ready`.
        """
        if self.polling or self.thread_ident != get_ident():
            self.check_at_rest()
        self.passes += 1
        timeout = 0.0
        if self._hooks:
            block = self._before_poll(block)
        if block and self.ready.is_empty():
            earliest = self.deadlines.earliest()
            timeout = self.patience if earliest == inf else max(0.0, earliest - self.clock())
        self.polling = True
        try:
            self.poll(timeout)
        finally:
            self.polling = False
        if timeout != 0.0 or self.deadlines.earliest() != inf:
            self._now = self.clock()
            if self.deadlines.earliest() <= self._now:
                self.deadlines.fire_due(self._now)
        self.ready.drain_inbox()
        if self._hooks:
            self._after_poll()

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

        For what would take the C library's loop away from under a poll, which is how a process crashes.
        """
        if self.thread_ident != get_ident():
            self.check_thread()
        if self.polling:
            raise BlockingSwitchOutError(
                f"{self!r} is polling; while it does that (in a finalizer or a signal handler) it can neither be "
                "closed nor polled"
            )

    def begin_external(self, ref: bool = True) -> None:
        """An operation began that another thread or process will finish: let real time pass for it, and stay alive.

        With `ref` False something else says whether to stay alive, such as a watcher. Loop thread only.
        """
        self.external += 1
        if ref:
            self.refs += 1

    def end_external(self, ref: bool = True) -> None:
        """It has finished; `ref` as it began. Loop thread only."""
        self.external -= 1
        if ref:
            self.refs -= 1

    def begin_job(self) -> None:
        """As `begin_external`, for what ends with `end_job`. Any thread."""
        self.jobs += 1

    def end_job(self) -> None:
        """It has finished. Any thread, so that the hub need not be asked to."""
        self.jobs -= 1
        # Where something was sent to the hub and it has not got to it, it was woken for that and will see this, too.
        if not self.closed and self.ready.is_empty():
            self.wake()

    # What programs use.

    def io(self, fd: int, events: int, ref: bool = True, priority: int | None = None) -> Io:
        """A stopped watcher of `fd` for READ (1), WRITE (2) or both (3). ValueError if they are anything else."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        from hubcore.watchers import Io

        return Io(self, fd, events, ref, priority)

    def timer(self, after: float, repeat: float = 0.0, ref: bool = True, priority: int | None = None) -> Timer:
        """A stopped timer, due `after` seconds of loop time after its start, then every `repeat` seconds if not 0."""
        from hubcore.watchers import Timer

        return Timer(self, after, repeat, ref, priority)

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

    def ref(self) -> None:
        """Stay alive for one thing more."""
        self.refs += 1

    def unref(self) -> None:
        """Undo one `ref`."""
        self.refs -= 1

    @property
    def activecnt(self) -> int:
        """How many things keep the loop alive."""
        return self.refs + self.jobs + self.deadlines.refs

    @property
    def pendingcnt(self) -> int:
        """How many entries are ready."""
        return len(self.ready)

    def closing_fd(self, fd: int) -> bool:
        """`fd` is about to be closed: greenlets that wait for it get OSError (EBADF). True if any watcher was on it."""
        watch = self.fd_watches.get(fd)
        if watch is None:
            return False
        for io in tuple(watch.ios):
            io.close()
        return True

    def run(self, nowait: bool = False, once: bool = False) -> None:
        """Run the loop without a hub: passes and callbacks, until nothing keeps it alive, `break_()`, or one pass."""
        self.check_thread()
        self._break = False
        while not self._break and self.alive():
            self.run_pass(not nowait)
            for _ in range(self.ready.count):
                entry = self.ready.pop()
                if not isinstance(entry, Callback):
                    raise TypeError(f"{entry!r} is ready, and only a hub can run it; use Hub instead of Loop.run")
                try:
                    entry.run()
                except BaseException:
                    self.handle_error(entry, *sys.exc_info())
            if nowait or once:
                break

    def break_(self, how: object = None) -> None:
        """Make `run` return after the callbacks that are ready."""
        self._break = True

    def handle_error(
        self, context: object, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Report what a callback raised: to `error_handler.handle_error` (the hub), else through sys.excepthook."""
        if self.error_handler is not None:
            self.error_handler.handle_error(context, kind, value, tb)
        elif kind is not None and value is not None:
            sys.excepthook(kind, value, tb)

    def abandon_after_fork(self) -> None:
        """In a forked child: release the fds without touching what the parent shares. Nothing here runs any more."""
        if not self.closed:
            self.closed = True
            self.ready.disconnect()
            self.reinit()
            self._release()

    def started_fork_watchers(self) -> tuple[Watcher, ...]:
        """The fork watchers whose callbacks a forked child is to run."""
        return tuple(self._lists.get("fork", ()))

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
        self._release()

    def destroy(self) -> None:
        """gevent's name for `close`."""
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.activecnt} active, {self.pendingcnt} ready"
        return f"<{type(self).__name__} {state} at {id(self):#x}>"

    # The rare kinds of watcher, built from these; in a module of their own, imported when first used.

    def async_(self, ref: bool = True, priority: int | None = None) -> Watcher:
        """A watcher whose `send()`, from any thread, runs its callback once for all sends before it."""
        from hubcore._watchers.rare import Async

        return Async(self, ref, priority)

    def idle(self, ref: bool = True, priority: int | None = None) -> Watcher:
        """A watcher whose callback runs at each pass that finds nothing else to do; meanwhile the loop never sleeps."""
        from hubcore._watchers.rare import Idle

        return Idle(self, ref, priority)

    def prepare(self, ref: bool = True, priority: int | None = None) -> Watcher:
        """A watcher whose callback runs before each poll that may sleep."""
        from hubcore._watchers.rare import Prepare

        return Prepare(self, ref, priority)

    def check(self, ref: bool = True, priority: int | None = None) -> Watcher:
        """A watcher whose callback runs after each poll."""
        from hubcore._watchers.rare import Check

        return Check(self, ref, priority)

    def fork(self, ref: bool = True, priority: int | None = None) -> Watcher:
        """A watcher whose callback runs in a forked child, once `reinit` made the loop usable there."""
        from hubcore._watchers.rare import Fork

        return Fork(self, ref, priority)

    def stat(self, path: str, interval: float = 0.0, ref: bool = True, priority: int | None = None) -> Watcher:
        """A watcher of what os.stat says of `path`, looked at every `interval` seconds (0: every 5)."""
        from hubcore._watchers.rare import Stat

        return Stat(self, path, interval, ref, priority)

    def child(self, pid: int, trace: bool = False, ref: bool = True) -> Watcher:
        """A watcher of the end of the child process `pid`; it then has `rpid` and `rstatus` as waitpid gives them."""
        from hubcore._watchers.child import Child

        return Child(self, pid, ref)

    def signal(self, signum: int, ref: bool = True, priority: int | None = None) -> Watcher:
        """A watcher of a signal to this process. Start and stop it in the main thread only, as Python demands."""
        from hubcore._watchers.signals import Signal

        return Signal(self, signum, ref, priority)

    def install_sigchld(self) -> None:
        """Nothing to do: children are watched by pidfd. For programs that call it."""

    def reset_sigchld(self) -> None:
        """Nothing to do, as `install_sigchld`."""

    def _before_poll(self, block: bool) -> bool:
        from hubcore._watchers.rare import before_poll

        return before_poll(self, block)

    def _after_poll(self) -> None:
        from hubcore._watchers.rare import after_poll

        after_poll(self)


if not cython.compiled:
    from hubcore._capi.fallback import atomic

    atomic(Loop, "begin_job", "end_job")
