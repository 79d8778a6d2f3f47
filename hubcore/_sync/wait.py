"""Waiting for several things at once: wait, iwait, joinall, killall.

A greenlet can wait for any object that has `rawlink(callback)` and `unlink(callback)` and that calls `callback(itself)`
once it is ready.
"""

from __future__ import annotations

import sys
from _collections import deque

from greenlet import GreenletExit, getcurrent
from greenlet import greenlet as _raw

from hubcore._base.argument_checks import check_greenlet
from hubcore._base.hints import Any, Callable, Generic, Iterable, R, Self, T_co
from hubcore._core.deadlines import TimeLimit, as_seconds, ended_by
from hubcore._core.raising import raise_here
from hubcore._sync.links import DirectLink, Linkable
from hubcore._sync.waitable import now, park, waiter_at
from hubcore.hub import get_hub, kill

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import overload

    from hubcore._core.waiter import Waiter


class _Gathering(DirectLink):
    """The link of one wait to all its objects: it collects the ready ones and wakes the waiter."""

    __slots__ = ("came", "ready", "waiter", "wanted")

    def __init__(self) -> None:
        self.ready: deque[Any] = deque()
        self.came = 0  # how many became ready so far, including those taken out since
        self.wanted = 1  # how many must be in `ready` before the waiter is woken
        self.waiter: Waiter | None = None

    def notify(self, source: Any) -> None:
        self.ready.append(source)
        self.came += 1
        waiter = self.waiter  # read once: in another thread the waiter may be leaving
        if waiter is not None and len(self.ready) >= self.wanted:
            waiter.wake()

    __call__ = notify

    def wait_for(self, wanted: int, what: object, timeout: float | None) -> bool:
        """Park until `wanted` objects are ready or `timeout` seconds have passed; return whether they are ready."""
        if len(self.ready) >= wanted:
            return True
        self.wanted = wanted
        waiter = self.waiter = waiter_at(what)
        if len(self.ready) >= wanted:
            waiter.wake()  # another thread made them ready after the first test
        try:
            return park(waiter, timeout)
        finally:
            self.waiter = None


def _link(waited_for: Any, gathering: _Gathering) -> None:
    try:
        rawlink = waited_for.rawlink
    except AttributeError:
        raise TypeError(
            f"cannot wait for {waited_for!r}: expected a greenlet, event, lock, queue or other object with rawlink()"
        ) from None
    rawlink(gathering)


def _listed(objects: Any, who: str) -> list[Any]:
    """Return `objects` as a list; TypeError if it is a single object or None."""
    try:
        return list(objects)
    except TypeError:
        one = f"; to wait for one object, pass [{objects!r}]" if hasattr(objects, "rawlink") else ""
        if not one and hasattr(objects, "__iter__"):
            raise  # the iterator itself raised it
        raise TypeError(f"{who}() takes a list or another iterable, not {objects!r}{one}") from None


def _in_seconds(timeout: float | None) -> float | None:
    """Return `timeout`; TypeError for a Timeout: these calls return what is ready, and do not raise for a timeout."""
    if isinstance(timeout, TimeLimit):
        raise TypeError(
            f"timeout must be a number of seconds or None here, not {timeout!r}; "
            "use `with Timeout(...)` around the call"
        )
    return timeout


def _wanted(objects: list[Any], count: int | None) -> int:
    """Return how many of `objects` end the wait."""
    if count is None:
        return len(objects)
    if not isinstance(count, int):
        raise TypeError(f"count must be an integer, or None for all, not {count!r}")
    return min(count, len(objects))


class _WaitingFor:
    """What reports show as the target of a wait() or iwait()."""

    __slots__ = ("gathering", "objects")

    def __init__(self, objects: list[Any], gathering: _Gathering) -> None:
        self.objects = objects
        self.gathering = gathering

    def still_missing(self) -> tuple[list[Any], int]:
        """Return the objects that are not ready, and how many of them must be for the wait to end. Any thread."""
        gathering = self.gathering
        missing = [each for each in self.objects if not (hasattr(each, "ready") and each.ready())]
        if len(self.objects) - len(missing) > gathering.came:
            return [], 0  # one is ready, and the waiter is about to be woken
        return missing, gathering.wanted - len(gathering.ready)

    @property
    def cross_thread(self) -> bool:
        return any(getattr(each, "cross_thread", False) for each in self.objects)

    def __repr__(self) -> str:
        if len(self.objects) == 1:
            return repr(self.objects[0])
        return f"{len(self.objects)} objects, {self.objects[0]!r} among them"


class _Iwait(Generic["T_co"]):
    """The iterator of iwait; also a context manager, which unlinks the objects that were not iterated."""

    def __init__(self, objects: Iterable[T_co], timeout: float | None, count: int | None, who: str) -> None:
        self._linked: list[Any] = []  # first, because __del__ reads it even if the next lines raise
        self._objects = _listed(objects, who)
        self._left = _wanted(self._objects, count)
        self._end = None if _in_seconds(timeout) is None else now() + as_seconds(timeout, "a timeout")
        self._gathering = _Gathering()
        self._what = _WaitingFor(self._objects, self._gathering)
        if self._left > 0:
            for each in self._objects:
                _link(each, self._gathering)
                self._linked.append(each)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        if self._left > 0:
            timeout = None if self._end is None else max(0.0, self._end - now())
            try:
                came = self._gathering.wait_for(1, self._what, timeout)
            except BaseException:
                self._unlink()
                raise
            if came:
                self._left -= 1
                found: T_co = self._gathering.ready.popleft()
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


def iwait(objects: Iterable[R], timeout: float | None = None, count: int | None = None) -> _Iwait[R]:
    """Iterate over `objects`, or `count` of them, in the order in which they become ready, at most `timeout` seconds.

    Each step may switch. If the iteration may stop early, use the iterator as a context manager.
    """
    if objects is None:
        raise TypeError("iwait() takes the objects to wait for, not None; use hub.join() to wait for everything")
    return _Iwait(objects, timeout, count, "iwait")


if TYPE_CHECKING:

    @overload
    def wait(objects: None = None, timeout: float | None = None, count: int | None = None) -> bool: ...
    @overload
    def wait(objects: Iterable[R], timeout: float | None = None, count: int | None = None) -> list[R]: ...


def wait(
    objects: Iterable[Any] | None = None, timeout: float | None = None, count: int | None = None
) -> list[Any] | bool:
    """Wait until `objects`, or `count` of them, are ready, at most `timeout` seconds. Switches.

    Return the ready objects, in the order in which they became ready. Without `objects`, wait until the hub has nothing
    left to run or to wait for, and return whether it has.
    """
    if objects is None:
        return get_hub().join(timeout)
    return _wait_for(_listed(objects, "wait"), _in_seconds(timeout), count)


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
    greenlets: Iterable[R], timeout: float | None = None, raise_error: bool = False, count: int | None = None
) -> list[R]:
    """Wait until `greenlets`, or `count` of them, have ended, at most `timeout` seconds; return those. Switches.

    With `raise_error`, raise the exception of the first one that fails, as soon as it fails.
    """
    objects = _listed(greenlets, "joinall")
    if not raise_error:
        return _wait_for(objects, _in_seconds(timeout), count)
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
    greenlets: Iterable[_raw],
    exception: type[BaseException] | BaseException = GreenletExit,
    block: bool = True,
    timeout: float | None = None,
) -> None:
    """Kill all `greenlets`. Greenlets that have not started never run.

    With `block`, wait until they have ended; this switches. Timeout if they have not after `timeout` seconds.
    """
    victims = _listed(greenlets, "killall")
    for each in victims:
        check_greenlet(each, exception)  # check all before the first kill
    if timeout is not None and not isinstance(timeout, TimeLimit):
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

            raise ended_by(timeout, Timeout(timeout))
    if current in victims:
        raise_here(exception)
