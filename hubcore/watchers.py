"""Watchers, the objects that a program asks a loop to watch; and the two basic kinds, Io and Timer.

Every kind has the same life: it is made stopped, and has `start`, `stop` and `close`. A backend subclasses FdWatch,
which implements how to watch an fd; Timer needs no backend.
"""

from __future__ import annotations

from errno import EBADF
from os import strerror

from hubcore._base.argument_checks import refuse_copy
from hubcore._base.hints import Any, Callable, NoReturn, Self
from hubcore._core.deadlines import Deadline, as_seconds
from hubcore._core.waiter import Waiter
from hubcore.exceptions import ConcurrentObjectUseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.base_loop import BaseLoop
    from hubcore._core.ready_queue import Callback

READ = 1
WRITE = 2


class Watcher:
    """An event source of a loop: made stopped, `start`ed with a callback, `stop`ped, and `close`d for good.

    The callback runs in the hub greenlet and must not wait. Loop thread only; no method switches.
    """

    __slots__ = ("_closed", "_pass_events", "_queued", "_ref", "_started", "args", "callback", "loop", "priority")

    def __init__(self, loop: BaseLoop, ref: bool = True, priority: int | None = None) -> None:
        self.loop: BaseLoop = loop
        self.priority: int | None = (
            priority  # kept for programs that set it: entries run in the order they became ready
        )
        self.callback: Callable[..., object] | None = None
        self.args: tuple[object, ...] | None = None
        self._ref = ref
        self._started = False
        self._closed = False
        self._pass_events = False
        self._queued: Callback | None = None

    def start(self, callback: Callable[..., object], *args: object, pass_events: bool = False) -> None:
        """Call `callback(*args)` from the hub at each event; with `pass_events` the events are the first argument.

        A second start replaces callback and arguments. TypeError if `callback` is not callable, ValueError if the
        watcher is closed, InvalidThreadUseError in another thread, OSError if the watched object does not exist.
        """
        if not callable(callback):
            raise TypeError(f"a watcher's callback must be callable, not {callback!r}")
        if self._closed:
            raise ValueError(f"{self!r} is closed; make a new one")
        self.loop.check_thread()
        if self._started:
            self.stop()
        self._begin()
        self.callback = callback
        self.args = args
        self._pass_events = pass_events
        self._started = True
        # The loop keeps a started watcher alive, even if the program drops it.
        self.loop.watchers.add(self)
        if self._ref:
            self.loop.ref()

    def stop(self) -> None:
        """Stop watching, and cancel a callback that is queued but has not run. Does nothing if it is stopped."""
        if self._queued is not None:
            self._queued.stop()
            self._queued = None
        if not self._started:
            return
        self._started = False
        self.callback = None
        self.args = None
        self.loop.watchers.discard(self)
        if self._ref:
            self.loop.unref()
        self._end()

    def close(self) -> None:
        """Stop for good and release all resources. A second close does nothing."""
        self.stop()
        self._closed = True

    def feed(self, revents: int, callback: Callable[..., object], *args: object) -> None:
        """Queue `callback(*args)` as if an event had come. `revents` is accepted for gevent's sake."""
        fed = self.loop._queue_callback(callback, args)
        fed.source = self

    @property
    def active(self) -> bool:
        """Whether it is started."""
        return self._started

    @property
    def pending(self) -> bool:
        """Whether an event has come whose callback has not run yet."""
        return self._queued is not None and self._queued.pending

    @property
    def ref(self) -> bool:
        """Whether it keeps the loop alive while it is started (an Io also while a greenlet waits on it)."""
        return self._ref

    @ref.setter
    def ref(self, value: bool) -> None:
        if bool(value) == self._ref:
            return
        self._ref = bool(value)
        held = self._held()
        self.loop.refs += held if self._ref else -held

    def _held(self) -> int:
        """Return the number of references to the loop that it holds now, if `ref` is true."""
        return int(self._started)

    def _begin(self) -> None:
        """Begin to watch, as the kind of watcher requires. An error leaves it stopped."""

    def _end(self) -> None:
        """Stop watching, as the kind of watcher requires."""

    def _queue(self, events: object = None) -> None:
        """Queue the callback after an event. Until the hub has run it, further events queue no second call."""
        if self.callback is None or (self._queued is not None and self._queued.callback is not None):
            return
        args = self.args if self.args is not None else ()
        if self._pass_events:
            args = (events, *args)
        queued = self.loop._queue_callback(self.callback, args)
        queued.source = self
        self._queued = queued

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self.close()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """TypeError: the loop would not know a copy."""
        refuse_copy(self)

    def _describe(self) -> str:
        return ""

    def __repr__(self) -> str:
        state = "closed" if self._closed else "started" if self._started else "stopped"
        # The repr of a waiter that is parked on this watcher contains the repr of the watcher: an endless recursion.
        shown = self.callback is not None and not isinstance(self.callback, Waiter)
        callback = f" callback={self.callback!r}" if shown else ""
        return f"<{type(self).__name__}{self._describe()} {state}{callback} at {id(self):#x}>"


class FdWatch:
    """The backend's watch of one fd, shared by all Io watchers that are on for it. A backend subclasses this.

    Fact: libuv allows one handle per fd. Consequence: watchers share it, and they share it here, for every backend.
    """

    __slots__ = ("fd", "ios", "loop", "mask")

    def __init__(self, loop: BaseLoop, fd: int) -> None:
        self.loop: BaseLoop = loop
        self.fd: int = fd
        self.mask: int = 0
        self.ios: list[Io] = []

    def add(self, io: Io) -> None:
        """Watch also for `io`. OSError if the fd is not open; nothing has changed then."""
        # Even for an unchanged mask: the number may stand for another file by now, which the kernel does not watch.
        self.set_mask(self.mask | io.events)
        self.mask |= io.events
        self.ios.append(io)

    def remove(self, io: Io) -> None:
        """Stop watching for `io`; release the fd if no other Io is left."""
        self.ios.remove(io)
        mask = 0
        for other in self.ios:
            mask |= other.events
        if not self.ios:
            self.mask = 0
            self.loop.fd_watches.pop(self.fd, None)
            self.release()
        elif mask != self.mask:
            self.mask = mask
            try:
                self.set_mask(mask)
            except OSError:
                pass  # the fd was closed meanwhile; the remaining watchers find that out by themselves

    def refuse(self, error: int) -> None:
        """Close all watchers of the fd, and fail their waits with the OSError of errno `error`. Never switches.

        For a backend that finds, after `add`, that the kernel refuses the fd by now.
        """
        for io in tuple(self.ios):
            if io.waiter is not None and error != EBADF:
                io.fail(OSError(error, f"cannot watch fd {self.fd} any more: {strerror(error)}"))
            io.close()

    def renew(self) -> None:
        """Watch the file that the fd stands for now; if the kernel refuses it, as `refuse`. Never switches."""
        try:
            self.set_mask(self.mask)
        except OSError as error:
            self.refuse(error.errno or EBADF)

    def on_event(self, events: int) -> None:
        """Deliver `events` of the fd to its watchers. The backend calls this inside `poll`; never switches."""
        ios = self.ios
        if len(ios) == 1:
            io = ios[0]
            if io.events & events:
                io.on_event(events & io.events)
            return
        for io in tuple(ios):
            if io.events & events:
                io.on_event(events & io.events)

    def set_mask(self, mask: int) -> None:
        """Have the backend watch for `mask` and register the fd with the kernel anew; OSError if the fd is not open."""
        raise NotImplementedError(f"{type(self).__name__} does not implement set_mask()")

    def release(self) -> None:
        """Have the backend stop watching and release its resources; the fd may be closed already."""
        raise NotImplementedError(f"{type(self).__name__} does not implement release()")


class Io(Watcher):
    """Readiness of a file descriptor: READ, WRITE or both, level-triggered.

    Besides callbacks it has a fast way: it holds the one waiter that is parked on it, and an event makes that waiter
    ready. The Io then stays on, so that the next wait costs no system call; an event that finds no waiter turns it off.
    """

    __slots__ = ("_watch", "events", "fd", "waiter")

    def __init__(self, loop: BaseLoop, fd: int, events: int, ref: bool = True, priority: int | None = None) -> None:
        if not isinstance(fd, int) or fd < 0:
            raise ValueError(f"fd must be the number of an open file, not {fd!r}")
        if events not in (READ, WRITE, READ | WRITE):
            raise ValueError(f"events must be 1 (READ), 2 (WRITE) or 3 (both), not {events!r}")
        Watcher.__init__(self, loop, ref, priority)
        self.fd: int = fd
        self.events = events
        self.waiter: Waiter | None = None
        self._watch: FdWatch | None = None  # while the backend watches

    @property
    def on(self) -> bool:
        """Whether the backend watches the fd for this watcher."""
        return self._watch is not None

    def _held(self) -> int:
        return int(self._started) + int(self.waiter is not None)

    def attach(self, waiter: Waiter) -> None:
        """Have the next event wake `waiter`, with the events as its value. Never switches.

        OSError if the fd is not open, ConcurrentObjectUseError if another greenlet waits here.
        """
        if self.waiter is not None:
            raise ConcurrentObjectUseError(
                f"fd {self.fd} is already waited for by {self.waiter.greenlet!r}; "
                "a second greenlet cannot wait for the same direction"
            )
        if self._watch is None:
            self._turn_on()
        self.waiter = waiter
        if self._ref:
            self.loop.refs += 1

    def detach(self, waiter: Waiter) -> None:
        """Forget `waiter`, whose wait has ended. Does nothing if an event woke it."""
        if self.waiter is waiter:
            self.waiter = None
            if self._ref:
                self.loop.refs -= 1

    def on_event(self, events: int) -> None:
        """Wake the waiter, or queue the callback, after an event. Called inside `poll`; never switches."""
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if self._ref:
                self.loop.refs -= 1
            waiter.wake(events)
        elif self.callback is not None:
            self._queue(events)
        else:
            self._end()

    def fail(self, exception: BaseException) -> None:
        """Raise `exception` in the greenlet that waits here, if there is one, and turn the watch off."""
        waiter = self.waiter
        if waiter is not None:
            self.detach(waiter)
            waiter.fail(exception)
        self._end()

    def close(self) -> None:
        """Stop for good; a greenlet that waits here gets OSError (EBADF)."""
        if not self._closed:
            self.stop()
            if self.waiter is not None:
                self.fail(OSError(EBADF, f"fd {self.fd} was closed while this greenlet waited for it"))
            self._end()
            self._closed = True

    def _begin(self) -> None:
        if self._watch is None:
            self._turn_on()

    def _turn_on(self) -> None:
        if self._closed:
            raise ValueError(f"{self!r} is closed; make a new one")
        loop = self.loop
        loop.check_thread()
        watch = loop.fd_watches.get(self.fd)
        if watch is None:
            watch = loop.make_fd_watch(self.fd)
            watch.add(self)
            loop.fd_watches[self.fd] = watch
        else:
            watch.add(self)
        self._watch = watch

    def _end(self) -> None:
        watch = self._watch
        if watch is not None and self.waiter is None and self.callback is None:
            self._watch = None
            watch.remove(self)

    def _describe(self) -> str:
        direction = {READ: "READ", WRITE: "WRITE", READ | WRITE: "READ|WRITE"}.get(self.events, str(self.events))
        return f" fd={self.fd} {direction}"


class TimerDeadline(Deadline):
    """The deadline of a Timer in the loop's heap."""

    __slots__ = ("timer",)

    def __init__(self, timer: Timer) -> None:
        Deadline.__init__(self)
        self.timer: Timer = timer
        self.ref = False  # not the deadline but the watcher, whose `ref` may change, keeps the loop alive

    def _fire(self, now: float) -> None:
        timer = self.timer
        if timer.repeat > 0.0:
            # The next time counts from the last one, so that a late pass causes no drift; but it is never in the past.
            at = self.at + timer.repeat
            timer.loop.deadlines.add(self, at if at > now else now + timer.repeat)
        timer._queue()
        if timer.repeat <= 0.0:
            timer._expire()


class Timer(Watcher):
    """Fires `after` seconds of loop time after `start`, never early, then every `repeat` seconds if that is not 0."""

    __slots__ = ("_deadline", "after", "repeat")

    def __init__(
        self, loop: BaseLoop, after: float, repeat: float = 0.0, ref: bool = True, priority: int | None = None
    ) -> None:
        Watcher.__init__(self, loop, ref, priority)
        if not as_seconds(after, "the delay of a timer") >= 0.0:
            raise ValueError(f"the delay of a timer must be 0 seconds or more, not {after!r}")
        if not repeat >= 0.0:
            raise ValueError(f"the period of a timer must be 0 (no repetition) or more seconds, not {repeat!r}")
        self.after: float = after
        self.repeat: float = repeat
        self._deadline = TimerDeadline(self)

    def start(
        self, callback: Callable[..., object], *args: object, update: bool | None = None, pass_events: bool = False
    ) -> None:
        """As Watcher.start. `update` is accepted for gevent's sake: the delay always counts from this call."""
        Watcher.start(self, callback, *args, pass_events=pass_events)

    def again(self, callback: Callable[..., object], *args: object, update: bool | None = None) -> None:
        """Restart the timer, due `repeat` seconds from now."""
        Watcher.start(self, callback, *args)
        self.loop.add_deadline(self._deadline, self.repeat)

    @property
    def at(self) -> float:
        """The loop time at which it is due, or was last due."""
        return self._deadline.at

    def _begin(self) -> None:
        self.loop.add_deadline(self._deadline, self.after)

    def _end(self) -> None:
        self.loop.deadlines.remove(self._deadline)

    def _expire(self) -> None:
        """Stop after the last firing, but keep the queued callback."""
        queued = self._queued
        self._queued = None
        self.stop()
        self._queued = queued

    def _describe(self) -> str:
        return f" after={self.after:g}" + (f" repeat={self.repeat:g}" if self.repeat else "")
