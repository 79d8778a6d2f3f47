"""The rarer kinds of watcher: async, idle, prepare, check, fork and stat. The same on every backend.

They are built on Timer, callbacks and lists that each pass of the loop reads.
"""

from __future__ import annotations

import os

from hubcore.watchers import Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hubcore.loop import Loop


class Async(Watcher):
    """Runs its callback once for all `send`s since the last run."""

    def __init__(self, loop: Loop, ref: bool = True, priority: int | None = None) -> None:
        super().__init__(loop, ref, priority)
        self._sent = False
        self._starts = 0  # a `send` before a stop must not run the callback of a later start

    def send(self) -> None:
        """Schedule the callback. Any thread; never switches; does nothing while the watcher is stopped."""
        if not self._sent and self._started:
            self._sent = True
            self.loop.run_callback_threadsafe(self._arrive, self._starts)

    def send_ignoring_arg(self, ignored: object) -> None:
        """Call `send`; the signature is that of a link."""
        self.send()

    @property
    def pending(self) -> bool:
        """Whether `send` was called and the callback has not run yet."""
        return self._sent

    def _end(self) -> None:
        self._starts += 1
        self._sent = False

    def _arrive(self, starts: int) -> None:
        self._sent = False
        callback, args = self.callback, self.args
        if starts == self._starts and callback is not None:
            callback(*(args or ()))


class _Listed(Watcher):
    """A watcher that is in one of the loop's lists while it is started."""

    list_name = ""
    hooks = 1  # whether each pass has to read the list

    def _begin(self) -> None:
        self.loop._lists.setdefault(self.list_name, []).append(self)
        self.loop._hooks += self.hooks

    def _end(self) -> None:
        self.loop._lists[self.list_name].remove(self)
        self.loop._hooks -= self.hooks


class Idle(_Listed):
    """Its callback runs at each pass that finds no other entry ready; while it is started the loop never sleeps."""

    list_name = "idle"


class Prepare(_Listed):
    """Its callback runs before each poll that may sleep."""

    list_name = "prepare"


class Check(_Listed):
    """Its callback runs after each poll."""

    list_name = "check"


class Fork(_Listed):
    """Its callback runs in a forked child, in the child's new hub."""

    list_name = "fork"
    hooks = 0


def observe(loop: Loop, observer: Any) -> None:
    """Call `observer.polls()` before each poll and `observer.polled()` after it. They must not switch."""
    loop._lists.setdefault("observers", []).append(observer)
    loop._hooks += 1


def unobserve(loop: Loop, observer: Any) -> None:
    """Undo one `observe`."""
    observers: list[Any] = loop._lists["observers"]
    observers.remove(observer)
    loop._hooks -= 1


def before_poll(loop: Loop, block: bool) -> bool:
    """Queue the callbacks that run before a poll that would block; return whether it may still block."""
    for observer in tuple(loop._lists.get("observers", ())):
        observer.polls()  # type: ignore[attr-defined]
    if not block:
        return False
    prepare = loop._lists.get("prepare")
    if prepare and not loop._prepared:
        # The callbacks run first. The pass after that sleeps, if it finds no new entry ready.
        loop._prepared = True
        _queue_all(prepare)
        return False
    loop._prepared = False
    return not loop._lists.get("idle")


def after_poll(loop: Loop) -> None:
    """Queue the callbacks that run after a poll, and the idle ones if no other entry is ready."""
    for observer in tuple(loop._lists.get("observers", ())):
        observer.polled()  # type: ignore[attr-defined]
    if loop.ready.count == 0:
        _queue_all(loop._lists.get("idle"))
    _queue_all(loop._lists.get("check"))


def _queue_all(watchers: list[Watcher] | None) -> None:
    for watcher in tuple(watchers or ()):
        watcher._queue()


class Stat(Watcher):
    """Calls back when the result of os.stat(`path`) changes, but for its access time.

    `attr` is the latest result and `prev` the one before; None if the file does not exist.
    """

    DEFAULT_INTERVAL = 5.0

    def __init__(
        self,
        loop: Loop,
        path: str | os.PathLike[str],
        interval: float = 0.0,
        ref: bool = True,
        priority: int | None = None,
    ) -> None:
        super().__init__(loop, ref, priority)
        self.path = os.fspath(path)
        self.interval = interval if interval > 0 else self.DEFAULT_INTERVAL
        self.attr: os.stat_result | None = None
        self.prev: os.stat_result | None = None
        self._timer = loop.timer(self.interval, self.interval, False)

    def _begin(self) -> None:
        self.attr = self._look()
        self._timer.start(self._compare)

    def _end(self) -> None:
        self._timer.stop()

    def _look(self) -> os.stat_result | None:
        try:
            return os.stat(self.path)
        except OSError:
            return None

    def _compare(self) -> None:
        new = self._look()
        if _significant(new) != _significant(self.attr):
            self.prev, self.attr = self.attr, new
            self._queue()

    def _describe(self) -> str:
        return f" path={self.path!r} interval={self.interval:g}"


def _significant(stat: os.stat_result | None) -> object:
    # The access time is left out: every read of the file changes it.
    if stat is None:
        return None
    owner = (stat.st_mode, stat.st_nlink, stat.st_uid, stat.st_gid)
    return (stat.st_dev, stat.st_ino, *owner, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
