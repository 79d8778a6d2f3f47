"""Watchers: what a program asks a loop to watch, and the two kinds that everything else is made of, Io and Timer.

The same four verbs for every kind: made stopped, `start`, `stop`, `close`. A backend subclasses
FdWatch, which says how to watch an fd; Timer needs no backend.
"""

from __future__ import annotations

from errno import EBADF

from hubcore._deadlines import Deadline, as_seconds
from hubcore._park import Waiter
from hubcore.exceptions import ConcurrentObjectUseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from hubcore._ready import Callback
    from hubcore.loop import Loop

READ = 1
WRITE = 2


class Watcher:
    """Something a loop watches: made stopped, `start`ed with a callback, `stop`ped, and `close`d for good.

    The callback runs in the hub greenlet and must not wait. Loop thread only; nothing here switches.
    """

    __slots__ = ("_closed", "_pass_events", "_queued", "_ref", "_started", "args", "callback", "loop", "priority")

    def __init__(self, loop: Loop, ref: bool = True, priority: int | None = None) -> None:
        self.loop = loop
        self.priority = priority  # kept for programs that set it: entries run in the order they became ready
        self.callback: Callable[..., object] | None = None
        self.args: tuple[object, ...] | None = None
        self._ref = ref
        self._started = False
        self._closed = False
        self._pass_events = False
        self._queued: Callback | None = None

    def start(self, callback: Callable[..., object], *args: object, pass_events: bool = False) -> None:
        """Call `callback(*args)` from the hub at each event; with `pass_events` the events come first.

        Starting again replaces callback and arguments. TypeError if `callback` cannot be called, ValueError if the
        watcher is closed, InvalidThreadUseError in another thread, OSError if what it watches is not there.
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
        # The loop keeps what is started alive, also when the program does not.
        self.loop.watchers.add(self)
        if self._ref:
            self.loop.ref()

    def stop(self) -> None:
        """Watch no more, and forget a callback that is queued but has not run. Harmless when stopped."""
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
        """Stop for good and release what it holds. Closing twice is harmless."""
        self.stop()
        self._closed = True

    def feed(self, revents: int, callback: Callable[..., object], *args: object) -> None:
        """Queue `callback(*args)` as if an event had come."""
        self.loop._queue_callback(callback, args)

    @property
    def active(self) -> bool:
        """Whether it is started."""
        return self._started

    @property
    def pending(self) -> bool:
        """Whether an event came whose callback has not run yet."""
        return self._queued is not None and self._queued.pending

    @property
    def ref(self) -> bool:
        """Whether it keeps the loop alive while it is started, or an Io while a greenlet waits on it."""
        return self._ref

    @ref.setter
    def ref(self, value: bool) -> None:
        if bool(value) == self._ref:
            return
        self._ref = bool(value)
        held = self._held()
        self.loop.refs += held if self._ref else -held

    def _held(self) -> int:
        """How often it keeps the loop alive now, if it does at all."""
        return int(self._started)

    def _begin(self) -> None:
        """Have the kind of watcher begin; an error leaves it stopped."""

    def _end(self) -> None:
        """Have the kind of watcher end."""

    def _queue(self, events: object = None) -> None:
        """An event came: have the hub run the callback, once for all events until it has run."""
        if self.callback is None or (self._queued is not None and self._queued.callback is not None):
            return
        args = self.args if self.args is not None else ()
        if self._pass_events:
            args = (events, *args)
        self._queued = self.loop._queue_callback(self.callback, args)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self.close()

    def _describe(self) -> str:
        return ""

    def __repr__(self) -> str:
        state = "closed" if self._closed else "started" if self._started else "stopped"
        # A waiter that is parked on this very watcher tells of it in its own text, and so on for ever.
        shown = self.callback is not None and not isinstance(self.callback, Waiter)
        callback = f" callback={self.callback!r}" if shown else ""
        return f"<{type(self).__name__}{self._describe()} {state}{callback} at {id(self):#x}>"


class FdWatch:
    """One fd as the backend watches it, for all the Io watchers that are on for it. A backend subclasses this.

    libuv allows one handle per fd, so sharing it has to happen somewhere; here it happens once for every backend.
    """

    __slots__ = ("fd", "ios", "loop", "mask")

    def __init__(self, loop: Loop, fd: int) -> None:
        self.loop = loop
        self.fd = fd
        self.mask = 0
        self.ios: list[Io] = []

    def add(self, io: Io) -> None:
        """Watch for `io` too; OSError if the fd is not open, and then nothing has changed."""
        # Also when the mask stays: by now the number may stand for another file, which the kernel has yet to be told.
        self._set_mask(self.mask | io.events)
        self.mask |= io.events
        self.ios.append(io)

    def remove(self, io: Io) -> None:
        """Watch no more for `io`; without any left, release the fd."""
        self.ios.remove(io)
        mask = 0
        for other in self.ios:
            mask |= other.events
        if not self.ios:
            self.mask = 0
            self.loop.fd_watches.pop(self.fd, None)
            self._release()
        elif mask != self.mask:
            self.mask = mask
            try:
                self._set_mask(mask)
            except OSError:
                pass  # closed meanwhile, which is for those to find out who still watch it

    def on_event(self, events: int) -> None:
        """The backend saw `events` on the fd. Called inside `poll`; never switches."""
        ios = self.ios
        if len(ios) == 1:
            io = ios[0]
            if io.events & events:
                io.on_event(events & io.events)
            return
        for io in tuple(ios):
            if io.events & events:
                io.on_event(events & io.events)

    def _set_mask(self, mask: int) -> None:
        """Have the backend watch for `mask` and ask the kernel anew; OSError if the fd is not open."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to watch an fd")

    def _release(self) -> None:
        """Have the backend watch no more and release what this holds; the fd may be closed already."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to stop watching an fd")


class Io(Watcher):
    """Readiness of a file descriptor: READ, WRITE or both, level-triggered.

    Beside callbacks it has a fast way: it holds the one waiter that is parked on it and makes that ready. It is left
    on after that, so that the next wait costs nothing, and turned off when an event finds nobody waiting.
    """

    __slots__ = ("_watch", "events", "fd", "waiter")

    def __init__(self, loop: Loop, fd: int, events: int, ref: bool = True, priority: int | None = None) -> None:
        if not isinstance(fd, int) or fd < 0:
            raise ValueError(f"cannot watch fd {fd!r}; it takes the number of an open file")
        if events not in (READ, WRITE, READ | WRITE):
            raise ValueError(f"cannot watch for events {events!r}; it takes 1 (READ), 2 (WRITE) or 3")
        Watcher.__init__(self, loop, ref, priority)
        self.fd = fd
        self.events = events
        self.waiter: Waiter | None = None
        self._watch: FdWatch | None = None  # while the backend watches

    @property
    def on(self) -> bool:
        """Whether the backend watches the fd for this."""
        return self._watch is not None

    def _held(self) -> int:
        return int(self._started) + int(self.waiter is not None)

    def attach(self, waiter: Waiter) -> None:
        """Have the next event wake `waiter`, with the events as its value.

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
        """`waiter` waits no more. Harmless if an event was first."""
        if self.waiter is waiter:
            self.waiter = None
            if self._ref:
                self.loop.refs -= 1

    def on_event(self, events: int) -> None:
        """An event came. Called inside `poll`; never switches."""
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
        """Raise `exception` in the greenlet that waits here, if one does, and turn off."""
        waiter = self.waiter
        if waiter is not None:
            self.detach(waiter)
            waiter.fail(exception)
        self._end()

    def close(self) -> None:
        """Stop for good; a greenlet that waits here is woken by OSError (EBADF)."""
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
            watch = loop._make_fd_watch(self.fd)
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
    """What a Timer has in the loop's heap."""

    __slots__ = ("timer",)

    def __init__(self, timer: Timer) -> None:
        Deadline.__init__(self)
        self.timer = timer
        self.ref = False  # it is the watcher that keeps the loop alive, and whose `ref` may change

    def fire(self, now: float) -> None:
        timer = self.timer
        if timer.repeat > 0.0:
            # From its own time, so that a late pass does not make it drift; but never into the past.
            at = self.at + timer.repeat
            timer.loop.deadlines.add(self, at if at > now else now + timer.repeat)
        timer._queue()
        if timer.repeat <= 0.0:
            timer._expire()


class Timer(Watcher):
    """Fires `after` seconds of loop time after `start`, never early, then every `repeat` seconds if that is not 0."""

    __slots__ = ("_deadline", "after", "repeat")

    def __init__(
        self, loop: Loop, after: float, repeat: float = 0.0, ref: bool = True, priority: int | None = None
    ) -> None:
        Watcher.__init__(self, loop, ref, priority)
        if not as_seconds(after, "when a timer is due") >= 0.0:
            raise ValueError(f"a timer cannot be due {after!r} seconds from now; it takes 0 or more")
        if not repeat >= 0.0:
            raise ValueError(f"a timer cannot repeat every {repeat!r} seconds; it takes 0 (not at all) or more")
        self.after = after
        self.repeat = repeat
        self._deadline = TimerDeadline(self)

    def start(
        self, callback: Callable[..., object], *args: object, update: bool | None = None, pass_events: bool = False
    ) -> None:
        """As Watcher.start. `update` is accepted for gevent's sake: the time is always that of this call."""
        Watcher.start(self, callback, *args, pass_events=pass_events)

    def again(self, callback: Callable[..., object], *args: object, update: bool | None = None) -> None:
        """Start anew, due `repeat` seconds from now."""
        Watcher.start(self, callback, *args)
        self.loop.deadlines.add(self._deadline, self.loop.update_now() + self.repeat)

    @property
    def at(self) -> float:
        """The loop time at which it is due, or was last."""
        return self._deadline.at

    def _begin(self) -> None:
        self.loop.add_deadline(self._deadline, self.after)

    def _end(self) -> None:
        self.loop.deadlines.remove(self._deadline)

    def _expire(self) -> None:
        """It has fired for the last time: what is left of it is the queued callback."""
        queued = self._queued
        self._queued = None
        self.stop()
        self._queued = queued

    def _describe(self) -> str:
        return f" after={self.after:g}" + (f" repeat={self.repeat:g}" if self.repeat else "")
