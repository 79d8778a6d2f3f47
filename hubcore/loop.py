"""The Loop protocol: what a backend provides, and everything that is built once above it.

A backend is a subclass of Loop that provides

    poll(timeout)   wait for events for at most `timeout` seconds (0: only look, negative: no limit) and call
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

from hubcore._core.base_loop import BaseLoop
from hubcore._core.ready_queue import Callback
from hubcore.watchers import Io, Timer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore.watchers import FdWatch, Watcher


class Loop(BaseLoop):
    """One thread's event loop; the base of every backend."""

    MINPRI = -2
    MAXPRI = 2
    #: How finely a timer is timed, in seconds, where nothing else is in the way.
    approx_timer_resolution: float = 0.001

    def _make_fd_watch(self, fd: int) -> FdWatch:
        """A watch of `fd` that watches nothing yet. OSError if the fd is not open or cannot be watched."""
        raise NotImplementedError(f"{type(self).__name__} has no _make_fd_watch()")

    # Watchers. Each is made stopped. The rare kinds are in modules of their own, imported when first used.

    def io(self, fd: int, events: int, ref: bool = True, priority: int | None = None) -> Io:
        """A watcher of `fd` for READ (1), WRITE (2) or both (3). ValueError if they are anything else."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        return Io(self, fd, events, ref, priority)

    def timer(self, after: float, repeat: float = 0.0, ref: bool = True, priority: int | None = None) -> Timer:
        """A timer, due `after` seconds of loop time after its start, then every `repeat` seconds if that is not 0."""
        return Timer(self, after, repeat, ref, priority)

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
        """A watcher of the result of os.stat for `path`, compared every `interval` seconds (0: every 5)."""
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
        """Do nothing: children are watched by pidfd. For programs that call it."""

    def reset_sigchld(self) -> None:
        """Do nothing, as `install_sigchld`."""

    def started_fork_watchers(self) -> tuple[Watcher, ...]:
        """The fork watchers whose callbacks a forked child is to run."""
        return tuple(self._lists.get("fork", ()))

    # Around a poll, for prepare, check and idle watchers, and for observers: objects whose `polls()` is called before
    # each poll and `polled()` after it.

    def _before_poll(self, block: bool) -> bool:
        for observer in tuple(self._lists.get("observers", ())):
            observer.polls()
        if not block:
            return False
        prepare = self._lists.get("prepare")
        if prepare and not self._prepared:
            # Their callbacks run now, and the pass after that, which finds nothing new ready, is the one that sleeps.
            self._prepared = True
            _queue_all(prepare)
            return False
        self._prepared = False
        return not self._lists.get("idle")

    def _after_poll(self) -> None:
        for observer in tuple(self._lists.get("observers", ())):
            observer.polled()
        if self.ready.count == 0:
            _queue_all(self._lists.get("idle"))
        _queue_all(self._lists.get("check"))

    # A loop without a hub, and gevent's names.

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

    def destroy(self) -> None:
        """gevent's name for `close`."""
        self.close()

    @property
    def activecnt(self) -> int:
        """How many things keep the loop alive."""
        return self.refs + self.jobs + self.deadlines.refs

    @property
    def pendingcnt(self) -> int:
        """How many entries are ready."""
        return len(self.ready)

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.activecnt} active, {self.pendingcnt} ready"
        return f"<{type(self).__name__} {state} at {id(self):#x}>"


def _queue_all(watchers: list[Watcher] | None) -> None:
    for watcher in tuple(watchers or ()):
        watcher._queue()
