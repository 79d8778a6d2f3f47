"""The asyncio backend: a guest in a running asyncio loop (the host), also one of uvloop's.

Instead of sleeping, `poll` gives way to the host: it switches to the host's greenlet, in which a callback of the host
resumes it. So coroutines and greenlets of one thread both go on. The loop watches its fds in an epoll object of its own
and the host watches only the fd of that, so the two never disagree about an fd.

While the host runs there are two states:

    the hub has given way   code of the host runs; `polling` is true, and `_poller` is the greenlet whose poll it is. A
                            call that would wait is refused, as in every poll.
    the host has lent       the host's greenlet is inside `_resume`; greenlets run, until one of them polls.

Fact: what code of the host makes ready, or due earlier, would find the hub asleep. Consequence: in the first state each
push to the ready queue calls `_ask`, and each new deadline is compared with the time of the host's timer.

Fact: while uvloop is in its poll, libuv keeps pointers into the C stack of the host's greenlet, which is not in place
while another greenlet runs. Consequence: with uvloop a callback for the fd only asks for `_resume`, which uvloop calls
outside of its poll.

Without a host that runs (in other threads, in a forked child, after the host's end) the loop sleeps in epoll.
"""

from __future__ import annotations

import asyncio
from math import ceil, inf

from greenlet import getcurrent, greenlet

from hubcore._base.hints import Any, Late
from hubcore._core.running_loop import restore_state, save_state
from hubcore.backends._epoll import EpollLoop
from hubcore.exceptions import BlockingSwitchOutError, InvalidSwitchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.deadlines import Deadline

    Hub = Any  # which stands above the backends
else:
    Deadline = Late("hubcore._core.deadlines:Deadline")
    Hub = Any

_NOW = -inf

_MISTAKE = (
    "this call would have to wait, but a coroutine or a callback of {host!r} made it, and would hold up that loop with "
    "all its tasks; make it in a greenlet and await that: await hubcore.aio.wrap(hubcore.spawn(function, *arguments))"
)
_NOT_INTERRUPTIBLE = (
    "a Timeout or a cancel scope interrupts the greenlet that begins it, which here runs {host!r} with all its tasks; "
    "in a coroutine use asyncio.timeout(), or begin it in a greenlet and await hubcore.aio.wrap(greenlet)"
)


def waits_in_hub(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether `loop` lets greenlets run while it waits: hubcore.aio.EventLoop, or any loop on patched selectors."""
    selector = getattr(loop, "_selector", None)
    return any(base.__module__ == "hubcore.selectors" for base in type(selector).__mro__)


def host_here() -> asyncio.AbstractEventLoop | None:
    """The asyncio loop that runs in the calling greenlet, unless it waits in the hub and so needs no guest."""
    running = asyncio._get_running_loop()
    return None if running is None or waits_in_hub(running) else running


class AsyncioLoop(EpollLoop):
    """The guest. Its host is the asyncio loop that runs in its thread, once code of that uses the loop or its hub."""

    name = "asyncio"
    protocol_version: int = 1

    def __init__(self, flags: object = None, default: bool | None = None) -> None:
        super().__init__(flags, default)
        self.host: asyncio.AbstractEventLoop | None = None
        self._host_greenlet: Any = None
        self._poller: greenlet | None = None
        self._lent = False
        self._leaving = False
        self._host_state: tuple[Any, ...] | None = None  # what `restore_state` takes for the host's greenlet
        self._stray: tuple[Any, ...] | None = (
            None  # the same for code of the host that has switched to a poller by hand
        )
        self._asked = False  # whether the host will call `_resume` soon
        self._until = inf  # the loop's time at which the poll that has given way is to be resumed
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = inf
        self.ready.listen(self._ask)
        if host_here() is not None:
            self._ask()

    @property
    def hub(self) -> Hub | None:
        """The hub that runs on this loop, or None for a bare loop."""
        found: Hub | None = self.error_handler
        return found if isinstance(found, greenlet) else None

    def is_guest(self) -> bool:
        """Whether there is a host that runs, to which `poll` gives way."""
        return self.host is not None and self.host.is_running()

    def alive(self) -> bool:
        """As Loop.alive. A guest is, because a coroutine may wake a greenlet at any time, unless `Hub.join` asks."""
        return super().alive() or (self.is_guest() and not (self.hub is not None and self.hub._joiners))

    # The hub's side.

    def poll(self, timeout: float) -> None:
        """As Loop.poll, but a guest runs its host instead of sleeping."""
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        host = host_here()
        if host is not None:
            if timeout != 0.0:
                self._refuse(getcurrent(), host)
            timeout = 0.0
        elif self._leaving:
            timeout = 0.0
        elif self.is_guest():
            self._give_way(0.0 if self.always_ready else timeout)
            timeout = 0.0
        super().poll(timeout)

    def _give_way(self, timeout: float) -> None:
        """Run the host until `_resume`."""
        if not self._lent and self._waits(self._host_greenlet):
            self._refuse(self._host_greenlet, self.host)
            return
        own = save_state()
        self._poller = getcurrent()
        self._until = _NOW if timeout == 0.0 else inf if timeout < 0.0 else self.clock() + timeout
        self._set_alarm()
        if self._stray is not None:
            restore_state(self._stray)
            self._stray = None
        self._lent = False
        self.ready.listen(self._ask)
        thrown: BaseException | None = None
        try:
            self._host_greenlet.switch()
        except BaseException as error:
            thrown = error
        current, self._poller = self._poller, None
        if not self._lent:
            # Code of the host has switched or thrown to this greenlet by hand, and waits until it gives way again.
            self._stray = save_state()
            self._lent = True
            if thrown is None:
                thrown = InvalidSwitchError(f"{current!r} was resumed by something other than what it waits for")
        if own is not None:
            restore_state(own)
        if thrown is not None:
            if self.hub is None or current is None or not self._waits(current):
                raise thrown
            self.hub.interrupt_now(current, thrown)

    def _waits(self, who: greenlet) -> bool:
        return self.hub is not None and any(waiter.greenlet is who for waiter in self.hub.parked)

    def _refuse(self, who: greenlet, host: object) -> None:
        """Raise in `who`, a greenlet of the host's that waits by mistake, what it should have done."""
        mistake = BlockingSwitchOutError(_MISTAKE.format(host=host))
        if self.hub is None or not self._waits(who):
            raise mistake
        self.hub.interrupt_now(who, mistake)

    # The host's side.

    def _ask(self) -> None:
        """Have the host call `_resume` soon. Each push to the ready queue by code that is not a greenlet's calls it."""
        host = host_here()
        if host is None:
            if self._poller is None:
                return  # a greenlet's push, while the loop has no host
            host = self.host
        elif host is not self.host:
            self._attach(host)
        if not self._asked and host is not None:
            try:
                host.call_soon(self._resume)
            except RuntimeError:
                return  # it is closed; what is ready runs when the thread next waits in the hub
            self._asked = True

    def begin(self) -> None:
        """Become the guest of the loop that runs here now, without waiting for the host to call. Switches."""
        self._ask()
        if self._poller is None:
            self._resume()

    def _resume(self) -> None:
        """Run what is ready until a poll gives way. A callback of the host."""
        self._asked = False
        target = self._poller if self._poller is not None else self.hub
        if self.closed or self._lent or target is None or target.dead:
            return
        self._enter(target)
        if self.hub is not None:
            # What ends the program, such as Ctrl-C in a greenlet, is the main greenlet's: here that means, the host's.
            error: Any = self.hub.take_interrupt(self.hub.main)
            if error is not None:
                raise error

    def _enter(self, target: greenlet) -> None:
        """Switch to `target`; return when a poll gives way, or something else switches back."""
        self._host_greenlet = getcurrent()
        self._host_state = state = save_state()
        self._lent = True
        self.ready.listen(None)
        try:
            greenlet.switch(target)
        finally:
            self._lent = False
            if not self.closed:
                self.ready.listen(self._ask)
            if state is not None:
                restore_state(state)

    def _set_alarm(self) -> None:
        """Have the host resume the poll in time."""
        if self._until == _NOW:
            self._ask()
        elif self._until < self._alarm_at and self.host is not None:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = self._until
            delay = max(0.0, self._until - self.clock())
            if not isinstance(self.host, asyncio.BaseEventLoop):
                # uvloop rounds to whole milliseconds. Rounded down, it would come again and again until the time.
                delay = ceil(delay * 1e3) / 1e3
            self._alarm = self.host.call_later(delay, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        self._alarm_at = inf
        self._resume()

    def add_deadline(self, deadline: Deadline, after: float) -> None:
        """As Loop.add_deadline."""
        super().add_deadline(deadline, after)
        self._deadline_added()

    def add_deadline_at(self, deadline: Deadline, at: float) -> None:
        """As Loop.add_deadline_at."""
        super().add_deadline_at(deadline, at)
        self._deadline_added()

    def _deadline_added(self) -> None:
        if self._poller is not None and self.deadlines.earliest() < self._until:
            self._until = self.deadlines.earliest()
            self._set_alarm()

    def leave_poll(self) -> bool:
        """As Loop.leave_poll: end a poll that has given way to a host that is gone; refuse code of one that runs."""
        if self._poller is None:
            return False
        if getcurrent() is self.hub:
            # A greenlet to which code of the host has switched by hand has ended: that code goes on.
            while self.polling:
                if self._host_state is not None:
                    restore_state(self._host_state)
                self._host_greenlet.switch()
                save_state()
            return True
        host = host_here() or self.host
        if host is not None and host.is_running():
            raise BlockingSwitchOutError(_MISTAKE.format(host=host))
        self.leave()
        return True

    def leave(self) -> None:
        """End the poll that has given way, so that the hub is at rest. For code of the host's greenlet."""
        if self._poller is None:
            return
        self.run_callback(getcurrent().switch)
        self._leaving = True
        try:
            self._enter(self._poller)
        finally:
            self._leaving = False

    def check_interruptible(self) -> None:
        """As Loop.check_interruptible: RuntimeError in a coroutine."""
        if self._poller is not None and host_here() is not None:
            raise RuntimeError(_NOT_INTERRUPTIBLE.format(host=self.host))

    # Its host, and its end.

    def _attach(self, host: asyncio.AbstractEventLoop) -> None:
        self._detach()
        self.host = host
        self._host_greenlet = getcurrent()
        self._watch_epoll(host)

    def _watch_epoll(self, host: asyncio.AbstractEventLoop) -> None:
        # asyncio's own loops have nothing of the C stack's on their hands when they call back.
        direct = isinstance(host, asyncio.BaseEventLoop)
        host.add_reader(self.epoll.fileno(), self._resume if direct else self._ask)

    def _detach(self) -> None:
        host, self.host = self.host, None
        alarm, self._alarm, self._alarm_at = self._alarm, None, inf
        self._asked = False
        if host is not None and not host.is_closed():
            host.remove_reader(self.epoll.fileno())
            if alarm is not None:
                alarm.cancel()

    def replace_epoll(self) -> None:
        """As EpollLoop.replace_epoll."""
        host = self.host if self.host is not None and not self.host.is_closed() else None
        if host is not None:
            host.remove_reader(self.epoll.fileno())
        super().replace_epoll()
        if host is not None:
            self._watch_epoll(host)

    def reinit(self) -> None:
        """As Loop.reinit. A forked child has no host: the kernel object of the host's loop is the parent's, too."""
        self.host = self._alarm = self._poller = None
        self._alarm_at = inf
        super().reinit()

    def release(self) -> None:
        """As Loop.release."""
        self.ready.listen(None)
        self._detach()
        super().release()
