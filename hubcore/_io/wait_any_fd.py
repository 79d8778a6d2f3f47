"""Wait until one of several fds has an event: the base of `select` and `poll`.

Fact: a loop watches fds for reading and writing only, and reports a hang-up or an error as both. select(2) and poll(2)
know more kinds of events, and do not count every hang-up. Consequence: only the system call itself decides whether the
wait is over; a loop's event is merely the occasion to call it. Fds and events that a loop cannot watch go into an
edge-triggered epoll of this wait, whose own fd the loop watches. After an event that the system call did not count,
all fds move into that epoll, because a level-triggered event would come again at once.
"""

from __future__ import annotations

import select as _stdlib
from errno import EBADF

from greenlet import getcurrent

from hubcore._base.originals import original
from hubcore.exceptions import BlockingSwitchOutError
from hubcore.hub import get_hub, get_hub_if_any
from hubcore.watchers import READ, WRITE, Io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from hubcore.hub import Hub

    Found = TypeVar("Found")

_USUAL = 1e6  # a timeout nearer to 0 needs no check by the standard library
_LOOK_EVERY = 0.05  # seconds between looks, where there is no epoll for events that the loop cannot watch

_epoll: Any = original("select", "epoll") if hasattr(_stdlib, "epoll") else None  # after patching, the name is ours
_UNASKED = _stdlib.POLLERR | _stdlib.POLLHUP | _stdlib.POLLNVAL  # the kernel reports these always
# The events that a loop can watch, with the loop's names for them.
_MASKS = {_stdlib.POLLIN: READ, _stdlib.POLLOUT: WRITE, _stdlib.POLLIN | _stdlib.POLLOUT: READ | WRITE}


def seconds_of(timeout: Any, unit: float, judge: Callable[[Any], object]) -> float:
    """Return `timeout`, in units of `unit` seconds, as seconds; -1.0 for None and for negative values.

    An unusual `timeout` goes to `judge` first, which raises the standard library's error if it is invalid.
    """
    if timeout is None:
        return -1.0
    if not isinstance(timeout, (int, float)) or not -_USUAL < timeout < _USUAL:
        judge(timeout)
    seconds = float(timeout) * unit
    return seconds if seconds >= 0.0 else -1.0


def spend() -> None:
    """Count an operation that may succeed without a wait against the budget. May switch, where that is possible."""
    hub = get_hub_if_any()
    if hub is not None and getcurrent() is not hub:
        hub.spend()


def let_others_run() -> None:
    """Let other ready greenlets run, after a look that found nothing. May switch, where that is possible."""
    hub = get_hub_if_any()
    if hub is not None:
        try:
            hub.yield_now()
        except BlockingSwitchOutError:
            pass  # a look does not wait, so it is correct also where the caller may not wait


def wait_for_any(look: Callable[[], Found], wanted: dict[int, int], seconds: float) -> Found:
    """Wait until `look()` is true, at most `seconds` (negative: no limit), and return its result. Switches.

    The first call of `look` follows the first event. `wanted` maps each fd to the events, numbered as in poll(2).
    """
    hub = get_hub()
    left = None
    if seconds >= 0.0:
        left = seconds
        end = hub.loop.update_now() + seconds
    watch = AnyFd(hub, wanted)
    try:
        while True:
            if watch.forget_edges() and (found := look()):
                return found
            watch.wait(left)
            if found := look():
                return found
            if left is not None:
                left = end - hub.loop.update_now()
                if left <= 0.0:
                    return found
            watch.go_by_edges()
    finally:
        watch.close()


class AnyFd:
    """The watchers of one wait for any of several fds."""

    __slots__ = ("_edges", "_hub", "_ios", "_unwatched", "wanted")

    def __init__(self, hub: Hub, wanted: dict[int, int]) -> None:
        self.wanted = wanted
        self._hub = hub
        self._ios: list[Io] = []
        self._edges: Any = None  # the epoll, if there is one
        self._unwatched = False
        try:
            for fd, events in wanted.items():
                mask = _MASKS.get(events & ~_UNASKED)
                if mask is not None:
                    self._ios.append(Io(hub.loop, fd, mask))
                elif _epoll is not None:
                    self._watch_edges(fd, events & ~_UNASKED)
                else:
                    self._unwatched = True
        except BaseException:
            self.close()
            raise

    def _watch_edges(self, fd: int, events: int) -> None:
        if self._edges is None:
            self._edges = _epoll()
            self._ios.append(Io(self._hub.loop, self._edges.fileno(), READ))
        try:
            self._edges.register(fd, events | _stdlib.EPOLLET)
        except PermissionError:
            pass  # a regular file: its state never changes after the first look

    def forget_edges(self) -> bool:
        """Discard the epoll's events. Return whether there is an epoll, so that a look is due before the next wait."""
        if self._edges is None:
            return False
        self._edges.poll(0)
        return True

    def go_by_edges(self) -> None:
        """Watch all fds edge-triggered from now on, after an event that did not count."""
        if _epoll is None or (self._edges is not None and len(self._ios) == 1):
            return
        self.close()
        for fd, events in self.wanted.items():
            self._watch_edges(fd, events & ~_UNASKED)

    def wait(self, seconds: float | None) -> None:
        """Wait until an event comes or an fd is closed, at most `seconds`. Switches."""
        waiter = self._hub.new_waiter(self)
        if self._unwatched:
            seconds = _LOOK_EVERY if seconds is None else min(seconds, _LOOK_EVERY)
        try:
            for io in self._ios:
                io.attach(waiter)
            try:
                self._hub.park(waiter, seconds)
            except OSError as error:
                # The watcher of a closed fd is off. If all are on, the error is not about a closed fd.
                if error.errno != EBADF or all(io.on for io in self._ios):
                    raise
        finally:
            for io in self._ios:
                io.detach(waiter)

    def close(self) -> None:
        """Stop watching."""
        for io in self._ios:
            io.close()
        self._ios.clear()
        if self._edges is not None:
            self._edges.close()
            self._edges = None

    def __repr__(self) -> str:
        return f"<any of the fds {', '.join(map(str, self.wanted))}>" if self.wanted else "<no fd at all>"
