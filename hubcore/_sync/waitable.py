"""Waitable: the base of events, locks and queues, which belong to no hub.

Greenlets of all threads, and threads without a hub, wait for them alike, and any thread may wake them. Rules for
subclasses:

- A step that reads the state and changes it is one method, which neither switches nor calls anything that may run
  Python code in between. Compiled, the GIL makes such a step atomic; uncompiled, `_capi.fallback.atomic` does.
- A caller that has to wait first makes its waiter (`waiter_at`), because making it may run finalizers. Then one atomic
  step checks again and queues the waiter up; then the caller parks (`park`). A class with one queue has `_queue_up` for
  that, and implements the step in `_join`.
- What `WaitQueue.wake` handed over is gone. If `wake` returned False it was not handed over, and stays with the object.
"""

from __future__ import annotations

import sys
from time import monotonic

from hubcore._base import uncompiled as cython
from hubcore._base.main_thread import in_main_thread
from hubcore._core.deadlines import TimeLimit, as_seconds
from hubcore._core.waiter import Source, WaitQueue
from hubcore._sync.links import DirectLink, HubLink, LinkTable
from hubcore.hub import get_hub, get_hub_if_any

if not cython.compiled:
    from hubcore._base.hints import Any, Callable
    from hubcore._capi.fallback import atomic, getcurrent, import_greenlet, process_ends
    from hubcore._core.thread_wait import park_thread, thread_waiter
    from hubcore._core.waiter import WOKEN, Waiter, new_entry
    from hubcore._sync.links import entries_of, notified
    from hubcore.hub import hub_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hubcore._core.waiter import WaitEntry
    from hubcore.hub import Hub

import_greenlet()


class Waitable(Source):
    """What greenlets and threads can wait for and link to. A subclass implements `ready`."""

    __slots__ = ("__weakref__", "_links", "_waiters")

    def __init__(self) -> None:
        self._set_up()

    def _set_up(self) -> None:
        self._waiters = WaitQueue()
        self._links: LinkTable | None = None  # of HubLinks

    @property
    def hub(self) -> None:
        """None: it belongs to no hub. Programs written for gevent ask."""
        return None

    @property
    def cross_thread(self) -> bool:
        """Whether another thread may wake its waiters: always."""
        return True

    def ready(self) -> bool:
        """Whether a caller that waited for it now would not have to wait."""
        raise NotImplementedError(f"{type(self).__name__} does not implement ready()")

    # Waiting.

    def _queue_up(self, item: object) -> Waiter | None:
        """Queue the caller up, with `item` for the waker to see; the waiter to park, or None if it need not wait."""
        entry = new_entry(self, item, "")
        return self._join(entry, waiter_at(entry))

    def _join(self, entry: WaitEntry, waiter: Waiter) -> Waiter | None:
        """In one atomic step: None if the caller need not wait now, else queue `entry` up and return `waiter`."""
        raise NotImplementedError(f"{type(self).__name__} does not implement _join()")

    # Links.

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        """Call `callback(self)` once, when this is ready, in the calling thread's hub, where it must not wait.

        If it is ready already, the call comes soon. In a thread without a hub, the thread that makes it ready calls.
        """
        if not callable(callback):
            raise TypeError(f"a link must be callable, not {callback!r}")
        link = HubLink(callback, hub_here(), self._waiters._added)
        self._add_link(link)
        if self.ready():
            self._notify_link(link)

    def unlink(self, callback: object) -> None:
        """Undo a `rawlink` of `callback`, also if this is ready. No effect if there is none, or if it was called."""
        if isinstance(callback, DirectLink):
            if self._links is not None:
                self._links.remove_direct(callback)
            return
        for link in entries_of(self._links):  # a copy: comparing may run code that links and unlinks
            if link.callback == callback:
                if self._links is not None:
                    self._links.remove(link)
                return

    def linkcount(self) -> int:
        """The number of links and waiters."""
        return self._waiters.count + (0 if self._links is None else len(self._links))

    def _add_link(self, link: HubLink) -> None:
        while True:
            if self._links is None:
                fresh = LinkTable()  # making it may run finalizers, which link, too
                if self._links is None:
                    self._links = fresh
            if self._links.add(link):
                return

    def _notify_links(self, claimed: list[Any] | None = None) -> None:
        """It is ready: have all links called, once. Never switches; any thread.

        Resume the waiters of `claimed`, which `WaitQueue.claim_all` filled, in turn with the links that came before and
        after them.
        """
        at = 0
        try:
            if self._links is not None and not self._links.all_queued:
                links = self._links.entries()
                self._links.all_queued = True
                for link in links:
                    while claimed is not None and at < len(claimed) and claimed[at + 1] <= link.number:
                        waiter = claimed[at]
                        at += 2
                        waiter.resume()
                    self._notify_link(link)
        finally:
            while claimed is not None and at < len(claimed):
                waiter = claimed[at]
                at += 2
                waiter.resume()

    def _notify_link(self, link: HubLink) -> None:
        """Have one link called. It stays a link until then, so that `unlink` still works."""
        callback = link.callback
        hub: Any = link.hub
        if isinstance(callback, (Waiter, DirectLink)):
            if self._drop_link(link):
                notified(callback, self)
        elif link.queued:
            pass
        elif hub is None or hub.destroyed:
            if self._drop_link(link):
                _call_here(callback, self)
        else:
            link.queued = True
            is_here = hub is hub_here()
            if is_here:
                hub.loop.run_callback(self._call_link, link)
            else:
                hub.loop.run_callback_threadsafe(self._call_link, link)

    def _drop_link(self, link: HubLink) -> bool:
        return self._links is not None and self._links.remove(link)

    def _call_link(self, link: HubLink) -> None:
        if not self._drop_link(link):
            return  # it was unlinked
        try:
            link.callback(self)
        except BaseException:
            get_hub().handle_error((link.callback, self), *sys.exc_info())


def waiter_at(entry: object) -> Waiter:
    """A waiter at `entry` for the calling greenlet, or for the thread if that has no hub.

    The main thread gets its hub now if it had none, so that LoopExit reports a wait that can never end.
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
    """In the main thread its hub, made if there was none; None in other threads."""
    return get_hub() if in_main_thread() else None


def park(waiter: Waiter, timeout: float | None) -> bool:
    """Wait until `waiter` is woken (True) or `timeout` seconds have passed (False); at once, if it has ended.

    `timeout` may also be a Timeout, as for `Hub.park`.
    """
    if waiter.ready.thread_ident == 0:
        return park_thread(waiter, timeout)
    hub: Any = hub_here()
    if timeout is not None and getcurrent() is hub and _is_over(waiter, timeout):
        waiter._fire(0.0)  # the hub may try, and never waits
        return waiter.outcome == WOKEN
    parked: bool = hub.park(waiter, timeout)
    return parked


def _is_over(waiter: Waiter, timeout: Any) -> bool:
    try:
        seconds: Any = timeout._seconds_here() if isinstance(timeout, TimeLimit) else timeout
        return seconds is not None and seconds <= 0
    except BaseException:
        waiter.abandon()  # no waker may hand this wait anything any more
        as_seconds(timeout, "a timeout")
        raise


def check_timeout(timeout: Any) -> None:
    """ValueError unless `timeout` is a time limit for a queue or channel: 0 or more, as in the standard library; or a
    Timeout.
    """
    if not isinstance(timeout, (float, int)):
        if isinstance(timeout, TimeLimit):
            return
        as_seconds(timeout, "a timeout")
    if not timeout >= 0:
        raise ValueError(f"'timeout' must be a non-negative number, not {timeout!r}")


def now() -> float:
    """The time in seconds that the caller's waits are measured by: its hub's, or monotonic() without a hub."""
    hub = hub_here()
    return monotonic() if hub is None else hub.loop.update_now()


def _call_here(callback: Callable[[Any], object], source: Waitable) -> None:
    """Call a link that no hub can call. Its failure is reported, not raised in the thread that made `source` ready."""
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
    atomic(Waitable, "_add_link")
