"""Waitable: the base of events, locks and queues, which belong to no hub.

Greenlets of any threads and threads without a hub wait for them alike, and any thread may wake them. Rules for those
who build on it:

- a step that looks at the state and changes it is one method that neither switches nor calls anything that may run
  Python code in between. Compiled, the GIL makes such a step atomic; uncompiled, `_capi.fallback.atomic` does.
- whoever has to wait makes its waiter first (`waiter_at`), because making it may run finalizers, then looks again and
  queues up in one such step, and then parks (`park`).
  Who has one queue has `_queue_up` for that, and says in `_join` what the step is.
- what `WaitQueue.wake` handed over is taken; if its result is False it was not, and stays with the object.
"""

from __future__ import annotations

from time import monotonic

import cython

from hubcore._base.main_thread import in_main_thread
from hubcore._core.deadlines import as_seconds
from hubcore._core.waiter import Source, WaitQueue
from hubcore._sync.links import DirectLink
from hubcore.hub import get_hub, get_hub_if_any

if not cython.compiled:
    from hubcore._capi.fallback import atomic, getcurrent, import_greenlet, process_ends
    from hubcore._core.thread_wait import park_thread, thread_waiter
    from hubcore._core.waiter import WOKEN, Waiter, new_entry
    from hubcore._sync.links import drop_from, entries_of, with_link, without_link
    from hubcore.hub import hub_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hubcore._core.waiter import WaitEntry
    from hubcore.hub import Hub

import_greenlet()


class Waitable(Source):
    """What greenlets and threads can wait for, and what can be linked. Subclasses say in `ready` when it has come."""

    __slots__ = ("__weakref__", "_links", "_waiters")

    def __init__(self) -> None:
        self._set_up()

    def _set_up(self) -> None:
        self._waiters = WaitQueue()
        self._links: Any = None  # or a list of pairs of a callback and its hub, or a table of them

    @property
    def hub(self) -> None:
        """None: it belongs to no hub. gevent's programs ask."""
        return None

    @property
    def cross_thread(self) -> bool:
        """Whether another thread may wake who waits for it: always."""
        return True

    def ready(self) -> bool:
        """Whether who waits for it now need not wait."""
        raise NotImplementedError(f"{type(self).__name__} does not say when it is ready")

    # Waiting.

    def _queue_up(self, item: object) -> Waiter | None:
        """Queue up, with `item` for those who look who waits: the waiter to park. None if one need not wait now."""
        entry = new_entry(self, item, "")
        return self._join(entry, waiter_at(entry))

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Waiter | None:
        """Unless one need not wait now, which is None, add them to the queue, and return `waiter`. In one step."""
        raise NotImplementedError(f"{type(self).__name__} does not say when one has to wait")

    # Links.

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Have `callback(self)` called once, when this is ready, in the calling thread's hub, where it must not wait.

        If it is ready, soon. In a thread without a hub: called by whoever makes it ready, in whatever thread.
        """
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        self._add_link((callback, hub_here()))
        if self.ready():
            self._notify_links()

    def unlink(self, callback: object) -> None:
        """Undo a `rawlink` of `callback`; harmless if there is none or it was called."""
        if isinstance(callback, DirectLink):
            self._drop_callback(callback)
            return
        for link in entries_of(self._links):  # a copy: comparing may run code that links and unlinks
            if link[0] == callback:
                self._drop_link(link)
                return

    def linkcount(self) -> int:
        """How many links there are and how many wait."""
        return self._waiters.count + len(entries_of(self._links))

    def _add_link(self, link: tuple[Any, Hub | None]) -> None:
        if self._links is None:
            fresh: list[tuple[Any, Hub | None]] = []  # making it may run finalizers, which link, too
            if self._links is None:
                self._links = fresh
        # Made before the look at what it is added to: making it may run finalizers, which link, unlink, and take the
        # links away, because they end what it is to.
        pair = None if isinstance(self._links, list) else [link, 1]
        links = self._links
        if links is None or (pair is None and not isinstance(links, list)):
            self._add_link(link)  # it is of another kind by now
            return
        kept = with_link(links, link, pair)
        if kept is not links and self._links is links:
            self._links = kept

    def _drop_link(self, link: tuple[Any, Hub | None]) -> None:
        without_link(self._links, link)

    def _drop_callback(self, callback: DirectLink) -> None:
        # By identity: of an object's many links each may be undone at once, and to compare takes many times longer.
        if isinstance(self._links, list):
            links = self._links
            for i in range(len(links)):
                link = links[i]
                if link[0] is callback:
                    del links[i]
                    return
        elif self._links is not None:
            drop_from(self._links, id(callback))

    def _take_links(self) -> Any:
        links = self._links
        self._links = None
        return links

    def _notify_links(self) -> None:
        """It is ready: have all links called, once. Never switches; any thread."""
        if self._links is None:
            return
        links: list[tuple[Any, Hub | None]] = entries_of(self._take_links())
        for callback, hub in links:
            if isinstance(callback, DirectLink):
                callback.notify(self)
            elif isinstance(callback, Waiter):
                callback.wake(self)
            elif hub is None or hub.destroyed:
                _call_here(callback, self)
            elif hub is hub_here():
                hub.loop.run_callback(callback, self)
            else:
                hub.loop.run_callback_threadsafe(callback, self)


def waiter_at(entry: object) -> Waiter:
    """A waiter of the calling greenlet, or of the thread where that has no hub, at `entry`, to be put into a queue.

    The main thread gets its hub now if it had none, so that it is told when the wait can never end.
    """
    if process_ends():
        return thread_waiter(entry)  # for finalizers; nothing can be switched to any more
    hub = hub_here()
    if hub is None:
        hub = hub_of_main_thread()
        if hub is None:
            return thread_waiter(entry)
    return hub.new_waiter(entry)


def hub_of_main_thread() -> Hub | None:
    """In the main thread its hub, made if there was none; None elsewhere."""
    return get_hub() if in_main_thread() else None


def park(waiter: Waiter, timeout: float | None) -> bool:
    """Wait until `waiter` is woken (True) or `timeout` seconds have passed (False); at once, if it has ended."""
    if waiter.ready.thread_ident == 0:
        return park_thread(waiter, timeout)
    hub: Any = hub_here()
    if timeout is not None and getcurrent() is hub and _is_over(waiter, timeout):
        waiter.fire(0.0)  # the hub may ask, and does not wait
        return waiter.outcome == WOKEN
    parked: bool = hub.park(waiter, timeout)
    return parked


def _is_over(waiter: Waiter, timeout: float) -> bool:
    try:
        return timeout <= 0
    except BaseException:
        waiter.abandon()  # nobody may hand this wait anything any more
        as_seconds(timeout, "a timeout")
        raise


def check_timeout(timeout: float) -> None:
    """ValueError unless `timeout` is a time limit for a queue or channel: 0 or more, as in the standard library."""
    if not isinstance(timeout, (float, int)):
        as_seconds(timeout, "a timeout")
    if not timeout >= 0:
        raise ValueError(f"'timeout' must be a non-negative number, not {timeout!r}")


def now() -> float:
    """The time in seconds by which the caller's waits are measured: its hub's, or the thread's where that has none."""
    hub = hub_here()
    return monotonic() if hub is None else hub.loop.update_now()


def _call_here(callback: Callable[[Any], object], source: Waitable) -> None:
    """Call a link that no hub can call; what it raises is not the business of whoever made `source` ready."""
    hub = get_hub_if_any()
    if hub is not None:
        hub.loop.run_callback(callback, source)
        return
    try:
        callback(source)
    except BaseException as error:
        from hubcore._diagnostics.describe import report_failure

        report_failure((callback, source), type(error), error, error.__traceback__)


if not cython.compiled:
    atomic(Waitable, "_add_link", "_drop_link", "_drop_callback", "_take_links")
