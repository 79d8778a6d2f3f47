"""Waiting for several things at once: wait, iwait, joinall, killall.

Anything can be waited for that has `rawlink(callback)` and `unlink(callback)`: it calls `callback(itself)` once it is
ready.
"""

from __future__ import annotations

import sys
from _collections import deque

from greenlet import GreenletExit, getcurrent

from hubcore._awaitable import now, park, waiter_at
from hubcore._checks import check_greenlet
from hubcore._deadlines import as_seconds
from hubcore._links import DirectLink, Linkable
from hubcore.hub import get_hub, kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Self

    import greenlet as greenlet_module

    from hubcore._park import Waiter


class _Gathering(DirectLink):
    """What is linked to all that is waited for: it keeps those that are ready and wakes whoever gathers them."""

    __slots__ = ("came", "ready", "waiter", "wanted")

    def __init__(self) -> None:
        self.ready: deque[Any] = deque()
        self.came = 0  # how many there were so far, also those that were taken out
        self.wanted = 1  # how many have to be there for the gatherer to be woken
        self.waiter: Waiter | None = None

    def notify(self, source: Any) -> None:
        self.ready.append(source)
        self.came += 1
        waiter = self.waiter  # once: in another thread the gatherer may be leaving
        if waiter is not None and len(self.ready) >= self.wanted:
            waiter.wake()

    __call__ = notify

    def wait_for(self, wanted: int, what: object, timeout: float | None) -> bool:
        """Park until `wanted` are ready or `timeout` seconds have passed; whether they are ready."""
        if len(self.ready) >= wanted:
            return True
        self.wanted = wanted
        waiter = self.waiter = waiter_at(what)
        if len(self.ready) >= wanted:
            waiter.wake()  # in another thread, after the first look
        try:
            return park(waiter, timeout)
        finally:
            self.waiter = None


def _link(waited_for: Any, gathering: _Gathering) -> None:
    try:
        rawlink = waited_for.rawlink
    except AttributeError:
        raise TypeError(
            f"what is waited for has `rawlink`, as greenlets, events, locks and queues do; {waited_for!r} has not"
        ) from None
    rawlink(gathering)


def _listed(objects: Any, who: str) -> list[Any]:
    """`objects` as a list; TypeError if there is but one, or none."""
    try:
        return list(objects)
    except TypeError:
        one = f"; for one, that is [{objects!r}]" if hasattr(objects, "rawlink") else ""
        if not one and hasattr(objects, "__iter__"):
            raise  # by what it iterates over
        raise TypeError(f"{who} takes a list, or what can be iterated over, not {objects!r}{one}") from None


def _wanted(objects: list[Any], count: int | None) -> int:
    """How many of `objects` are to be waited for."""
    if count is None:
        return len(objects)
    if not isinstance(count, int):
        raise TypeError(f"count is a whole number of objects, or None for all, not {count!r}")
    return min(count, len(objects))


class _WaitingFor:
    """What a greenlet in wait() or iwait() is said to wait on."""

    __slots__ = ("gathering", "objects")

    def __init__(self, objects: list[Any], gathering: _Gathering) -> None:
        self.objects = objects
        self.gathering = gathering

    def still_missing(self) -> tuple[list[Any], int]:
        """The objects that have not come, and how many of them have to for the wait to end. Any thread."""
        gathering = self.gathering
        missing = [each for each in self.objects if not (hasattr(each, "ready") and each.ready())]
        if len(self.objects) - len(missing) > gathering.came:
            return [], 0  # one is ready, and whoever waits is about to hear of it
        return missing, gathering.wanted - len(gathering.ready)

    @property
    def cross_thread(self) -> bool:
        return any(getattr(each, "cross_thread", False) for each in self.objects)

    def __repr__(self) -> str:
        if len(self.objects) == 1:
            return repr(self.objects[0])
        return f"{len(self.objects)} objects, {self.objects[0]!r} among them"


class _Iwait:
    """The iterator of iwait; a context manager too, which lets go of what was not iterated."""

    def __init__(self, objects: Iterable[Any], timeout: float | None, count: int | None, who: str) -> None:
        self._linked: list[Any] = []  # before anything that may raise: __del__ looks at it
        self._objects = _listed(objects, who)
        self._left = _wanted(self._objects, count)
        self._end = None if timeout is None else now() + as_seconds(timeout, "a timeout")
        self._gathering = _Gathering()
        self._what = _WaitingFor(self._objects, self._gathering)
        if self._left > 0:
            for each in self._objects:
                _link(each, self._gathering)
                self._linked.append(each)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._left > 0:
            timeout = None if self._end is None else max(0.0, self._end - now())
            try:
                came = self._gathering.wait_for(1, self._what, timeout)
            except BaseException:
                self._unlink()
                raise
            if came:
                self._left -= 1
                found = self._gathering.ready.popleft()
                if self._left == 0:
                    self._unlink()
                return found
        self._unlink()
        raise StopIteration

    def _unlink(self) -> None:
        self._left = 0
        linked, self._linked = self._linked, []
        for each in linked:
            each.unlink(self._gathering)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self._unlink()

    def __del__(self, process_ends: Callable[[], bool] = sys.is_finalizing) -> None:
        if not process_ends():  # then modules may have lost their names
            self._unlink()


def iwait(objects: Iterable[Any], timeout: float | None = None, count: int | None = None) -> Iterator[Any]:
    """Iterate over `objects` in the order in which they become ready, `count` of them or all, for `timeout` seconds.

    Each step may switch. Use it as a context manager too where the iteration may stop early.
    """
    if objects is None:
        raise TypeError("iwait takes the objects to wait for, not None; hub.join() waits for everything")
    return _Iwait(objects, timeout, count, "iwait")


def wait(
    objects: Iterable[Any] | None = None, timeout: float | None = None, count: int | None = None
) -> list[Any] | bool:
    """Wait until `objects`, or `count` of them, are ready, `timeout` seconds at most; those that are, in that order.

    Without `objects`: wait until nothing is left to run and nothing to wait for; whether that came. Switches.
    """
    if objects is None:
        return get_hub().join(timeout)
    return _wait_for(_listed(objects, "wait"), timeout, count)


def _wait_for(objects: list[Any], timeout: float | None, count: int | None) -> list[Any]:
    wanted = _wanted(objects, count)
    if wanted <= 0:
        return []
    gathering = _Gathering()
    linked = []
    try:
        for each in objects:
            _link(each, gathering)
            linked.append(each)
        gathering.wait_for(wanted, _WaitingFor(objects, gathering), timeout)
    finally:
        for each in linked:
            each.unlink(gathering)
    return list(gathering.ready)[: None if count is None else wanted]


def joinall(
    greenlets: Iterable[Any], timeout: float | None = None, raise_error: bool = False, count: int | None = None
) -> list[Any]:
    """Wait until `greenlets`, or `count` of them, have ended, `timeout` seconds at most; those that have. Switches.

    With `raise_error`, raise what the first one that fails raised, as soon as it does.
    """
    objects = _listed(greenlets, "joinall")
    if not raise_error:
        return _wait_for(objects, timeout, count)
    own = [each for each in objects if isinstance(each, Linkable)]
    for each in own:
        each._add_observer()
    done = []
    try:
        with _Iwait(objects, timeout, count, "joinall") as ended:
            for each in ended:
                if getattr(each, "exception", None) is not None:
                    if hasattr(each, "get"):
                        each.get(block=False)
                    raise each.exception
                done.append(each)
    finally:
        for each in own:
            each._remove_observer()
    return done


def killall(
    greenlets: Iterable[greenlet_module.greenlet],
    exception: type[BaseException] | BaseException = GreenletExit,
    block: bool = True,
    timeout: float | None = None,
) -> None:
    """Kill all `greenlets`; with `block`, wait until they have ended. Those that were not started never run.

    Timeout if they have not ended after `timeout` seconds.
    """
    victims = _listed(greenlets, "killall")
    for each in victims:
        check_greenlet(each, exception)  # all, before any of them is killed
    if timeout is not None:
        as_seconds(timeout, "a timeout")
    if not victims:
        return
    current = getcurrent()
    for each in victims:
        if each is not current:
            kill(each, exception)
    if block:
        waited_for = [each for each in victims if isinstance(each, Linkable) and each is not current]
        done = _wait_for(waited_for, timeout, None)
        if len(done) < len(waited_for):
            from hubcore.timeout import Timeout

            raise Timeout(timeout)
    if current in victims:
        if isinstance(exception, type):
            raise exception()
        raise exception
