"""The rarer kinds of watcher: async, idle, prepare, check, fork and stat. The same on every backend.

They are built on Timer, callbacks and lists that each pass of the loop reads.
"""

from __future__ import annotations

import os

from hubcore.watchers import Timer, Watcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.base_loop import BaseLoop


class Async(Watcher):
    """Runs its callback once for all `send`s since the last run."""

    def __init__(self, loop: BaseLoop, ref: bool = True, priority: int | None = None) -> None:
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


class Stat(Watcher):
    """Calls back when the result of os.stat(`path`) changes, but for its access time.

    `attr` is the latest result and `prev` the one before; None if the file does not exist.
    """

    DEFAULT_INTERVAL = 5.0

    def __init__(
        self,
        loop: BaseLoop,
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
        self._timer = Timer(loop, self.interval, self.interval, False, None)

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
