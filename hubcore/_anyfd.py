"""Waiting until one of several fds has something to tell: what `select` and `poll` are made of.

Fact: a loop watches fds for reading and writing only, and tells of a hang-up or an error as of both. select(2) and
poll(2) know more kinds of events, and do not count every hang-up. Consequence: whether the wait is over only the
system call itself can say; an event is no more than the occasion to make it. What a loop cannot watch is put into an
epoll of the wait's own, edge-triggered, whose fd a loop can watch; and so is everything else after an event that the
system call did not count, for level-triggered it would come again at once.
"""

from __future__ import annotations

import select as _stdlib
from errno import EBADF

from greenlet import getcurrent

from hubcore._originals import original
from hubcore.exceptions import BlockingSwitchOutError
from hubcore.hub import get_hub, get_hub_if_any
from hubcore.watchers import READ, WRITE, Io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from hubcore.hub import Hub

    Found = TypeVar("Found")

_USUAL = 1e6  # nearer to 0, a timeout needs no second thought
_LOOK_EVERY = 0.05  # seconds, where there is no epoll to tell of what the loop cannot watch

_epoll: Any = original("select", "epoll") if hasattr(_stdlib, "epoll") else None  # of the module, it may be ours
_UNASKED = _stdlib.POLLERR | _stdlib.POLLHUP | _stdlib.POLLNVAL  # reported whether asked for or not
# What a loop can watch, as it calls it.
_MASKS = {_stdlib.POLLIN: READ, _stdlib.POLLOUT: WRITE, _stdlib.POLLIN | _stdlib.POLLOUT: READ | WRITE}


def seconds_of(timeout: Any, unit: float, judge: Callable[[Any], object]) -> float:
    """`timeout`, in units of `unit` seconds, as seconds; -1.0 for None and for what is negative.

    What is out of the ordinary goes to `judge` first, which raises the standard library's error if it is one.
    """
    if timeout is None:
        return -1.0
    if not isinstance(timeout, (int, float)) or not -_USUAL < timeout < _USUAL:
        judge(timeout)
    seconds = float(timeout) * unit
    return seconds if seconds >= 0.0 else -1.0


def spend() -> None:
    """An operation that may succeed without waiting begins. May switch, where that is possible."""
    hub = get_hub_if_any()
    if hub is not None and getcurrent() is not hub:
        hub.spend()


def let_others_run() -> None:
    """A look found nothing: let others run, if there are any and it is possible here. May switch."""
    hub = get_hub_if_any()
    if hub is not None:
        try:
            hub.yield_now()
        except BlockingSwitchOutError:
            pass  # it waits for nothing, so it is right also where nothing may wait


def wait_for_any(look: Callable[[], Found], wanted: dict[int, int], seconds: float) -> Found:
    """Wait until `look()` is true, `seconds` at most (negative: no limit), and return what it is. Switches.

    It is called at first when something happens: `wanted` says for which events, as poll(2) numbers them, of which fd.
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
            pass  # a regular file: nothing ever happens to it that was not so at the first look

    def forget_edges(self) -> bool:
        """What the epoll has seen is history; True if there is one, and so a look is due before the next wait."""
        if self._edges is None:
            return False
        self._edges.poll(0)
        return True

    def go_by_edges(self) -> None:
        """An event came that did not count: watch everything edge-triggered from now on."""
        if _epoll is None or (self._edges is not None and len(self._ios) == 1):
            return
        self.close()
        for fd, events in self.wanted.items():
            self._watch_edges(fd, events & ~_UNASKED)

    def wait(self, seconds: float | None) -> None:
        """Wait until something happens, `seconds` at most. Switches. That an fd is closed is something, too."""
        waiter = self._hub.new_waiter(self)
        if self._unwatched:
            seconds = _LOOK_EVERY if seconds is None else min(seconds, _LOOK_EVERY)
        try:
            for io in self._ios:
                io.attach(waiter)
            try:
                self._hub.park(waiter, seconds)
            except OSError as error:
                # One that was closed is off; if all are on, somebody else had a reason to raise this here.
                if error.errno != EBADF or all(io.on for io in self._ios):
                    raise
        finally:
            for io in self._ios:
                io.detach(waiter)

    def close(self) -> None:
        """Watch no more."""
        for io in self._ios:
            io.close()
        self._ios.clear()
        if self._edges is not None:
            self._edges.close()
            self._edges = None

    def __repr__(self) -> str:
        return f"<any of the fds {', '.join(map(str, self.wanted))}>" if self.wanted else "<no fd at all>"
