"""The Loop protocol, version 1: what a backend provides, and everything that is built once above it.

docs/write-a-backend.md builds a backend step by step; hubcore.testing.conformance is this contract as tests.

A backend is a subclass of Loop and a subclass of FdWatch, which overrides the methods below. Loop thread only, but
for `wake`. None of them switches or runs code of the program.

    Loop.name              what HUB_BACKEND takes: the entry point's name, else "module:Class"
    Loop.protocol_version  1; hubcore refuses a backend that names none, or another
    Loop.poll(timeout)     wait for events for at most `timeout` seconds (0: only look; negative, inf: no limit), and
                           call `on_event(events)` of every FdWatch whose fd is ready
    Loop.wake()            make the `poll` that sleeps, or the next one, return at once; any thread
    Loop.make_fd_watch(fd) return the FdWatch of an fd, which watches nothing yet
    Loop.reinit()          be usable in a forked child without touching what the parent shares
    Loop.release()         give back every fd and allocation
    Loop.clock()           seconds, monotonic: the time of this moment; all time in hubcore comes from here
    FdWatch.set_mask(mask) watch the fd for READ (1), WRITE (2) or both
    FdWatch.release()      watch the fd no more; it may be closed by now

poll: it may return early, for no reason. It reports an fd at every call for as long as it is ready (level-triggered),
and one in an error state as ready for all that is watched: the waiter's own system call raises. It keeps its limit
where its thread loses the processor after the limit was set. It does not hold the GIL, or a lock, while it waits; a
poll that only looks may keep the GIL. It raises ValueError with the word "closed" once the loop is closed. A signal's
handler that runs in `poll`, or in a C library's callback in Python, may raise KeyboardInterrupt: let it out. Events
that were not reported then are reported by the next call.

wake: calls coalesce, and never block, however many there are. A wake-up is kept that comes before the poll, also
where that first registers a new fd. After close, in any thread, it does nothing: a backend forgets the fd that it
writes to before it closes it, because another file may get the number.

set_mask: called each time a watcher of the fd starts, before `FdWatch.mask` is set; several watchers may share an fd.
It raises OSError (EBADF) for an fd that is not open, and then nothing has changed. It asks the kernel anew, also for
the mask that is set: the number may stand for another file by now. A backend that registers with the kernel only in
`poll` looks again there: where the fd was closed meanwhile it reports events at each poll, or calls `closing_fd`; it
never reports one event alone. A file that is still open under another number (a dup, or a child's) can stay in a
kernel object after its own number was closed, and be reported at each poll: the backend then makes a new object. Where
the kernel refuses an fd for another reason (EINVAL, ELOOP: an epoll object that contains the loop's own), that OSError
is raised; `FdWatch.refuse` is for a refusal that comes later. A regular file is always ready, also where the kernel
refuses to watch it. The fd's O_NONBLOCK flag stays as it is. `make_fd_watch` need not look at the fd.

reinit: a kernel object that the child shares with the parent (an epoll object) is replaced first; only then is
`closing_fd` called for each of `fd_watches`, which releases the watches. Afterwards nothing is watched, and the
parent still sees its events. A forked child abandons its parent's loop by `reinit` and then `release`.

release: called once, after `closing_fd` for each fd. A loop that cannot be made (OSError, EMFILE where no fd is left)
gives back what it has opened so far.

Optional: `Loop.backend`, the kernel's interface ("epoll"); `Loop.fileno()`, an fd that is readable while there are
events to poll for; and in the module of the class `library_version` and `header_version`, the versions of the C
library that runs and that was compiled with. All for `hubcore info`.

In a process that `monkey.patch_all()` has changed, `os.read`, `os.write`, `os.close`, `select.*` and `threading.Lock`
wait in the hub. A backend takes the system's own from `hubcore.backends.native`, also while its module is imported.

`run_pass` drives all this, in the order: prepare, poll, timers, other threads' callbacks, check, idle. An event makes
a parked waiter ready or queues a callback; user code never runs inside `poll`. A loop belongs to the thread that made
it. Only `wake` and `run_callback_threadsafe` may be called from other threads.
"""

from __future__ import annotations

import sys

from hubcore._core.base_loop import PROTOCOL_VERSION as PROTOCOL_VERSION
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

    def make_fd_watch(self, fd: int) -> FdWatch:
        """A watch of `fd` that watches nothing yet. OSError if the fd is not open or cannot be watched."""
        raise NotImplementedError(f"{type(self).__name__} has no make_fd_watch()")

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
